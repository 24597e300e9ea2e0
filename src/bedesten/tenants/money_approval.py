"""The amount above which a booking by hand needs a second person: part of the tenant's settings."""

from sqlalchemy import select, update

from bedesten.audit.actions import OPERATOR, record
from bedesten.core.money import with_currency
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction
from bedesten.tenants.tables import tenants

_READ = statement(select(tenants.c.approve_above).where(tenants.c.id == TENANT))
_CURRENCY = statement(select(tenants.c.currency).where(tenants.c.id == TENANT))
_SET = statement(update(tenants).where(tenants.c.id == TENANT).values(approve_above=p("amount")))


def in_currency(tx: Transaction, amount: int | None) -> str | None:
    """Returns an amount of the tenant's currency for people, such as `24.00 USD`; None for no amount."""
    row = tx.one(_CURRENCY)
    assert row is not None, "a transaction is bound to a tenant that exists"
    return None if amount is None else with_currency(amount, row[0])


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
        shown = {"before": in_currency(tx, before), "after": in_currency(tx, amount)}
        record(tx, OPERATOR, "tenant.approve_above", tx.tenant, **shown)
