"""Assignments: each time that an order line is given to a supplier, until it is delivered or taken away.

A line has at most one current assignment. It begins when the line is queued and ends with one outcome. A supplier whose
assignment ended may no longer deliver the line. The caller has locked the order's row.
"""

from dataclasses import dataclass

from sqlalchemy import func, select, update

from bedesten.core.clock import wire_time
from bedesten.orders.model import Line
from bedesten.orders.tables import line_assignments, line_deliveries
from bedesten.store.sql import TENANT, insert_of, p, rows_as, statement
from bedesten.store.transaction import Transaction
from bedesten.webhooks import actions as webhooks

DELIVERED, REJECTED, LATE, CANCELLED, REROUTED = "delivered", "rejected", "late", "cancelled", "rerouted"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A line given to a supplier. `unit_cost` is in minor units; times are in epoch ms; a current one has no `ended`."""

    id: str
    line_id: str
    supplier_id: str
    unit_cost: int | None
    queued: int
    accepted: int | None
    promised: int | None
    ended: int | None
    outcome: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class LineDelivery:
    """Units of a line that a supplier delivered in one call, by codes or by `note` alone (a JSON list)."""

    first: int
    units: int
    codes: int
    assignment_id: str
    note: str | None
    created: int


_A, _D = line_assignments.c, line_deliveries.c
_COLUMNS = (
    _A.id, _A.line_id, _A.supplier_id, _A.unit_cost, _A.queued, _A.accepted, _A.promised, _A.ended, _A.outcome,
    _A.reason,
)  # fmt: skip
_OPEN = insert_of(line_assignments)
_OF_LINE = rows_as(
    Assignment, select(*_COLUMNS).where(_A.tenant_id == TENANT, _A.line_id == p("line")).order_by(_A.queued, _A.id)
)
_BY_ID = rows_as(Assignment, select(*_COLUMNS).where(_A.tenant_id == TENANT, _A.id == p("assignment")))
_CURRENT = (_A.tenant_id == TENANT) & (_A.line_id == p("line")) & _A.ended.is_(None)
_ACCEPT = statement(
    update(line_assignments).where(_CURRENT).values(accepted=func.coalesce(_A.accepted, p("now")), promised=p("until"))
)
_END = statement(update(line_assignments).where(_CURRENT).values(ended=p("now"), outcome=p("result"), reason=p("why")))
_DELIVERED = insert_of(line_deliveries)
_DELIVERIES = rows_as(
    LineDelivery,
    select(_D.first, _D.units, _D.codes, _D.assignment_id, _D.note, _D.created)
    .where(_D.tenant_id == TENANT, _D.line_id == p("line"))
    .order_by(_D.first),
)


def begin(tx: Transaction, line: Line) -> None:
    """Assigns a line to the supplier for which it was just queued, and notifies the supplier (`order.awaiting`)."""
    assert line.supplier_id is not None, "a queued line has a supplier"
    assert line.queued is not None, "it was queued just now"
    row = {
        "id": tx.new_id("asg"),
        "line_id": line.id,
        "supplier_id": line.supplier_id,
        "unit_cost": line.unit_cost,
        "queued": line.queued,
    }
    tx.run(_OPEN, **row, **dict.fromkeys(("accepted", "promised", "ended", "outcome", "reason")))
    body = {
        "orderDetailId": line.id,
        "productId": line.product_id,
        "productName": line.product_name,
        "quantity": line.quantity - line.delivered - line.cancelled,
        "queued": wire_time(line.queued),
        "deadline": None if line.deadline is None else wire_time(line.deadline),
    }
    webhooks.notify(tx, line.supplier_id, "order.awaiting", line.id, body)


def accept(tx: Transaction, line: str, promised: int | None) -> None:
    """Records, once, that the supplier accepted the line and by when it will deliver."""
    tx.run(_ACCEPT, line=line, until=promised, now=tx.now)


def end(tx: Transaction, line: str, outcome: str, reason: str | None = None) -> bool:
    """Ends the current assignment of a line. Returns False if it has none."""
    return bool(tx.run(_END, line=line, result=outcome, why=reason, now=tx.now))


def assignments_of(tx: Transaction, line: str) -> list[Assignment]:
    """Returns every assignment of a line, the oldest first."""
    return tx.all(_OF_LINE, line=line)


def assignment_of(tx: Transaction, assignment: str) -> Assignment:
    """Returns the assignment with this id, which exists: assignments are never deleted."""
    found = tx.one(_BY_ID, assignment=assignment)
    assert found is not None, "assignments are never deleted"
    return found


def current_of(tx: Transaction, line: str) -> Assignment | None:
    """Returns the assignment of a line that has not ended."""
    return next((one for one in assignments_of(tx, line) if one.ended is None), None)


def latest_of(tx: Transaction, line: str, supplier: str) -> Assignment | None:
    """Returns the supplier's latest assignment of a line; None if it never had the line."""
    found = [one for one in assignments_of(tx, line) if one.supplier_id == supplier]
    return found[-1] if found else None


def supplier_of_unit(tx: Transaction, line: str, unit: int) -> Assignment | None:
    """Returns the assignment under which a supplier delivered this unit of a line; None for a unit from stock."""
    for one in deliveries_of(tx, line):
        if one.first <= unit < one.first + one.units:
            return next(each for each in assignments_of(tx, line) if each.id == one.assignment_id)
    return None


def note_delivery(tx: Transaction, line: str, delivery: LineDelivery) -> None:
    """Records what a supplier delivered of a line, once for each first unit."""
    tx.run(_DELIVERED, line_id=line, **{name: getattr(delivery, name) for name in delivery.__slots__})


def deliveries_of(tx: Transaction, line: str) -> list[LineDelivery]:
    """Returns what suppliers delivered of a line, by first unit."""
    return tx.all(_DELIVERIES, line=line)
