"""The trial balance of a tenant: over all accounts of a currency, the total received equals the total given."""

from dataclasses import dataclass

from sqlalchemy import func, literal, select, union_all

from bedesten.ledger.tables import ledger_accounts, transfers
from bedesten.store.sql import TENANT, rows_as
from bedesten.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Total:
    """All accounts of one kind and currency: how many there are, and their transfers in minor units."""

    currency: str
    kind: str
    accounts: int
    received: int
    given: int


_A, _T = ledger_accounts.c, transfers.c
_legs = union_all(
    select(_T.to_id.label("account_id"), _T.amount.label("received"), literal(0).label("given")).where(
        _T.tenant_id == TENANT
    ),
    select(_T.from_id.label("account_id"), literal(0).label("received"), _T.amount.label("given")).where(
        _T.tenant_id == TENANT
    ),
).subquery("legs")


def _total(currency: str, kind: str, accounts: int, received: int, given: int) -> Total:
    return Total(currency, kind, accounts, int(received), int(given))


_TOTALS = rows_as(
    _total,
    select(
        _A.currency,
        _A.kind,
        func.count(func.distinct(_A.id)),
        func.coalesce(func.sum(_legs.c.received), 0),
        func.coalesce(func.sum(_legs.c.given), 0),
    )
    .select_from(ledger_accounts.outerjoin(_legs, _legs.c.account_id == _A.id))
    .where(_A.tenant_id == TENANT)
    .group_by(_A.currency, _A.kind)
    .order_by(_A.currency, _A.kind),
)


def totals(tx: Transaction) -> list[Total]:
    """Returns the totals by currency and kind of account."""
    return tx.all(_TOTALS)
