"""Lists a supplier's queue; the supplier accepts, delivers or rejects its lines."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from bedesten import errors
from bedesten.audit.actions import Actor, record
from bedesten.catalogue import batches, stock, suppliers, units
from bedesten.catalogue.code import StockCode
from bedesten.core.clock import DAY
from bedesten.errors import Refusal, bad_field
from bedesten.fulfilment import routing
from bedesten.ledger import actions as ledger
from bedesten.orders import actions as orders
from bedesten.orders import assignments
from bedesten.orders import statements as sql
from bedesten.orders.assignments import Assignment, LineDelivery
from bedesten.orders.model import PROCESSING, Line, Order
from bedesten.store.transaction import Transaction
from bedesten.tenants.cipher import TenantCipher

MAX_NOTES = 20
"""Notes that all deliveries of a line may have together."""
MAX_PROMISE_MS = 30 * DAY


@dataclass(frozen=True, slots=True)
class SupplierLine:
    """A line after a call of a supplier. `assigned` says whether it still waits for that supplier.

    `stocked` counts the codes of a late delivery that were put into stock, `batch_id` names their batch.
    """

    line: Line
    assigned: bool
    stocked: int = 0
    batch_id: str | None = None

    @property
    def left(self) -> int:
        """Returns how many units the supplier still has to deliver."""
        return routing.left(self.line) if self.assigned else 0


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


# --- accepting and rejecting ------------------------------------------------------------------------------------------


def accept(tx: Transaction, supplier: str, line_id: str, promised: int | None = None) -> SupplierLine:
    """Accepts a waiting line, once, and optionally promises to deliver it by a time (epoch ms).

    A different time before the line's deadline replaces the promise; the same call again, or one without a time,
    changes nothing. Raises `Refusal`: -3 for a line that the supplier never had, -501 if it no longer has it, -8 if the
    deadline has passed, -2 for a time that is past or later than the line may take.
    """
    _, line, mine = _locked(tx, supplier, line_id)
    if not _is_open(line, mine):
        raise _not_assigned(line)
    if mine.accepted is None:
        _accept(tx, line, promised)
        record(tx, Actor(supplier), "line.accept", line.id, promised=promised)
    elif promised is not None and mine.promised != promised:
        if line.deadline is not None and line.deadline <= tx.now:
            raise Refusal(errors.CONFLICT, "the deadline has passed", fields={"promisedBy": "the deadline has passed"})
        _accept(tx, line, promised)
        record(tx, Actor(supplier), "line.promise", line.id, before=mine.promised, promised=promised)
    return _result(tx, line_id, assigned=True)


def _accept(tx: Transaction, line: Line, promised: int | None) -> None:
    """Moves the deadline to the promised time, or to the time to deliver."""
    assert line.supplier_id is not None, "a waiting line has a supplier"
    assert line.queued is not None, "a waiting line is queued"
    within = suppliers.sourcing_of(tx, line.product_id).deliver_within
    within = within or suppliers.settings_of(tx, line.supplier_id).deliver_within
    latest = None if within is None else line.queued + within
    if promised is not None and promised <= tx.now:
        raise bad_field("promisedBy", "must be in the future")
    if promised is not None and promised > (latest or (line.accepted or tx.now) + MAX_PROMISE_MS):
        raise bad_field("promisedBy", "is later than the line may take")
    assignments.accept(tx, line.id, promised)
    tx.run(sql.ACCEPT_LINE, line=line.id, until=promised, new_deadline=promised or latest, now=tx.now)


def reject(tx: Transaction, supplier: str, line_id: str, reason: str) -> SupplierLine:
    """Gives back a waiting line, or what is left of it: the next supplier gets it, see `routing.route`.

    The same call again changes nothing. Raises `Refusal`: -3 for a line that the supplier never had, -501 if it no longer
    has it.
    """
    order, line, mine = _locked(tx, supplier, line_id)
    if mine.outcome == assignments.REJECTED:
        return SupplierLine(line, assigned=False)
    if not _is_open(line, mine):
        raise _not_assigned(line)
    record(tx, Actor(supplier), "line.reject", line.id, reason=reason)
    routing.take_away(tx, order, line, assignments.REJECTED, reason, Actor(supplier))
    return _result(tx, line_id, assigned=False)


# --- delivering -------------------------------------------------------------------------------------------------------


def deliver(
    tx: Transaction, cipher: TenantCipher, supplier: str, line_id: str, codes: Sequence[StockCode], notes: Sequence[str]
) -> SupplierLine:
    """Delivers codes for some or all of the units that a waiting line still needs, or all of them with notes alone.

    The same delivery again changes nothing. Codes for a line that the supplier no longer has go to stock, as a batch of
    the supplier: it earns with them when they are sold. Raises `Refusal`: -3 for a line that the supplier never had; -500
    if the line was delivered or is held, there are too many codes, or a code was delivered before; -501 for notes alone
    if the supplier no longer has the line.
    """
    if not codes and not notes:
        raise bad_field("deliveryData", "codes or a note are needed")
    order, line, mine = _locked(tx, supplier, line_id)
    note = json.dumps(list(notes), ensure_ascii=False, separators=(",", ":")) if notes else None
    if _is_repeated(tx, cipher, mine, codes, note):
        return SupplierLine(line, assigned=_is_open(line, mine))
    if mine.ended is not None and mine.outcome != assignments.DELIVERED:
        if not codes:
            raise _not_assigned(line)
        return keep(tx, cipher, line, mine, codes, "Supplier/Orders/Deliver")
    _check(line, codes)
    _deliver(tx, cipher, order, line, mine, codes, notes)
    record(tx, Actor(supplier), "line.deliver", line.id, codes=len(codes))
    done = _result(tx, line_id, assigned=True)
    return done if routing.left(done.line) else SupplierLine(done.line, assigned=False)


def _is_repeated(
    tx: Transaction, cipher: TenantCipher, mine: Assignment, codes: Sequence[StockCode], note: str | None
) -> bool:
    """Reports whether an earlier call of the supplier delivered exactly this."""
    similar = [
        one
        for one in assignments.deliveries_of(tx, mine.line_id)
        if one.assignment_id == mine.id and one.note == note and one.codes == len(codes)
    ]
    if not similar or not codes:
        return bool(similar)
    had = stock.delivered_codes(tx, cipher, mine.line_id)
    replaced = units.replaced_codes(tx, cipher, mine.line_id)
    return any(_is_same(had[one.first : one.first + one.codes], replaced, codes) for one in similar)


def _is_same(had: Sequence[StockCode], replaced: Sequence[StockCode], codes: Sequence[StockCode]) -> bool:
    """Reports whether these codes were delivered: each is still in its place, or was replaced since."""
    left = list(replaced)
    for present, code in zip(had, codes, strict=True):
        if present != code:
            if code not in left:
                return False
            left.remove(code)
    return True


def _check(line: Line, codes: Sequence[StockCode]) -> None:
    if line.status != PROCESSING:
        raise Refusal(errors.NOT_DELIVERABLE, f"the line has status {line.status}")
    left = routing.left(line)
    if len(codes) > left:
        problem = f"the line needs {left} more units"
        raise Refusal(errors.NOT_DELIVERABLE, problem, fields={"deliveryData": problem})
    if not codes and line.delivered:
        problem = "a line that was delivered in part needs codes for the rest"
        raise Refusal(errors.NOT_DELIVERABLE, problem, fields={"deliveryData": problem})


def _deliver(
    tx: Transaction,
    cipher: TenantCipher,
    order: Order,
    line: Line,
    mine: Assignment,
    codes: Sequence[StockCode],
    notes: Sequence[str],
) -> None:
    """Moves the line, stores the codes and books the money of one delivery."""
    units, part = len(codes) or routing.left(line), line.id
    if units < routing.left(line):
        if mine.accepted is None:
            _accept(tx, line, None)
        orders.deliver_part(tx, order, line, units, _joined(line, notes))
    else:
        orders.deliver_line(tx, order, line, _joined(line, notes))
        assignments.end(tx, line.id, assignments.DELIVERED)
    if line.delivered or units < routing.left(line):
        part = f"{line.id}:{line.delivered}"
    if codes and not stock.deliver_new(
        tx, cipher, line.product_id, stock.Place(line.id, line.delivered, line.quantity), codes
    ):
        raise Refusal(
            errors.NOT_DELIVERABLE, "a code was here before", fields={"deliveryData": "a code was used before"}
        )
    note = json.dumps(list(notes), ensure_ascii=False, separators=(",", ":")) if notes else None
    assignments.note_delivery(tx, line.id, LineDelivery(line.delivered, units, len(codes), mine.id, note, tx.now))
    ledger.capture(tx, order.id, line.unit_price * units, part)
    if mine.unit_cost:
        ledger.accrue_payable(tx, mine.supplier_id, order.currency, mine.unit_cost * units, part, order.id)


def _joined(line: Line, notes: Sequence[str]) -> str | None:
    """Returns the notes of all deliveries of the line as a JSON list. Raises `Refusal` (-2) if they are too many."""
    joined = [*(json.loads(line.note) if line.note else ()), *notes]
    if len(joined) > MAX_NOTES:
        raise bad_field("deliveryNote", f"all deliveries of a line may have {MAX_NOTES} notes")
    return json.dumps(joined, ensure_ascii=False, separators=(",", ":")) if joined else None


def keep(
    tx: Transaction, cipher: TenantCipher, line: Line, mine: Assignment, codes: Sequence[StockCode], source_name: str
) -> SupplierLine:
    """Puts the codes of a late delivery into stock, except codes that the shop already has."""
    source = batches.Source(
        source_name,
        mine.supplier_id,
        supplier=mine.supplier_id,
        unit_cost=mine.unit_cost,
        note=f"came too late for line {line.id}",
    )
    done = batches.add(tx, cipher, line.product_id, codes, source)
    record(tx, Actor(mine.supplier_id), "line.deliver_late", line.id, added=done.added, batch=done.batch_id)
    return SupplierLine(line, assigned=False, stocked=done.added, batch_id=done.batch_id)


def _locked(tx: Transaction, supplier: str, line_id: str) -> tuple[Order, Line, Assignment]:
    """Locks the line's order and returns it with the line and the supplier's latest assignment. Raises `Refusal` (-3)."""
    found = routing.locked(tx, line_id)
    mine = assignments.latest_of(tx, line_id, supplier) if found else None
    if found is None or mine is None:
        raise Refusal(errors.NOT_FOUND, "this supplier never had such a line", missing="order line")
    return (*found, mine)


def _is_open(line: Line, mine: Assignment) -> bool:
    return line.status == PROCESSING and mine.ended is None


def _result(tx: Transaction, line_id: str, *, assigned: bool) -> SupplierLine:
    line = tx.one(sql.LINE, line=line_id)
    assert line is not None, "it was there a moment ago"
    return SupplierLine(line, assigned)


def _not_assigned(line: Line) -> Refusal:
    """Returns the refusal (-501) that names the line's state."""
    data = {"orderDetailId": line.id, "status": line.status}
    return Refusal(errors.NOT_ASSIGNED, f"the line has status {line.status} and another supplier, or none", data=data)
