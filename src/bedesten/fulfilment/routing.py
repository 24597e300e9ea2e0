"""Routes lines from one supplier to the next: after a rejection, after a missed deadline, or as the operator says.

A line goes to the suppliers of its product in their order (`catalogue.suppliers`), and never automatically to the same
one twice. If none is left, the line is cancelled and its money released, or held for the operator if the product says
so.
"""

from bedesten import errors
from bedesten.audit.actions import Actor, record
from bedesten.catalogue import suppliers
from bedesten.catalogue.suppliers import Candidate
from bedesten.errors import Refusal
from bedesten.fulfilment import quality
from bedesten.orders import actions as orders
from bedesten.orders import assignments, cancel, hold
from bedesten.orders import statements as sql
from bedesten.orders.model import PROCESSING, TAKEN_OUT, UNSOURCED, Line, Order
from bedesten.store.transaction import RetryTransaction, SystemTransaction, Transaction

SYSTEM = Actor("system")
NOT_ACCEPTED, NOT_DELIVERED = "not accepted in time", "not delivered in time"
"""Reasons for which a deadline takes a line away."""


def left(line: Line) -> int:
    """Returns how many units of the line are neither delivered nor cancelled."""
    return line.quantity - line.delivered - line.cancelled


def locked(tx: Transaction, line_id: str) -> tuple[Order, Line] | None:
    """Locks the order of a line, then reads and returns both; None if there is no such line."""
    named = tx.one(sql.LINE, line=line_id)
    if named is None:
        return None
    tx.one(sql.LOCK, order_id=named.order_id)
    order, line = tx.one(sql.ORDER_BY_ID, order_id=named.order_id), tx.one(sql.LINE, line=line_id)
    assert order is not None, "a line has an order"
    assert line is not None, "lines are never deleted"
    return order, line


def overdue(tx: SystemTransaction, most: int = 100) -> list[tuple[str, str]]:
    """Returns tenant and line of the lines whose supplier missed the deadline, the longest overdue first."""
    return [(row[0], row[1]) for row in tx.all(sql.OVERDUE_LINES, now=tx.now, most=most)]


def enforce_deadline(tx: Transaction, line_id: str) -> bool:
    """Takes a line away from the supplier that missed its deadline. Returns False if the line moved in the meantime."""
    found = locked(tx, line_id)
    if found is None:
        return False
    order, line = found
    if line.status != PROCESSING or line.queued is None or line.deadline is None or line.deadline > tx.now:
        return False
    reason = NOT_DELIVERED if line.accepted is not None else NOT_ACCEPTED
    record(tx, SYSTEM, "line.late", line.id, supplier=line.supplier_id, reason=reason)
    take_away(tx, order, line, assignments.LATE, reason, SYSTEM)
    return True


def take_away(tx: Transaction, order: Order, line: Line, outcome: str, reason: str, actor: Actor) -> None:
    """Ends the current assignment of a waiting line and routes the line to the next supplier.

    The caller has locked the order's row. A supplier that fails too often is paused in the same transaction.
    """
    supplier = line.supplier_id
    assert supplier is not None, "a waiting line has a supplier"
    chosen = next(iter(_untried(tx, line)), None)
    assignments.end(tx, line.id, outcome, reason)
    if chosen is not None:
        _assign(tx, line, chosen)
    elif suppliers.sourcing_of(tx, line.product_id).hold_unsourced:
        _hold(tx, order, line)
    else:
        cancel.cancel_units(tx, order, line, actor, reason)
    quality.pause_if_failing(tx, supplier)


def reroute(tx: Transaction, line_id: str, to: str | None, actor: Actor) -> Line:
    """Gives a waiting or unsourced line to another supplier: `to`, or the next one that has not had it yet.

    Raises `Refusal`: -3 for an unknown line, -8 if the line's state does not allow it or no such supplier can be asked.
    """
    found = locked(tx, line_id)
    if found is None:
        raise Refusal(errors.NOT_FOUND, "no such line", missing="order line")
    order, line = found
    unsourced = line.hold == UNSOURCED
    if not unsourced and (line.status != PROCESSING or line.queued is None):
        raise Refusal(
            errors.CONFLICT, f"line {line.id} waits for no supplier", fields={"line": "it waits for no supplier"}
        )
    current = None if unsourced else line.supplier_id
    chosen = _chosen(tx, line, to, current)
    if chosen is None:
        problem = "no other supplier can be asked" if to is None else "this supplier cannot be asked for it, or has it"
        raise Refusal(errors.CONFLICT, f"line {line.id}: {problem}", fields={"supplier": problem})
    record(tx, actor, "line.reroute", line.id, before=current, supplier=chosen.supplier_id)
    if unsourced:
        hold.release_to(tx, order, line, chosen)
    else:
        assignments.end(tx, line.id, assignments.REROUTED)
        _assign(tx, line, chosen)
    moved = tx.one(sql.LINE, line=line_id)
    assert moved is not None, "it was there a moment ago"
    return moved


def _chosen(tx: Transaction, line: Line, to: str | None, current: str | None) -> Candidate | None:
    if to is None:
        return next(iter(_untried(tx, line)), None)
    asked = suppliers.candidates(tx, line.product_id, line.unit_price)
    return next((one for one in asked if one.supplier_id == to and to != current), None)


def waiting_for(tx: Transaction, product: str = "", supplier: str = "") -> list[Line]:
    """Returns the lines of a product (or of all) that wait for a supplier, or for this one, the longest waiting first."""
    return tx.all(sql.WAITING_LINES_OF_PRODUCT, product=product, supplier=supplier)


def _untried(tx: Transaction, line: Line) -> list[Candidate]:
    tried = {one.supplier_id for one in assignments.assignments_of(tx, line.id)}
    asked = suppliers.candidates(tx, line.product_id, line.unit_price)
    return [one for one in asked if one.supplier_id not in tried]


def _assign(tx: Transaction, line: Line, chosen: Candidate) -> None:
    done = tx.run(
        sql.REROUTE_LINE,
        line=line.id,
        supplier=chosen.supplier_id,
        cost=chosen.cost,
        new_deadline=chosen.first_deadline(tx.now),
        now=tx.now,
    )
    assert done, "the order's row is locked by the caller"
    _begin(tx, line.id)


def _begin(tx: Transaction, line_id: str) -> None:
    queued = tx.one(sql.LINE, line=line_id)
    assert queued is not None, "it was changed just now"
    assignments.begin(tx, queued)


def _hold(tx: Transaction, order: Order, line: Line) -> None:
    if not tx.run(sql.HOLD_UNSOURCED, line=line.id, was=line.version, now=tx.now):
        raise RetryTransaction("the line was moved at this moment")
    orders.write_event(tx, order, line, TAKEN_OUT)
