"""API keys: made, listed, revoked. The key itself is seen once, when it is made."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from bedesten import errors
from bedesten.accounts.tables import accounts, api_keys, key_secrets
from bedesten.audit.actions import Actor, record
from bedesten.base.clock import wire_time
from bedesten.base.ids import new_id
from bedesten.base.secret import Secret, masked
from bedesten.errors import Refusal, bad_field
from bedesten.gate.access import GRANTS
from bedesten.gate.apikeys import new_api_key, parse_networks
from bedesten.gate.keyring import Keyring
from bedesten.gate.scopes import Surface
from bedesten.store.sql import TENANT, inserting, p, statement
from bedesten.store.transaction import Transaction

CURRENT, PREVIOUS = 0, 1

_CREATE = inserting(api_keys)
_ADD_SECRET = inserting(key_secrets)
_SECRETS = statement(
    select(key_secrets.c.digest, key_secrets.c.slot).where(
        key_secrets.c.tenant_id == TENANT, key_secrets.c.key_id == p("key_id")
    )
)
_DROP_SECRET = statement(
    delete(key_secrets).where(key_secrets.c.tenant_id == TENANT, key_secrets.c.digest == p("digest"))
)
_REVOKE = statement(
    update(api_keys)
    .where(api_keys.c.tenant_id == TENANT, api_keys.c.id == p("id"), api_keys.c.revoked.is_(None))
    .values(revoked=p("now"))
)
_EXISTS = statement(select(api_keys.c.id).where(api_keys.c.tenant_id == TENANT, api_keys.c.id == p("id")))
_LIST = statement(
    select(
        api_keys.c.id,
        api_keys.c.surface,
        accounts.c.name,
        api_keys.c.hint,
        api_keys.c.grants,
        api_keys.c.networks,
        api_keys.c.expires,
        api_keys.c.revoked,
        api_keys.c.created,
    )
    .select_from(api_keys.join(accounts, accounts.c.id == api_keys.c.owner_id))
    .where(api_keys.c.tenant_id == TENANT)
    .order_by(api_keys.c.id)
)


@dataclass(frozen=True, slots=True)
class NewKey:
    """What is asked of a key that is to be. `grants` None: all that the surface offers. `expires` in epoch ms."""

    surface: Surface
    owner: str
    sandbox: bool
    grants: Iterable[str] | None = None
    networks: Iterable[str] = ()
    expires: int | None = None


def create(tx: Transaction, keyring: Keyring, new: NewKey, actor: Actor) -> tuple[str, Secret[str]]:
    """A fresh key: its id, and the key, which cannot be shown again."""
    key_id, key = new_id("key"), new_api_key(new.sandbox)
    if new.expires is not None and new.expires <= tx.now:
        raise bad_field("expires", "must lie in the future")
    networks = _networks(new.networks)
    tx.run(
        _CREATE,
        id=key_id,
        owner_id=new.owner,
        surface=new.surface.value,
        hint=masked(key.reveal()),
        grants=_grants(new.surface, new.grants),
        networks=networks,
        expires=new.expires,
        revoked=None,
        warned=None,
        created=tx.now,
    )
    pepper = keyring.digest_ids()[0]
    digest = keyring.key_digest(tx.tenant, key.reveal(), pepper)
    tx.run(
        _ADD_SECRET, digest=digest, pepper_id=pepper, key_id=key_id, slot=CURRENT, imported=0, grace=None, expires=None
    )
    record(tx, actor, "key.create", key_id, surface=new.surface.value, owner=new.owner, hint=masked(key.reveal()))
    return key_id, key


def revoke(tx: Transaction, key_id: str, actor: Actor, *, previous_only: bool = False) -> bool:
    """Ends a key, or only the previous secret of its rotation. False if there was nothing left to end.

    The secret's row goes, so that the key is from now on as unknown as one that never was. Raises `Refusal`.
    """
    if tx.one(_EXISTS, id=key_id) is None:
        raise Refusal(errors.NOT_FOUND, "no such key", fields={"key": "there is no such key"})
    ended = False
    for digest, slot in tx.all(_SECRETS, key_id=key_id):
        if slot == PREVIOUS or not previous_only:
            tx.run(_DROP_SECRET, digest=digest)
            tx.changed("key", bytes(digest).hex())
            ended = True
    if not previous_only:
        ended = bool(tx.run(_REVOKE, id=key_id, now=tx.now)) or ended
    if ended:
        record(tx, actor, "key.revoke.previous" if previous_only else "key.revoke", key_id)
    return ended


def list_all(tx: Transaction) -> list[dict[str, object]]:
    """Every key of the tenant, live or not; never the key itself."""
    return [
        {
            "id": row[0],
            "surface": row[1],
            "owner": row[2],
            "hint": row[3],
            "grants": row[4].split() if row[4] is not None else None,
            "networks": row[5].split() if row[5] else [],
            "expires": wire_time(row[6]) if row[6] else None,
            "revoked": wire_time(row[7]) if row[7] else None,
            "created": wire_time(row[8]),
        }
        for row in tx.all(_LIST)
    ]


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
