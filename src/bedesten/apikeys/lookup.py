"""Reads the facts about API keys that the gate needs."""

from collections.abc import Iterable

from sqlalchemy import select

from bedesten.apikeys.actions import end_of
from bedesten.apikeys.tables import api_keys, key_exists, key_secrets
from bedesten.gate.api_keys import parse_networks
from bedesten.gate.auth_cache import KeyEntry
from bedesten.gate.scopes import Surface
from bedesten.store.sql import cross_tenant, p
from bedesten.store.transaction import SystemTransaction

_KEY = cross_tenant(
    select(
        api_keys.c.id,
        api_keys.c.tenant_id,
        api_keys.c.surface,
        api_keys.c.owner_id,
        api_keys.c.grants,
        api_keys.c.networks,
        api_keys.c.expires,
        key_secrets.c.expires,
        key_secrets.c.pepper_id,
        key_secrets.c.slot,
        key_secrets.c.imported,
        key_secrets.c.grace,
    )
    .select_from(key_secrets.join(api_keys, api_keys.c.id == key_secrets.c.key_id))
    .where(key_secrets.c.digest == p("digest"), key_exists())
)
_IMPORTED = cross_tenant(
    select(key_secrets.c.key_id).where(key_secrets.c.tenant_id == p("tenant_id"), key_secrets.c.imported == 1).limit(1)
)


def key_entry(tx: SystemTransaction, digests: Iterable[bytes]) -> KeyEntry | None:
    """Returns the entry of a live secret that is stored under any of the digests; every digest is looked up."""
    found = [(digest, row) for digest in digests if (row := tx.one(_KEY, digest=digest))]
    if not found:
        return None
    digest, row = found[0]
    return KeyEntry(
        key_id=row[0],
        tenant=row[1],
        surface=Surface(row[2]),
        owner=row[3],
        grants=None if row[4] is None else frozenset(row[4].split()),
        networks=parse_networks(row[5].split() if row[5] else []),
        expires=end_of(row[6], row[7]),
        digest=digest,
        pepper_id=row[8],
        slot=row[9],
        imported=bool(row[10]),
        unused=row[11] is not None,
    )


def has_imports(tx: SystemTransaction, tenant: str) -> bool:
    """Reports whether the tenant has an imported API key that was never used since."""
    return tx.one(_IMPORTED, tenant_id=tenant) is not None
