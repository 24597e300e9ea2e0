"""Plans purchases, leases them to a worker, and decides which call is next; `booking` books the answers.

A purchase that a worker holds is leased: `next_at` is set to a later time by the database's clock. The worker renews
its leases while it works; those of a worker that dies end by themselves within `LEASE`. Every lease has a number, and a
worker whose number is not the current one books nothing and buys nothing.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import and_, func, or_, select, update

from bedesten.accounts.tables import accounts
from bedesten.audit.actions import Actor, record
from bedesten.catalogue.tables import supplier_connections
from bedesten.connectors import connections
from bedesten.connectors.adapter import PurchaseRequest, Target
from bedesten.connectors.moves import ORDERED, PLACING, PLANNED, PURCHASE
from bedesten.connectors.tables import purchases
from bedesten.core.clock import MINUTE, SECOND
from bedesten.fulfilment import actions as fulfilment
from bedesten.fulfilment import routing
from bedesten.orders import assignments
from bedesten.orders.assignments import Assignment
from bedesten.orders.model import PROCESSING, Line, Order
from bedesten.orders.tables import line_assignments, order_lines
from bedesten.store.database_clock import DATABASE_NOW
from bedesten.store.sql import (
    TENANT,
    any_value,
    cross_tenant,
    cross_tenant_rows_as,
    insert_of,
    move_of,
    p,
    rows_as,
    statement,
)
from bedesten.store.transaction import SystemTransaction, Transaction
from bedesten.tenants.cipher import TenantCipher

LEASE = 10 * SECOND
"""Time after which another worker takes over the purchases of a dead one; a living worker renews its leases."""
HELD_DELAY = MINUTE
"""Delay before a blocked purchase is tried again: one whose line is held or whose supplier is disabled."""
WORKER = Actor("worker")
PLACE, POLL, CANCEL = "place", "poll", "cancel"
"""Calls of an adapter."""
_NAMESPACE = uuid.UUID("5f0c2a53-8b1d-4c57-9a36-0d5b8f6f1c11")


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase as it is stored; `tables` describes it."""

    id: str
    assignment_id: str
    line_id: str
    supplier_id: str
    reference: str
    external_id: str
    face_value: str | None
    quantity: int
    unit_cost: int
    currency: str
    state: int
    lease: int
    attempts: int
    placed: int | None
    cancel_sent: int | None
    external_order: str | None
    charged: int | None
    last_error: str | None
    created: int
    updated: int

    @property
    def request(self) -> PurchaseRequest:
        """What the adapter is asked to buy."""
        value = None if self.face_value is None else Decimal(self.face_value)
        return PurchaseRequest(self.reference, self.external_id, value, self.quantity, self.currency)


@dataclass(frozen=True, slots=True)
class Lease:
    """A purchase that this worker may work on until its lease ends."""

    tenant_id: str
    purchase_id: str
    supplier_id: str
    line_id: str
    number: int

    @property
    def id(self) -> str:
        """The id of the purchase."""
        return self.purchase_id


@dataclass(frozen=True, slots=True)
class Job:
    """The next call for a leased purchase."""

    call: str
    adapter: str
    target: Target
    purchase: Purchase


