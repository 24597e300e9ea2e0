"""Cancels undelivered goods: units of lines, whole lines, or all that is left of an order.

One transaction moves the line, returns the codes that it had claimed to stock, releases its money and writes its event.
A cancelled line is no longer in a supplier's queue (`queued` is cleared), so a later delivery finds a closed line;
`supplier_id` still says which supplier was asked. Locks: the order's row, stock levels by product id, the ledger
account.
"""

from collections.abc import Sequence

from bedesten import errors
from bedesten.audit.actions import Actor, record
from bedesten.catalogue import stock
from bedesten.errors import Refusal
from bedesten.ledger import actions as ledger
from bedesten.orders import actions, assignments
from bedesten.orders import statements as sql
from bedesten.orders.model import CANCELLED, DELIVERED, PLACED, PROCESSING, TAKEN_OUT, Line, Order
from bedesten.store.transaction import RetryTransaction, Transaction

OPEN = (PROCESSING, TAKEN_OUT)
"""Statuses in which units of a line can still be cancelled."""


def lock(tx: Transaction, order: Order) -> Order:
    """Locks the order's row and reads it again; other transactions that change the order wait until COMMIT."""
    tx.one(sql.LOCK, order_id=order.id)
    return actions.order_of(tx, order.buyer_id, order.id)


def cancel_units(tx: Transaction, order: Order, line: Line, actor: Actor, reason: str) -> Line:
    """Cancels the undelivered units of one line of a placed order, and releases their money.

    The line becomes cancelled, or delivered if a part of it was delivered before. The caller has locked the order's row
    and then read the line. Raises `Refusal` (-202) for a line that is delivered or cancelled.
    """
    return cancel_lines(tx, order, [line], actor, reason)[0]


def cancel_lines(tx: Transaction, order: Order, lines: Sequence[Line], actor: Actor, reason: str) -> list[Line]:
    """Cancels the undelivered units of several lines, like `cancel_units`; returns them in the same sequence."""
    closed = [line for line in lines if line.status not in OPEN]
    if closed or order.state != PLACED:
        raise not_cancellable(closed or lines)
    for line in sorted(lines, key=lambda one: (one.product_id, one.position)):
        _close(tx, order, line)
    amount = sum(line.unit_price * left(line) for line in lines)
    if amount:
        ledger.release(tx, order.id, amount)
    for line in lines:
        record(tx, actor, "line.cancel", line.id, units=left(line), reason=reason)
    now = {line.id: line for line in actions.lines_of(tx, order.id)}
    return [now[line.id] for line in lines]


def left(line: Line) -> int:
    """Returns how many units of a line are neither delivered nor cancelled."""
    return line.quantity - line.delivered - line.cancelled


def _close(tx: Transaction, order: Order, line: Line) -> None:
    """Moves the line, writes its event, and returns the codes that it had claimed."""
    statement, status = (sql.CANCEL_REST, DELIVERED) if line.delivered else (sql.CANCEL_LINE, CANCELLED)
    if not tx.run(statement, line=line.id, was=line.version, now=tx.now):
        raise RetryTransaction("the line was moved at this moment")
    assignments.end(tx, line.id, assignments.CANCELLED)
    if line.supplier_id is None:
        stock.put_back(tx, line.product_id, line.id)
    actions.write_event(tx, order, line, status)


def cancel(tx: Transaction, order: Order, wanted: Sequence[str], actor: Actor, reason: str) -> list[Line]:
    """Cancels the lines with these ids, or all undelivered units of a placed order; returns all of its lines.

    All or nothing. Lines that are cancelled already count as done, so that a repetition changes nothing. The caller has
    called `lock`. Raises `Refusal`: -3 for a line of another order, -202 if a named line is delivered, or if nothing of
    the order can be cancelled.
    """
    lines = actions.lines_of(tx, order.id)
    if set(wanted) - {line.id for line in lines}:
        raise Refusal(errors.NOT_FOUND, "the order has no such line", missing="order line")
    named = [line for line in lines if line.id in wanted] if wanted else lines
    delivered = [line for line in named if line.status == DELIVERED and not line.cancelled]
    still_open = [line for line in named if line.status in OPEN]
    if order.state != PLACED or len(delivered) == len(named) or (wanted and delivered):
        raise not_cancellable(delivered or named)
    if still_open:
        cancel_lines(tx, order, still_open, actor, reason)
    return actions.lines_of(tx, order.id)


def not_cancellable(lines: Sequence[Line]) -> Refusal:
    """Returns the refusal (-202) that names these lines with their statuses."""
    items = [{"orderDetailId": line.id, "deliverId": line.deliver_id, "status": line.status} for line in lines]
    return Refusal(errors.NOT_CANCELLABLE, f"{len(items)} lines are not open", data={"items": items})
