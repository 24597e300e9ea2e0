"""The type of an invariant query, and shared parts of queries."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, case, func, literal, select

from bedesten.ledger.tables import transfers
from bedesten.store.sql import CrossTenantStatement, cross_tenant, p

_T = transfers.c
ID_LENGTH = len("odl_") + 26
"""Characters of an id; see `core.ids`."""


@dataclass(frozen=True, slots=True)
class InvariantQuery:
    """Finds one kind of violation of an invariant. `message` has a `{}` for each column after the tenant."""

    invariant: int
    message: str
    violating: CrossTenantStatement[tuple[Any, ...]]


def invariant_query(invariant: int, message: str, violating: Select[*tuple[Any, ...]]) -> InvariantQuery:
    """An invariant query that returns at most `most` rows."""
    assert message.count("{}") == len(violating.selected_columns) - 1, message
    return InvariantQuery(invariant, message, cross_tenant(violating.limit(p("most"))))


def sum_where(condition: Any, amount: Any) -> Any:
    """The sum of an amount over the rows for which the condition holds."""
    return func.sum(case((condition, amount), else_=0))


def transfer_of(prefix: str, row: Any) -> Any:
    """The join of a row with the transfer whose business key names it."""
    return and_(_T.tenant_id == row.tenant_id, _T.business_key == literal(prefix) + row.id)


def transfer_without_row(prefix: str, what: str, row: Any, table: Any, done: Any) -> InvariantQuery:
    """Transfers whose business key names a row that does not exist or is not in the state `done`.

    A business key may continue after the row's id: what a supplier earns with stock also names the supplier.
    """
    named = func.substr(_T.business_key, len(prefix) + 1, ID_LENGTH)
    names = and_(row.tenant_id == _T.tenant_id, row.id == named, done)
    return invariant_query(
        5,
        f"transfer {{}} of {{}} is booked for a {what} that does not exist or is not in that state",
        select(_T.tenant_id, _T.id, _T.amount)
        .select_from(transfers.outerjoin(table, names))
        .where(func.substr(_T.business_key, 1, len(prefix)) == prefix, row.id.is_(None)),
    )