_P, _N, _A, _L = purchases.c, supplier_connections.c, line_assignments.c, order_lines.c
COLUMNS = (
    _P.id, _P.assignment_id, _P.line_id, _P.supplier_id, _P.reference, _P.external_id, _P.face_value, _P.quantity,
    _P.unit_cost, _P.currency, _P.state, _P.lease, _P.attempts, _P.placed, _P.cancel_sent, _P.external_order, _P.charged,
    _P.last_error, _P.created, _P.updated,
)  # fmt: skip
_UNPLANNED = cross_tenant(
    select(_A.tenant_id, _A.id)
    .select_from(
        line_assignments.join(
            supplier_connections, and_(_N.tenant_id == _A.tenant_id, _N.supplier_id == _A.supplier_id)
        )
        .join(order_lines, and_(_L.tenant_id == _A.tenant_id, _L.id == _A.line_id))
        .outerjoin(purchases, and_(_P.tenant_id == _A.tenant_id, _P.assignment_id == _A.id))
    )
    .where(_A.ended.is_(None), _N.ended.is_(None), _L.status == PROCESSING, _P.id.is_(None))
    .order_by(_A.queued, _A.id)
    .limit(p("most"))
)
_INSERT = insert_of(purchases, or_ignore=True, next_at=DATABASE_NOW)
_DUE = cross_tenant_rows_as(
    Lease,
    select(_P.tenant_id, _P.id, _P.supplier_id, _P.line_id, _P.lease + 1)
    .select_from(
        purchases.join(supplier_connections, and_(_N.tenant_id == _P.tenant_id, _N.supplier_id == _P.supplier_id))
    )
    .where(
        or_(_P.state == PLANNED, _P.state == PLACING, _P.state == ORDERED),
        _P.next_at <= DATABASE_NOW,
        or_(_N.resting_until.is_(None), _N.resting_until <= DATABASE_NOW),
    )
    .order_by(_P.next_at, _P.id)
    .limit(p("most"))
    .with_for_update(skip_locked=True, of=purchases),
)
_NEXT_DUE = cross_tenant(
    select(_P.id)
    .where(or_(_P.state == PLANNED, _P.state == PLACING, _P.state == ORDERED), _P.next_at <= DATABASE_NOW)
    .limit(1)
)
_LEASE = statement(
    update(purchases)
    .where(_P.tenant_id == TENANT, _P.id == p("id"))
    .values(lease=_P.lease + 1, next_at=DATABASE_NOW + LEASE)
)
_ROW = _P.id == p("id")
_MINE = _P.lease == p("number")
ONE = rows_as(Purchase, select(*COLUMNS).where(_P.tenant_id == TENANT, _ROW))
OF_LINE = rows_as(
    Purchase, select(*COLUMNS).where(_P.tenant_id == TENANT, _P.line_id == p("line")).order_by(_P.created, _P.id)
)
OF_TENANT = rows_as(
    Purchase,
    select(*COLUMNS)
    .where(
        _P.tenant_id == TENANT,
        or_(p("supplier") == "", _P.supplier_id == p("supplier")),
        or_(p("only") == -1, _P.state == p("only")),
    )
    .order_by(_P.id.desc())
    .limit(p("most")),
)
_RENEW = statement(
    update(purchases)
    .where(
        _P.tenant_id == TENANT,
        _ROW,
        _MINE,
        or_(_P.state == PLANNED, _P.state == PLACING, _P.state == ORDERED),
        _P.next_at <= DATABASE_NOW + LEASE,
    )
    .values(next_at=DATABASE_NOW + LEASE)
)
_DISABLED = statement(select(accounts.c.disabled).where(accounts.c.tenant_id == TENANT, accounts.c.id == p("supplier")))
_SENT = move_of(
    PURCHASE,
    "place",
    _P.state,
    _ROW,
    _MINE,
    placed=p("now"),
    next_at=DATABASE_NOW + LEASE,
    attempts=0,
    updated=p("now"),
)
_WITHDRAW = move_of(PURCHASE, "withdraw", _P.state, _ROW, _MINE, updated=p("now"))
_REFUSE = move_of(PURCHASE, "refuse", _P.state, _ROW, _MINE, last_error=p("why"), updated=p("now"))
_LATER = statement(
    update(purchases)
    .where(_P.tenant_id == TENANT, _ROW, _MINE)
    .values(next_at=DATABASE_NOW + p("delay"), updated=p("now"))
)
_OPEN_COUNT = cross_tenant(
    select(func.count())
    .select_from(purchases)
    .where(or_(_P.state == PLANNED, _P.state == PLACING, _P.state == ORDERED), any_value(_P.next_at))
)


def unplanned(tx: SystemTransaction, most: int = 100) -> list[tuple[str, str]]:
    """Returns tenant and id of assignments whose supplier is called and for which no purchase is planned yet."""
    return [(row[0], row[1]) for row in tx.all(_UNPLANNED, most=most)]


def open_count(tx: SystemTransaction) -> int:
    """Returns how many purchases have no final answer yet, over all tenants."""
    row = tx.one(_OPEN_COUNT)
    return int(row[0]) if row else 0


def plan(tx: Transaction, assignment_id: str) -> bool:
    """Plans the purchase of an assignment, once, or gives back a line that cannot be bought.

    Returns False if it did neither.
    """
    mine = assignments.assignment_of(tx, assignment_id)
    order, line = _locked(tx, mine.line_id)
    mine = assignments.assignment_of(tx, assignment_id)
    if mine.ended is not None or line.status != PROCESSING:
        return False
    product = connections.product_id_of(tx, mine.supplier_id, line.product_id)
    problem = _problem(line, mine, known=product is not None)
    if problem or product is None:
        fulfilment.reject(tx, mine.supplier_id, line.id, problem)
        return True
    row = {
        "id": tx.new_id("pur"),
        "assignment_id": mine.id,
        "line_id": line.id,
        "supplier_id": mine.supplier_id,
        "reference": reference_of(tx.tenant, mine.id),
        "external_id": product.external_id,
        "face_value": product.face_value,
        "quantity": routing.left(line),
        "unit_cost": mine.unit_cost,
        "currency": order.currency,
    }
    absent = dict.fromkeys(("placed", "cancel_sent", "external_order", "charged", "last_error"))
    state = PURCHASE["plan"].target
    times = {"created": tx.now, "updated": tx.now, "at": tx.at}
    return bool(tx.run(_INSERT, **row, **absent, **times, state=state, lease=0, attempts=0))


def reference_of(tenant: str, assignment: str) -> str:
    """Returns our reference of a purchase at the supplier: always the same GUID for an assignment.

    If a store restored from a backup has lost the purchase, it buys under the same reference again, and the supplier
    refuses.
    """
    return str(uuid.uuid5(_NAMESPACE, f"{tenant}:{assignment}"))


