"""Takes lines out of processing and puts them back: the operator's holds, and releases after a review.

A held line keeps its money and its claimed codes. Its supplier cannot deliver it and does not see it. On release it
goes to the end of the supplier's queue or, if its codes come from stock, is delivered. Locks: the order's row, stock
levels by product id, the ledger account.
"""

from collections.abc import Sequence

from bedesten import errors
from bedesten.audit.actions import Actor, record
from bedesten.catalogue import stock, suppliers
from bedesten.catalogue.suppliers import Candidate
from bedesten.errors import Refusal
from bedesten.ledger import actions as ledger
from bedesten.orders import actions, assignments
from bedesten.orders import statements as sql
from bedesten.orders.model import DELIVERED, PLACED, PROCESSING, TAKEN_OUT, Line, Order
from bedesten.store.transaction import RetryTransaction, Transaction

BY_OPERATOR = "operator"
"""The `hold` of a line that the operator took out; `review:…` names a rule."""


def hold(tx: Transaction, order: Order, wanted: Sequence[str], actor: Actor, reason: str) -> list[Line]:
    """Takes lines, or all that are being processed, out of processing; returns all lines of the order.

    Lines that are held already count as done. The caller has locked the order's row. Raises `Refusal`: -3 for a line of
    another order, -8 if a named line is closed, or if no line of the order is being processed.
    """
    for line in _chosen(tx, order, wanted, PROCESSING, TAKEN_OUT):
        hold_line(tx, order, line, BY_OPERATOR)
        record(tx, actor, "line.hold", line.id, reason=reason)
    return actions.lines_of(tx, order.id)


def hold_line(tx: Transaction, order: Order, line: Line, why: str) -> None:
    """Takes one line of a placed order out of processing and writes its event."""
    if not tx.run(sql.HOLD_LINE, line=line.id, was=line.version, why=why, now=tx.now):
        raise RetryTransaction("the line was moved at this moment")
    actions.write_event(tx, order, line, TAKEN_OUT)


def release(tx: Transaction, order: Order, wanted: Sequence[str], actor: Actor, reason: str) -> list[Line]:
    """Releases lines, or all that are held; returns all lines of the order.

    Lines that are no longer held count as done. The caller has locked the order's row. Raises `Refusal`: -3 for a line
    of another order, -8 if a named line is cancelled, or if nothing of the order is held.
    """
    for line in _chosen(tx, order, wanted, TAKEN_OUT, PROCESSING, DELIVERED):
        if line.supplier_id is None:
            _deliver(tx, order, line)
        else:
            _queue(tx, order, line)
        record(tx, actor, "line.release", line.id, reason=reason)
    return actions.lines_of(tx, order.id)


def _chosen(tx: Transaction, order: Order, wanted: Sequence[str], source: int, *done: int) -> list[Line]:
    """Returns the lines to move, by product id. Raises `Refusal`: -3, -8."""
    lines = actions.lines_of(tx, order.id)
    if set(wanted) - {line.id for line in lines}:
        raise Refusal(errors.NOT_FOUND, "the order has no such line", missing="order line")
    named = [line for line in lines if line.id in wanted] if wanted else lines
    wrong = [line for line in named if line.status not in (source, *done)]
    nothing = not any(line.status in (source, *done[:1]) for line in named)
    if order.state != PLACED or (wanted and wrong) or nothing:
        problem = "the order is not paid" if order.state != PLACED else "a line has another status"
        raise Refusal(errors.CONFLICT, problem)
    return sorted((line for line in named if line.status == source), key=lambda one: (one.product_id, one.position))


def _queue(tx: Transaction, order: Order, line: Line) -> None:
    assert line.supplier_id is not None, "the caller has looked"
    current = assignments.current_of(tx, line.id)
    if current is None:
        chosen = actions.choose_supplier(tx, line, line.supplier_id)
    else:  # the supplier still has the held line
        accepted = line.accepted is not None
        chosen = suppliers.with_line(tx, line.product_id, current.supplier_id, current.unit_cost, accepted=accepted)
    release_to(tx, order, line, chosen)


def release_to(tx: Transaction, order: Order, line: Line, chosen: Candidate) -> None:
    """Puts a held line into the queue of a supplier, which gets an assignment unless it still has the line."""
    done = tx.run(
        sql.RELEASE_LINE,
        line=line.id,
        was=line.version,
        supplier=chosen.supplier_id,
        cost=line.unit_cost if assignments.current_of(tx, line.id) else chosen.cost,
        new_deadline=chosen.first_deadline(tx.now),
        now=tx.now,
    )
    if not done:
        raise RetryTransaction("the line was moved at this moment")
    if assignments.current_of(tx, line.id) is None:
        queued = tx.one(sql.LINE, line=line.id)
        assert queued is not None, "it was changed just now"
        assignments.begin(tx, queued)
    actions.write_event(tx, order, line, PROCESSING)


def _deliver(tx: Transaction, order: Order, line: Line) -> None:
    """Delivers the claimed codes of a line from stock and captures its money."""
    if not tx.run(sql.RELEASE_DELIVERED, line=line.id, was=line.version, now=tx.now):
        raise RetryTransaction("the line was moved at this moment")
    got = stock.deliver_claimed(tx, line.id)
    assert got == line.quantity, "a held line from stock has claimed its codes"
    actions.write_event(tx, order, line, DELIVERED)
    ledger.capture(tx, order.id, line.price, line.id)
    actions.accrue_stock_payables(tx, order, line)
