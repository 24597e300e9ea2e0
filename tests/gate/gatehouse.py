"""A gate with a store of a few entries behind it, all written by hand: what is decided without any store at all."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from bedesten.core.revision import Revision
from bedesten.errors import ErrorRow, Refusal
from bedesten.gate.access import Access
from bedesten.gate.bearer import Claims, mint
from bedesten.gate.decide import Credentials, Gate
from bedesten.gate.directory import AccountEntry, Directory, Entry, KeyEntry, Loaded, TenantEntry, Unloaded, Want
from bedesten.gate.keyring import Keyring, Randomness, make_kid
from bedesten.gate.principal import Principal
from bedesten.gate.scopes import SCOPES, Surface

Result = TypeVar("Result")
NOW = 1_800_000_000_000
SECOND = NOW // 1000
ADDRESS = "192.0.2.1"
LIVE_KEY = "ak_live_0123456789abcdef0123456789abcdef"
TEST_KEY = "ak_test_0123456789abcdef0123456789abcdef"
NO_KEY = "ak_live_00000000000000000000000000000000"

TENANT = TenantEntry(
    id="ten_1",
    suspended=False,
    sandbox=False,
    currency="USD",
    region="GLOBAL",
    generation=4,
    epoch=2,
    surface_epochs={surface: number for number, surface in enumerate(Surface, 10)},
    lifetimes={},
    idle={},
    idle_since={},
    access={},
    origins=frozenset(),
    limits={},
)
PARTNER = AccountEntry("par_1", "ten_1", "partner", False, None, 3)
CUSTOMER = AccountEntry("cus_1", "ten_1", "customer", False, None, 3)
SUPPLIER = AccountEntry("sup_1", "ten_1", "supplier", False, None, 0)
INTEGRATION = AccountEntry("int_1", "ten_1", "integration", False, None, 0)
OWNERS = {
    Surface.RESELLER: PARTNER,
    Surface.STOREFRONT: CUSTOMER,
    Surface.SUPPLIER: SUPPLIER,
    Surface.PAYMENT: INTEGRATION,
}
NOTHING = Credentials([], [], ADDRESS)
SUPPLIER_KEY = KeyEntry("key_1", "ten_1", Surface.SUPPLIER, "sup_1", None, (), None)


def dice(seed: str) -> Randomness:
    """Randomness that is the same in every run."""
    rolls = iter(range(1_000))
    return lambda count: hashlib.shake_256(f"{seed} {next(rolls)}".encode()).digest(count)


@dataclass
class House:
    """One gate; `store` is what could be read, `wanted` what was, in order. The installation's epoch is 1."""

    keyring: Keyring = field(default_factory=lambda: Keyring.generate(dice("house")))
    tenant: TenantEntry = TENANT
    store: dict[Want, Entry] = field(default_factory=dict)
    wanted: list[Want] = field(default_factory=list)

    def __post_init__(self) -> None:
        directory = Directory()
        directory.restart(Revision(7, 70), 1, {})
        self.gate = Gate(directory, self.keyring, "https://hall.example")
        self.knows(*OWNERS.values())

    def knows(self, *accounts: AccountEntry) -> None:
        """Puts accounts into the store."""
        for account in accounts:
            self.store[Want("account", account.id)] = account

    def decided(self, decide: Callable[[Loaded], Result], *, remember: bool = False) -> Result:
        """Asks, and reads what is lacking until there is an answer, as the pipeline does."""
        loaded: dict[Want, Entry | None] = {}
        for _ in range(8):
            try:
                return decide(loaded)
            except Unloaded as unloaded:
                want = unloaded.want
            assert want not in loaded, "asked for twice"
            self.wanted.append(want)
            entry = loaded[want] = self._read(want)
            if remember and entry is not None:
                self.gate.directory.put(want, entry)
        raise AssertionError("a decision that never ends")

    def _read(self, want: Want) -> Entry | None:
        if want.kind != "key":
            return self.store.get(want)
        found = [self.store[Want("key", (digest,))] for digest in want.ref if Want("key", (digest,)) in self.store]  # type: ignore[arg-type]
        return found[0] if found else None

    # --- credentials ---

    def claims(self, surface: Surface = Surface.RESELLER, **changes: object) -> Claims:
        """What a good token of the surface says, or one with something changed."""
        owner, tenant = OWNERS[surface], self.tenant
        said: dict[str, object] = {
            "issuer": "https://hall.example",
            "audience": surface.value,
            "subject": owner.id,
            "tenant": tenant.id,
            "scopes": SCOPES[surface],
            "issued_at": SECOND,
            "expires_at": SECOND + 3600,
            "token_id": "tok_1",
            "session_id": "ses_1",
            "epochs": (1, tenant.epoch, tenant.surface_epochs[surface], owner.epoch),
            "kid": make_kid(self.keyring.sign.current, tenant.generation),
        }
        return Claims(**(said | changes))  # type: ignore[arg-type]

    def minted(self, claims: Claims) -> bytes:
        """The token that says so, signed with the key that its `kid` names."""
        master, _, generation = claims.kid.partition(".")
        key = self.keyring.signing_key(master, claims.tenant, Surface(claims.audience), int(generation))
        assert key is not None
        return mint(claims, key).encode()

    def token(self, surface: Surface = Surface.RESELLER, **changes: object) -> Credentials:
        """A request's credentials: a good token of the surface, or one that says something else."""
        return bearer(self.minted(self.claims(surface, **changes)))

    def issued(self, entry: KeyEntry = SUPPLIER_KEY, key: str = LIVE_KEY, pepper: str | None = None) -> Credentials:
        """A request's credentials: an API key that the store knows."""
        digest = self.keyring.key_digest(self.tenant.id, key, pepper)
        self.store[Want("key", (digest,))] = replace(entry, digest=digest)
        return api_key(key)

    def digest(self, text: str, pepper: str | None = None) -> bytes:
        """What an API key is stored under."""
        return self.keyring.key_digest(self.tenant.id, text, pepper)

    # --- questions ---

    def authenticate(self, access: Access, presented: Credentials, now: int = NOW) -> Principal | None:
        """Who is calling."""
        return self.decided(lambda loaded: self.gate.authenticate(self.tenant, access, presented, now, loaded))

    def refused(self, access: Access, presented: Credentials, now: int = NOW) -> Refusal:
        """The refusal of a credential."""
        return refusal(lambda: self.authenticate(access, presented, now))


def bearer(*tokens: bytes) -> Credentials:
    """An `Authorization` line for each token."""
    return Credentials([b"Bearer " + token for token in tokens], [], ADDRESS)


def api_key(*keys: str, address: str = ADDRESS) -> Credentials:
    """An `ApiKey` line for each key."""
    return Credentials([], [key.encode() for key in keys], address)


def refusal(ask: Callable[[], object]) -> Refusal:
    """The refusal that is the answer."""
    try:
        ask()
    except Refusal as refused:
        return refused
    raise AssertionError("it was not refused")


def told(refused: Refusal) -> tuple[ErrorRow, str]:
    """What the caller is told and what the log is."""
    return refused.row, refused.cause


def kinds(wants: Iterable[Want]) -> list[str]:
    """What was read, without which."""
    return [want.kind for want in wants]
