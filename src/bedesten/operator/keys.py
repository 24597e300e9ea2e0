"""API keys, named by their id alone."""

from sqlalchemy import select

from bedesten import errors
from bedesten.accounts.tables import api_keys
from bedesten.errors import Refusal
from bedesten.store.sql import crossing, p
from bedesten.store.transaction import CrossTransaction, Transaction

_TENANT = crossing(select(api_keys.c.tenant_id).where(api_keys.c.id == p("id")))


def inside_tenant_of(tx: CrossTransaction, key_id: str) -> Transaction:
    """The transaction, bound to the tenant that the API key with this id belongs to. Raises `Refusal` (-3)."""
    row = tx.one(_TENANT, id=key_id)
    if row is None:
        raise Refusal(errors.NOT_FOUND, f"no API key has the id {key_id!r}", fields={"key": "there is no such key"})
    return tx.bound(row[0])
