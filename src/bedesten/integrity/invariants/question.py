"""What a question is."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, case, func

from bedesten.store.sql import CrossTenantStatement, cross_tenant, p


@dataclass(frozen=True, slots=True)
class Question:
    """One way in which an invariant can be broken. `says` has a `{}` for each column after the tenant."""

    invariant: int
    says: str
    broken: CrossTenantStatement[tuple[Any, ...]]


def question(invariant: int, says: str, broken: Select[*tuple[Any, ...]]) -> Question:
    """The question, cut to `most` rows."""
    assert says.count("{}") == len(broken.selected_columns) - 1, says
    return Question(invariant, says, cross_tenant(broken.limit(p("most"))))


def sum_where(condition: Any, amount: Any) -> Any:
    """The sum of an amount over the rows for which the condition holds."""
    return func.sum(case((condition, amount), else_=0))
