"""The type of an invariant query."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, case, func

from bedesten.store.sql import CrossTenantStatement, cross_tenant, p


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
