"""A gate over a handwritten dictionary in place of the store, to test decisions without any store."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from bedesten.core.revision import Revision
from bedesten.errors import ErrorCode, Refusal
from bedesten.gate.access import Access
from bedesten.gate.auth_cache import AccountEntry, AuthCache, CacheKey, CacheMiss, Entry, Fetched, KeyEntry, TenantEntry
from bedesten.gate.bearer import Claims, mint
from bedesten.gate.decide import Credentials, Gate
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
    token_version=2,
    surface_token_versions={surface: number for number, surface in enumerate(Surface, 10)},
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
ABSENT = Credentials([], [], ADDRESS)
SUPPLIER_KEY = KeyEntry("key_1", "ten_1", Surface.SUPPLIER, "sup_1", None, (), None)


def seeded_randomness(seed: str) -> Randomness:
    """Randomness that is the same in every run."""
    rolls = iter(range(1_000))
    return lambda count: hashlib.shake_256(f"{seed} {next(rolls)}".encode()).digest(count)


@dataclass
class GateFixture:
    """One gate; `store` has what can be read, `reads` what was, in order. The installation's token version is 1."""

    keyring: Keyring = field(default_factory=lambda: Keyring.generate(seeded_randomness("keyring")))
    tenant: TenantEntry = TENANT
    store: dict[CacheKey, Entry] = field(default_factory=dict)
    reads: list[CacheKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        auth_cache = AuthCache()
        auth_cache.reset(Revision(7, 70), 1, {})
        self.gate = Gate(auth_cache, self.keyring, "https://issuer.example")
        self.add_accounts(*OWNERS.values())

    def add_accounts(self, *accounts: AccountEntry) -> None:
        """Puts accounts into the store."""
        for account in accounts:
            self.store[CacheKey("account", account.id)] = account

    def decide_with_store(self, decide: Callable[[Fetched], Result], *, remember: bool = False) -> Result:
        """Decides, and reads missing entries until the decision succeeds, as the pipeline does."""
        fetched: dict[CacheKey, Entry | None] = {}
        for _ in range(8):
            try:
                return decide(fetched)
            except CacheMiss as miss:
                key = miss.key
            assert key not in fetched, "asked for twice"
            self.reads.append(key)
            entry = fetched[key] = self._read(key)
            if remember and entry is not None:
                self.gate.auth_cache.put(key, entry)
        raise AssertionError("a decision that never ends")

    def _read(self, key: CacheKey) -> Entry | None:
        if key.kind != "key":
            return self.store.get(key)
        assert isinstance(key.ref, tuple)
        singles = [CacheKey("key", (digest,)) for digest in key.ref]
        return next((self.store[single] for single in singles if single in self.store), None)

    # --- credentials ---

    def claims(self, surface: Surface = Surface.RESELLER, **changes: object) -> Claims:
        """The claims of a good token of the surface, with the given changes."""
        owner, tenant = OWNERS[surface], self.tenant
        said: dict[str, object] = {
            "issuer": "https://issuer.example",
            "audience": surface.value,
            "subject": owner.id,
            "tenant": tenant.id,
            "scopes": SCOPES[surface],
            "issued_at": SECOND,
            "expires_at": SECOND + 3600,
            "token_id": "tok_1",
            "session_id": "ses_1",
            "token_versions": (1, tenant.token_version, tenant.surface_token_versions[surface], owner.token_version),
            "kid": make_kid(self.keyring.sign.current, tenant.generation),
        }
        return Claims(**(said | changes))  # type: ignore[arg-type]

    def signed_token(self, claims: Claims) -> bytes:
        """The token with these claims, signed with the key that its `kid` names."""
        master, _, generation = claims.kid.partition(".")
        key = self.keyring.signing_key(master, claims.tenant, Surface(claims.audience), int(generation))
        assert key is not None
        return mint(claims, key).encode()

    def token(self, surface: Surface = Surface.RESELLER, **changes: object) -> Credentials:
        """A request's credentials: a good token of the surface, with the given changes of its claims."""
        return bearer(self.signed_token(self.claims(surface, **changes)))

    def issue_key(self, entry: KeyEntry = SUPPLIER_KEY, key: str = LIVE_KEY, pepper: str | None = None) -> Credentials:
        """A request's credentials: an API key that the store knows."""
        digest = self.keyring.key_digest(self.tenant.id, key, pepper)
        self.store[CacheKey("key", (digest,))] = replace(entry, digest=digest)
        return api_key(key)

    def digest(self, text: str, pepper: str | None = None) -> bytes:
        """The digest under which an API key is stored."""
        return self.keyring.key_digest(self.tenant.id, text, pepper)

    # --- decisions ---

    def authenticate(self, access: Access, credentials: Credentials, now: int = NOW) -> Principal | None:
        """The principal of the credentials."""
        return self.decide_with_store(
            lambda fetched: self.gate.authenticate(self.tenant, access, credentials, now, fetched)
        )

    def refused(self, access: Access, credentials: Credentials, now: int = NOW) -> Refusal:
        """The refusal of a credential."""
        return refusal(lambda: self.authenticate(access, credentials, now))


def bearer(*tokens: bytes) -> Credentials:
    """An `Authorization` line for each token."""
    return Credentials([b"Bearer " + token for token in tokens], [], ADDRESS)


def api_key(*keys: str, address: str = ADDRESS) -> Credentials:
    """An `ApiKey` line for each key."""
    return Credentials([], [key.encode() for key in keys], address)


def refusal(ask: Callable[[], object]) -> Refusal:
    """The refusal that the call raises."""
    try:
        ask()
    except Refusal as refused:
        return refused
    raise AssertionError("it was not refused")


def code_and_cause(refused: Refusal) -> tuple[ErrorCode, str]:
    """The error code for the caller and the cause for the log."""
    return refused.code, refused.cause


def kinds(wants: Iterable[CacheKey]) -> list[str]:
    """The kinds of the entries that were read."""
    return [key.kind for key in wants]