def _problem(line: Line, mine: Assignment, *, known: bool) -> str:
    """Returns why a line cannot be bought, or ""."""
    if not known:
        return "no product id of the supplier is known"
    if mine.unit_cost is None:
        return "no cost was agreed"
    if line.require_data != "[]":
        return "details of the buyer are needed, which this supplier does not take"
    return ""


def is_any_due(tx: SystemTransaction) -> bool:
    """Reports whether `lease` may find a purchase; only reads, so that an idle worker does not write."""
    return tx.one(_NEXT_DUE, at=tx.at) is not None


def lease(tx: SystemTransaction, most: int) -> list[Lease]:
    """Leases due purchases, the longest waiting first."""
    leased = tx.all(_DUE, at=tx.at, most=most)
    for one in leased:
        tx.for_tenant(one.tenant_id).run(_LEASE, id=one.purchase_id, at=tx.at)
    return leased


def renew(tx: SystemTransaction, leased: Iterable[Lease]) -> None:
    """Renews leases that are still this worker's."""
    for one in leased:
        tx.for_tenant(one.tenant_id).run(_RENEW, id=one.purchase_id, number=one.number, at=tx.at)


def begin(tx: Transaction, cipher: TenantCipher, leased: Lease) -> Job | None:
    """Returns the next call for a leased purchase; takes a step that needs no call itself and returns None."""
    _, line = _locked(tx, leased.line_id)
    purchase = held_by(tx, leased)
    if purchase is None:
        return None
    connection = connections.connection_of(tx, purchase.supplier_id)
    taken_away = assignments.assignment_of(tx, purchase.assignment_id).ended is not None
    if connection is None or connection.credential is None:
        _later(tx, leased)
        return None
    if purchase.state == PLANNED:
        if taken_away:
            _withdraw(tx, leased)
            return None
        if line.status != PROCESSING or _is_disabled(tx, purchase.supplier_id):
            _later(tx, leased)
            return None
        if connection.ended is not None:
            refuse(tx, leased, "the supplier is not connected any more")
            return None
        call = PLACE
    else:
        call = CANCEL if taken_away and purchase.cancel_sent is None else POLL
    return Job(call, connection.adapter, connections.target_of(tx, cipher, connection), purchase)


def sending(tx: Transaction, leased: Lease) -> bool:
    """Records that the buying call is about to be sent. Returns False if it must no longer be sent."""
    _, line = _locked(tx, leased.line_id)
    purchase = held_by(tx, leased)
    if purchase is None:
        return False
    if assignments.assignment_of(tx, purchase.assignment_id).ended is not None:
        _withdraw(tx, leased)
        return False
    if line.status != PROCESSING:
        _later(tx, leased)
        return False
    done = tx.run(_SENT, id=purchase.id, number=leased.number, now=tx.now, at=tx.at)
    if done:
        record(tx, WORKER, "purchase.place", purchase.id, line=purchase.line_id, reference=purchase.reference)
    return bool(done)


def refuse(tx: Transaction, leased: Lease, why: str) -> None:
    """Ends a purchase that bought nothing, and gives the undelivered rest of its line to the next supplier."""
    if tx.run(_REFUSE, id=leased.purchase_id, number=leased.number, why=why, now=tx.now):
        record(tx, WORKER, "purchase.refuse", leased.purchase_id, line=leased.line_id, reason=why)
        give_back(tx, leased, why)


def give_back(tx: Transaction, leased: Lease, why: str) -> None:
    """Gives the undelivered rest of the line to the next supplier, unless the line was taken away before."""
    purchase = tx.one(ONE, id=leased.purchase_id)
    assert purchase is not None, "purchases are never deleted"
    if assignments.assignment_of(tx, purchase.assignment_id).ended is None:
        fulfilment.reject(tx, purchase.supplier_id, purchase.line_id, why)


def held_by(tx: Transaction, leased: Lease) -> Purchase | None:
    """Returns the leased purchase; None if another worker has leased it by now. The order's row is locked."""
    found = tx.one(ONE, id=leased.purchase_id)
    return found if found is not None and found.lease == leased.number else None


def _locked(tx: Transaction, line_id: str) -> tuple[Order, Line]:
    found = routing.locked(tx, line_id)
    assert found is not None, "lines are never deleted"
    return found


def _is_disabled(tx: Transaction, supplier: str) -> bool:
    row = tx.one(_DISABLED, supplier=supplier)
    return row is None or bool(row[0])


def _later(tx: Transaction, leased: Lease) -> None:
    tx.run(_LATER, id=leased.purchase_id, number=leased.number, delay=HELD_DELAY, now=tx.now, at=tx.at)


def _withdraw(tx: Transaction, leased: Lease) -> None:
    if tx.run(_WITHDRAW, id=leased.purchase_id, number=leased.number, now=tx.now):
        record(tx, WORKER, "purchase.withdraw", leased.purchase_id, line=leased.line_id)
