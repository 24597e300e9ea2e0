"""Lists orders with their lines, the newest first, without any code.

A page begins below the id of the previous page's last order. Ids never change and new orders come first, so no order
that was there when the first page was read is skipped or repeated while others arrive. Filters on lines apply to one
and the same line; an order is listed with all of its lines.
"""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import and_, or_, select

from bedesten.orders.model import Line, Order
from bedesten.orders.moves import LINE as LINE_MOVES
from bedesten.orders.moves import ORDER as ORDER_MOVES
from bedesten.orders.statements import LINE_COLUMNS, ORDER_COLUMNS
from bedesten.orders.tables import order_lines, orders
from bedesten.store.sql import TENANT, Statement, p, rows_as
from bedesten.store.transaction import Transaction

_O, _L = orders.c, order_lines.c
END_OF_TIME = 10**15
"""Later than every time that is stored, in epoch milliseconds."""
OrderWithLines = tuple[Order, list[Line]]


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders are listed. Times are in epoch ms: `created_from` ≤ created < `created_to`; a line changed ≥ `since`.

    Empty values select everything. `statuses` are those of a line, `states` those of the order.
    """

    statuses: frozenset[int] = frozenset()
    states: frozenset[int] = frozenset()
    created_from: int = 0
    created_to: int = END_OF_TIME
    since: int = 0
    reference: str = ""
    product: str = ""


def _one_of(prefix: str, column: Any, numbers: Any) -> Any:
    """Matches a number in the column whose flag is 1; each number has a parameter for its flag."""
    return or_(*(and_(p(f"{prefix}{number}") == 1, column == number) for number in numbers))


_BY_ORDER = and_(_L.order_id == _O.id, _L.position >= 0)
"""The lines of an order. The position makes SQLite take the index of an order's lines: without statistics it prefers
the primary key, and reads every line of the tenant for each order."""
_HAS_LINE = (
    select(_L.id)
    .where(
        _L.tenant_id == _O.tenant_id,
        _BY_ORDER,
        _one_of("status", _L.status, LINE_MOVES.states),
        or_(p("product") == "", _L.product_id == p("product")),
        _L.updated >= p("since"),
    )
    .exists()
)
_WANTED = and_(
    _O.tenant_id == TENANT,
    or_(p("before") == "", _O.id < p("before")),
    _O.created >= p("created_from"),
    _O.created < p("created_to"),
    or_(p("reference") == "", _O.reference == p("reference")),
    _one_of("state", _O.state, ORDER_MOVES.states),
    _HAS_LINE,
)


def _row(*columns: Any) -> tuple[Order, Line]:
    return Order(*columns[: len(ORDER_COLUMNS)]), Line(*columns[len(ORDER_COLUMNS) :])


def _page(*where: Any) -> Statement[tuple[Order, Line]]:
    """Returns the query of one page of orders with their lines: a row for each line.

    Only the page is filtered by tenant: with the filter on `orders` too, SQLite would begin with all of the tenant's
    orders.
    """
    page = select(_O.tenant_id, _O.id).where(_WANTED, *where).order_by(_O.id.desc()).limit(p("most")).subquery("page")
    return rows_as(
        _row,
        select(*ORDER_COLUMNS, *LINE_COLUMNS)
        .select_from(
            page.join(orders, and_(_O.tenant_id == page.c.tenant_id, _O.id == page.c.id)).join(
                order_lines, and_(_L.tenant_id == _O.tenant_id, _BY_ORDER)
            )
        )
        .order_by(_O.id.desc(), _L.position),
    )


_OF_BUYER = _page(_O.buyer_id == p("buyer"))
_OF_TENANT = _page()


def orders_of(tx: Transaction, buyer: str, wanted: OrderFilter, before: str, size: int) -> list[OrderWithLines]:
    """Returns a buyer's orders, the newest first: a page and one more. `before` is the previous page's last id."""
    return _grouped(tx.all(_OF_BUYER, buyer=buyer, before=before, most=size + 1, **_parameters(wanted)))


def orders_of_tenant(tx: Transaction, wanted: OrderFilter, before: str, size: int) -> list[OrderWithLines]:
    """Returns the orders of all buyers, like `orders_of`."""
    return _grouped(tx.all(_OF_TENANT, before=before, most=size + 1, **_parameters(wanted)))


def _parameters(wanted: OrderFilter) -> dict[str, Any]:
    return {
        "created_from": wanted.created_from,
        "created_to": wanted.created_to,
        "since": wanted.since,
        "reference": wanted.reference,
        "product": wanted.product,
        **_flags("status", LINE_MOVES.states, wanted.statuses),
        **_flags("state", ORDER_MOVES.states, wanted.states),
    }


def _flags(prefix: str, numbers: Any, chosen: frozenset[int]) -> dict[str, int]:
    return {f"{prefix}{number}": int(not chosen or number in chosen) for number in numbers}


def _grouped(rows: list[tuple[Order, Line]]) -> list[OrderWithLines]:
    found: list[OrderWithLines] = []
    for _, group in groupby(rows, lambda row: row[0].id):
        pairs = list(group)
        found.append((pairs[0][0], [line for _, line in pairs]))
    return found
