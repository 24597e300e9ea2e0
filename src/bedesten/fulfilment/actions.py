"""Lists a supplier's queue and delivers its lines."""

import json
from collections.abc import Sequence

from bedesten import errors
from bedesten.audit.actions import Actor, record
from bedesten.catalogue import stock
from bedesten.catalogue.code import StockCode
from bedesten.errors import Refusal
from bedesten.ledger import actions as ledger
from bedesten.orders import actions as orders
from bedesten.orders import statements as sql
from bedesten.orders.model import DELIVERED, PROCESSING, Line, Order
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher


def waiting_lines(tx: Transaction, supplier: str, after: str, size: int, since: int = 0) -> list[Line]:
    """Returns the lines that wait for the supplier, the longest waiting first: a page and one more.

    `after` is the `cursor_key` of the last line of the previous page. A line may enter the queue long after it was
    ordered (a checkout that is paid late), so a client that looks for new work starts at the first page again. Raises
    `Refusal` (-2) for an invalid cursor.
    """
    queued, _, line = after.partition("-")
    if after and not (queued.isascii() and queued.isdigit() and len(queued) <= 16):
        raise errors.bad_field("cursor", "not a cursor of this list")
    return tx.all(
        sql.WAITING_LINES, supplier=supplier, after_queued=int(queued or 0), after=line, most=size + 1, since=since
    )


def cursor_key(line: Line) -> str:
    """Returns the cursor of a waiting line: its position in the supplier's queue."""
    return f"{line.queued}-{line.id}"


def deliver(
    tx: Transaction, cipher: TenantCipher, supplier: str, line_id: str, codes: Sequence[StockCode], notes: Sequence[str]
) -> Line:
    """Delivers a waiting line with as many codes as it has units, or with notes alone (a top-up).

    The same codes again for a line that they have delivered change nothing. Raises `Refusal`: -3 for a line of another
    supplier; -500 if the line is not waiting, the number of codes is wrong, or a code was delivered before.
    """
    if not codes and not notes:
        raise errors.bad_field("deliveryData", "codes or a note are needed")
    line = tx.one(sql.LINE, line=line_id)
    if line is None or line.supplier_id != supplier or line.queued is None:
        raise Refusal(errors.NOT_FOUND, "no such line in this supplier's queue", missing="order line")
    note = json.dumps(list(notes), ensure_ascii=False, separators=(",", ":")) if notes else None
    if line.status == DELIVERED and line.note == note and stock.has_delivered_codes(tx, cipher, line.id, codes):
        return line
    order = tx.one(sql.ORDER_BY_ID, order_id=line.order_id)
    assert order is not None, "a line has an order"
    _check(line, codes)
    orders.deliver_line(tx, order, line, note)
    if not stock.deliver_new(tx, cipher, line.product_id, line.id, codes):
        raise Refusal(
            errors.NOT_DELIVERABLE, "a code was here before", fields={"deliveryData": "a code was used before"}
        )
    _book(tx, supplier, order, line)
    record(tx, Actor(supplier), "line.deliver", line.id, codes=len(codes))
    delivered = tx.one(sql.LINE, line=line_id)
    assert delivered is not None, "it was there a moment ago"
    return delivered


def _check(line: Line, codes: Sequence[StockCode]) -> None:
    if line.status != PROCESSING:
        raise Refusal(errors.NOT_DELIVERABLE, f"the line has status {line.status}")
    if codes and len(codes) != line.quantity:
        problem = f"the line has {line.quantity} units"
        raise Refusal(errors.NOT_DELIVERABLE, problem, fields={"deliveryData": problem})


def _book(tx: Transaction, supplier: str, order: Order, line: Line) -> None:
    ledger.capture(tx, order.id, line.price, line.id)
    if line.unit_cost:
        ledger.accrue_payable(tx, supplier, order.currency, line.unit_cost * line.quantity, line.id, order.id)
