"""Creates, lists and revokes API keys. The key itself is shown only once, when it is created.

Every change of a key first locks its row (`lock`). A revocation, a rotation and the first use of a secret are therefore
serialised, and a revocation covers every secret that the key has at that moment.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from bedesten import errors
from bedesten.accounts.tables import accounts
from bedesten.apikeys.expiry import stage_of
from bedesten.apikeys.tables import api_keys, key_exists, key_secrets
from bedesten.audit.actions import Actor, record
from bedesten.core.clock import MAX_TIME_MS, wire_time
from bedesten.core.secret import Secret, masked
from bedesten.errors import Refusal, bad_field
from bedesten.gate.access import GRANTS
from bedesten.gate.api_keys import new_api_key, parse_networks
from bedesten.gate.keyring import Keyring
from bedesten.gate.scopes import Surface
from bedesten.store.sql import TENANT, insert_of, p, rows_as, statement
from bedesten.store.transaction import Transaction

PAGE_SIZE, MAX_PAGE_SIZE = 200, 10_000
"""Number of keys in one page, by default and at most."""
CURRENT, PREVIOUS = 0, 1
SLOTS = {CURRENT: "current", PREVIOUS: "previous"}


@dataclass(frozen=True, slots=True)
class NewKey:
    """The properties of a new key. `grants` None means everything the surface offers. `expires` is in epoch ms."""

    surface: Surface
    owner: str
    sandbox: bool
    grants: Iterable[str] | None = None
    networks: Iterable[str] = ()
    expires: int | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One API key, live or not. `hint` is the part of its current secret that may be shown; times are in epoch ms."""

    id: str
    surface: str
    owner_id: str
    owner: str
    hint: str
    grants: str | None
    networks: str | None
    expires: int | None
    revoked: int | None
    created: int

    def ended(self, now: int) -> bool:
        """Reports whether the key was revoked or has expired."""
        return self.revoked is not None or (self.expires is not None and self.expires <= now)


@dataclass(frozen=True, slots=True)
class KeySecret:
    """One stored secret of an API key; see the table. `expires` is the secret's own expiry in epoch ms."""

    digest: bytes
    pepper_id: str
    slot: int
    imported: int
    grace: int | None
    expires: int | None

    def live(self, now: int) -> bool:
        """Reports whether the secret itself has not expired; the key may expire earlier."""
        return self.expires is None or self.expires > now


_K, _S = api_keys.c, key_secrets.c
_KEYS = (
    select(
        _K.id, _K.surface, _K.owner_id, accounts.c.name, _K.hint, _K.grants, _K.networks, _K.expires, _K.revoked,
        _K.created,
    )
    .select_from(api_keys.join(accounts, accounts.c.id == _K.owner_id))
    .where(_K.tenant_id == TENANT, key_exists())
)  # fmt: skip
_PAGE = rows_as(ApiKey, _KEYS.where(_K.id > p("after")).order_by(_K.id).limit(p("most")))
_ONE = rows_as(ApiKey, _KEYS.where(_K.id == p("id")))
_LOCK = rows_as(ApiKey, _KEYS.where(_K.id == p("id")).with_for_update(key_share=True, of=api_keys))
CREATE = insert_of(api_keys)
_REVOKE = statement(
    update(api_keys)
    .where(_K.tenant_id == TENANT, _K.id == p("id"), _K.revoked.is_(None))
    .values(revoked=p("now"))
)  # fmt: skip

ADD_SECRET = insert_of(key_secrets)
_SECRETS = rows_as(
    KeySecret,
    select(_S.digest, _S.pepper_id, _S.slot, _S.imported, _S.grace, _S.expires)
    .where(_S.tenant_id == TENANT, _S.key_id == p("key_id"))
    .order_by(_S.slot),
)
_ENDS = statement(
    select(_S.key_id, _S.expires).where(
        _S.tenant_id == TENANT, _S.slot == p("slot"), _S.key_id >= p("first"), _S.key_id <= p("last")
    )
)
_DROP_SECRET = statement(delete(key_secrets).where(_S.tenant_id == TENANT, _S.digest == p("digest")))


def _audit_fields(new: NewKey) -> dict[str, object]:
    """Returns the fields of a new key for its audit row."""
    return {
        "surface": new.surface.value,
        "owner": new.owner,
        "grants": None if new.grants is None else sorted(new.grants),
        "networks": list(new.networks),
        "expires": None if new.expires is None else wire_time(new.expires),
    }


def create(tx: Transaction, keyring: Keyring, new: NewKey, actor: Actor) -> tuple[str, Secret[str]]:
    """Creates a key and returns its id and the key itself, which cannot be shown again."""
    key = new_api_key(new.sandbox)
    hint = masked(key.reveal())
    key_id = insert(tx, new, hint)
    digest = add_secret(tx, keyring, key_id, key.reveal())
    tx.advance_revision("key", digest.hex())  # so that a store restored from an older copy has a different revision
    record(tx, actor, "key.create", key_id, **_audit_fields(new), hint=hint)
    return key_id, key


def insert(tx: Transaction, new: NewKey, hint: str) -> str:
    """Inserts a key without a secret and returns its id. Raises `Refusal` (-2)."""
    key_id = tx.new_id("key")
    tx.run(CREATE, **columns_of(new, tx.now), id=key_id, hint=hint, import_id=None)
    return key_id


