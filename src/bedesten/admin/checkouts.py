"""Lists unpaid checkouts and releases the goods that they reserve."""

from sqlalchemy import or_, select

from bedesten.accounts.tables import accounts
from bedesten.audit.actions import OPERATOR, record
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.errors import bad_field
from bedesten.orders import checkout
from bedesten.orders.model import UNPAID
from bedesten.orders.tables import orders
from bedesten.store.sql import TENANT, p, statement
from bedesten.store.transaction import Transaction

_O, _A = orders.c, accounts.c
_OPEN = statement(
    select(_O.id, _A.id, _A.handle, _O.units, _O.total, _O.currency, _O.created, _O.expires)
    .select_from(orders.join(accounts, (_A.tenant_id == _O.tenant_id) & (_A.id == _O.buyer_id)))
    .where(
        _O.tenant_id == TENANT,
        _O.state == UNPAID,
        _O.created <= p("before"),
        or_(p("customer") == "", _A.id == p("customer")),
        _O.id > p("after"),
    )
    .order_by(_O.id)
    .limit(p("most"))
)
MAX_OPEN = 1_000_000
"""Rows of a list whose caller sets no limit."""


def list_open(
    tx: Transaction, customer: str = "", older_than: int = 0, after: str = "", most: int = MAX_OPEN
) -> list[dict[str, object]]:
    """Unpaid checkouts that are older than `older_than` ms, oldest first; `customer` limits them to one customer's id."""
    return [
        {
            "orderId": row[0],
            "customerId": row[1],
            "customer": row[2],
            "units": row[3],
            "total": to_decimal(row[4], row[5]),
            "currency": row[5],
            "created": wire_time(row[6]),
            "expires": wire_time(row[7]),
        }
        for row in tx.all(_OPEN, before=tx.now - older_than, customer=customer, after=after, most=most)
    ]


def release(tx: Transaction, order_id: str) -> bool:
    """Ends one checkout as if it had expired. False if it is no longer open. Raises `Refusal` (-2)."""
    if not order_id.startswith("ord_"):
        raise bad_field("order", f"{order_id!r} is not an order id")
    if not checkout.expire(tx, order_id):
        return False
    record(tx, OPERATOR, "checkout.release", order_id)
    return True
