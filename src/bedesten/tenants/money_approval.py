"""The amount above which a booking by hand needs a second person: part of the tenant's settings."""

from sqlalchemy import select, update

from bedesten.audit.actions import OPERATOR, record
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.tables import tenants

_READ = statement(select(tenants.c.approve_above).where(tenants.c.id == TENANT))
_SET = statement(update(tenants).where(tenants.c.id == TENANT).values(approve_above=p("amount")))


def approve_above(tx: Transaction) -> int | None:
    """Returns the amount in minor units; None: no booking needs a second person."""
    row = tx.one(_READ)
    assert row is not None, "a transaction is bound to a tenant that exists"
    amount: int | None = row[0]
    return amount


def set_approve_above(tx: Transaction, amount: int | None) -> None:
    """Sets the amount, in minor units of the tenant's currency. Bookings that wait already keep waiting."""
    before = approve_above(tx)
    if amount != before:
        tx.run(_SET, amount=amount)
        record(tx, OPERATOR, "tenant.approve_above", tx.tenant, before=before, after=amount)