def columns_of(new: NewKey, now: int) -> dict[str, object]:
    """Returns the parameters of `CREATE` except id, hint and import. Raises `Refusal` (-2)."""
    if new.expires is not None and new.expires <= now:
        raise bad_field("expires", "must lie in the future")
    if new.expires is not None and new.expires > MAX_TIME_MS:
        raise bad_field("expires", "must not be after the year 9999; an API key without it never expires")
    return {
        "owner_id": new.owner,
        "surface": new.surface.value,
        "grants": _grants(new.surface, new.grants),
        "networks": _networks(new.networks),
        "expires": new.expires,
        "revoked": None,
        "warned": None if new.expires is None else stage_of(new.expires - now),
        "created": now,
    }


def add_secret(tx: Transaction, keyring: Keyring, key_id: str, text: str, *, grace: int | None = None) -> bytes:
    """Stores the digest of a key as its current secret and returns the digest."""
    pepper = keyring.digest.current
    digest = keyring.key_digest(tx.tenant, text, pepper)
    tx.run(
        ADD_SECRET,
        digest=digest,
        pepper_id=pepper,
        key_id=key_id,
        slot=CURRENT,
        imported=0,
        grace=grace,
        expires=None,
    )
    return digest


def lock(tx: Transaction, key_id: str) -> ApiKey:
    """Locks the key until the transaction ends and returns it. Raises `Refusal` (-3)."""
    return _found(tx.one(_LOCK, id=key_id))


def get(tx: Transaction, key_id: str) -> ApiKey:
    """Returns the key. Raises `Refusal` (-3) if there is none in this tenant."""
    return _found(tx.one(_ONE, id=key_id))


def secrets_of(tx: Transaction, key_id: str) -> dict[int, KeySecret]:
    """Returns the stored secrets of a key by slot, possibly with some that have expired."""
    return {secret.slot: secret for secret in tx.all(_SECRETS, key_id=key_id)}


def drop(tx: Transaction, secret: KeySecret) -> None:
    """Ends a secret at once by deleting its row: it is then indistinguishable from a secret that never existed."""
    tx.run(_DROP_SECRET, digest=secret.digest)
    tx.advance_revision("key", secret.digest.hex())


def revoke(tx: Transaction, key_id: str, actor: Actor, *, previous_only: bool = False) -> bool:
    """Ends a key, or only the previous secret of its rotation. Returns False if nothing was left to end.

    A second call changes nothing. Raises `Refusal` (-3).
    """
    lock(tx, key_id)
    ended = False
    for slot, secret in secrets_of(tx, key_id).items():
        if slot == PREVIOUS or not previous_only:
            drop(tx, secret)
            ended = ended or secret.live(tx.now)
    if not previous_only:
        ended = bool(tx.run(_REVOKE, id=key_id, now=tx.now)) or ended
    if ended:
        record(tx, actor, "key.revoke.previous" if previous_only else "key.revoke", key_id)
    return ended


def list_page(tx: Transaction, after: str = "", limit: int = PAGE_SIZE) -> tuple[list[dict[str, object]], str | None]:
    """Lists keys of the tenant, live or not, and the id after which the next page begins.

    The list never shows the keys themselves.

    `expires` is the key's own expiry. `ends` is that of its current secret, which is earlier if a leak report set it.
    """
    found = tx.all(_PAGE, after=after, most=limit + 1)
    page = found[:limit]
    if not page:
        return [], None
    first, last = page[0].id, page[-1].id
    current, previous = (dict(tx.all(_ENDS, slot=slot, first=first, last=last)) for slot in (CURRENT, PREVIOUS))
    listed: list[dict[str, object]] = [
        {
            "id": key.id,
            "surface": key.surface,
            "owner": key.owner,
            "hint": key.hint,
            "grants": key.grants.split() if key.grants is not None else None,
            "networks": key.networks.split() if key.networks else [],
            "expires": _time(key.expires),
            "ends": _time(end_of(key.expires, current.get(key.id))),
            "revoked": _time(key.revoked),
            "previous": _previous(key, previous[key.id], tx.now) if key.id in previous else None,
            "created": wire_time(key.created),
        }
        for key in page
    ]
    return listed, last if len(found) > limit else None


def end_of(key: int | None, secret: int | None) -> int | None:
    """Returns when a secret ends: the earlier of the key's expiry and its own (epoch ms); None means never.

    All code that shows or compares the end of a secret uses this function.
    """
    if key is None or secret is None:
        return secret if key is None else key
    return min(key, secret)


def _previous(key: ApiKey, secret: int | None, now: int) -> dict[str, object] | None:
    """Returns a previous secret as shown to callers, with its end.

    The end is null while only the first use of the current secret can end it.
    """
    ends = end_of(key.expires, secret)
    return None if ends is not None and ends <= now else {"ends": _time(ends)}


def _found(key: ApiKey | None) -> ApiKey:
    if key is None:
        raise Refusal(errors.NOT_FOUND, "no such key", fields={"key": "there is no such key"})
    return key


def _time(at: int | None) -> str | None:
    return None if at is None else wire_time(at)


def _networks(networks: Iterable[str]) -> str | None:
    named = list(networks)
    try:
        parse_networks(named)
    except ValueError as error:
        raise bad_field("allow", str(error)) from error
    return " ".join(named) or None


def _grants(surface: Surface, grants: Iterable[str] | None) -> str | None:
    if grants is None:
        return None
    named = frozenset(grants)
    unknown = named - GRANTS[surface]
    if unknown or not named:
        raise bad_field("grant", f"the grants of this surface are {', '.join(sorted(GRANTS[surface]))}")
    return " ".join(sorted(named))
