"""All SQL statements on orders and their lines."""

from typing import Any

from sqlalchemy import and_, func, literal, or_, select, update

from bedesten.orders.model import PROCESSING, UNSOURCED, Line, Order
from bedesten.orders.moves import LINE as LINE_MOVES
from bedesten.orders.moves import ORDER as ORDER_MOVES
from bedesten.orders.tables import order_lines, orders
from bedesten.store.sql import TENANT, any_value, cross_tenant, insert_of, move_of, p, rows_as, statement

_O, _L = orders.c, order_lines.c
ORDER_COLUMNS = (
    _O.id, _O.surface, _O.buyer_id, _O.reference, _O.digest, _O.currency, _O.total, _O.notify_url, _O.state,
    _O.expires, _O.created, _O.region, _O.units, _O.address,
)  # fmt: skip
LINE_COLUMNS = (
    _L.id, _L.order_id, _L.position, _L.deliver_id, _L.product_id, _L.product_name, _L.quantity, _L.unit_price,
    _L.unit_cost, _L.price, _L.status, _L.placed_status, _L.version, _L.supplier_id, _L.queued, _L.require_data,
    _L.note, _L.updated, _L.delivered, _L.cancelled, _L.refunded, _L.hold, _L.accepted, _L.promised, _L.deadline,
)  # fmt: skip
_THE_ORDER = (_O.tenant_id == TENANT) & (_O.id == p("order_id"))
_THE_LINE = (_L.tenant_id == TENANT) & (_L.id == p("line"))

INSERT_ORDER = insert_of(orders, or_ignore=True)
INSERT_LINE = insert_of(order_lines)
ORDER_BY_REFERENCE = rows_as(
    Order,
    select(*ORDER_COLUMNS).where(_O.tenant_id == TENANT, _O.buyer_id == p("buyer"), _O.reference == p("reference")),
)
ORDER_BY_ID = rows_as(Order, select(*ORDER_COLUMNS).where(_THE_ORDER))
LINES = rows_as(
    Line,
    select(*LINE_COLUMNS).where(_L.tenant_id == TENANT, _L.order_id == p("order_id")).order_by(_L.position),
)
LINE = rows_as(Line, select(*LINE_COLUMNS).where(_THE_LINE))
WAITING_LINES = rows_as(
    Line,
    select(*LINE_COLUMNS)
    .where(
        _L.tenant_id == TENANT,
        _L.supplier_id == p("supplier"),
        _L.status == 2,
        _L.queued.is_not(None),
        or_(_L.queued > p("after_queued"), and_(_L.queued == p("after_queued"), _L.id > p("after"))),
        _L.updated >= p("since"),
    )
    .order_by(_L.queued, _L.id)
    .limit(p("most")),
)
LOCK = statement(select(_O.id).where(_THE_ORDER).with_for_update())
"""Locks the order's row (`FOR UPDATE`). On SQLite, which has one writer, it is a plain SELECT."""
_ORDER_ROW = _O.id == p("order_id")
_LINE_ROW = _L.id == p("line")
_UNCHANGED = _L.version == p("was")
PAY = move_of(ORDER_MOVES, "pay", _O.state, _ORDER_ROW, _O.state == p("was"), expires=None)
EXPIRE = move_of(ORDER_MOVES, "expire", _O.state, _ORDER_ROW, expires=None)
WITHDRAW = move_of(ORDER_MOVES, "withdraw", _O.state, _ORDER_ROW, _O.state == p("was"), expires=None)
RESUME = move_of(ORDER_MOVES, "resume", _O.state, _ORDER_ROW, expires=p("until"))
RENEW_LINE = move_of(
    LINE_MOVES, "renew", _L.status, _LINE_ROW, _L.version == 0, supplier_id=p("supplier"), unit_cost=p("cost")
)
UNPAID_BEFORE = cross_tenant(
    select(_O.tenant_id, _O.id).where(_O.state == 0, _O.expires <= p("now")).order_by(_O.expires).limit(p("most"))
)
_CHANGED: dict[str, Any] = {"version": _L.version + 1, "updated": p("now")}
DELIVER_LINE = move_of(
    LINE_MOVES, "deliver", _L.status, _LINE_ROW, _UNCHANGED, **_CHANGED,
    note=p("new_note"), delivered=_L.quantity - _L.cancelled, deadline=None,
)  # fmt: skip
DELIVER_PART = move_of(
    LINE_MOVES, "deliverPart", _L.status, _LINE_ROW, _UNCHANGED, **_CHANGED,
    note=p("new_note"), delivered=_L.delivered + p("count"),
)  # fmt: skip
ACCEPT_LINE = move_of(
    LINE_MOVES, "accept", _L.status, _LINE_ROW, accepted=func.coalesce(_L.accepted, p("now")), promised=p("until"),
    deadline=p("new_deadline"),
)  # fmt: skip
_OVER: dict[str, Any] = {"queued": None, "deadline": None, "hold": None}
CANCEL_LINE = move_of(
    LINE_MOVES, "cancel", _L.status, _LINE_ROW, _UNCHANGED, _L.delivered == 0, **_CHANGED, **_OVER,
    cancelled=_L.quantity,
)  # fmt: skip
CANCEL_REST = move_of(
    LINE_MOVES, "cancelRest", _L.status, _LINE_ROW, _UNCHANGED, _L.delivered > 0, **_CHANGED, **_OVER,
    cancelled=_L.quantity - _L.delivered,
)  # fmt: skip
TOUCH_LINE = statement(update(order_lines).where(_THE_LINE).values(updated=p("now")))
"""Marks a line as updated after a change of anything but its status, such as one of its codes."""
HOLD_LINE = move_of(LINE_MOVES, "hold", _L.status, _LINE_ROW, _UNCHANGED, **_CHANGED, hold=p("why"), deadline=None)
RELEASE_LINE = move_of(
    LINE_MOVES, "release", _L.status, _LINE_ROW, _UNCHANGED, _L.supplier_id.is_not(None), **_CHANGED, hold=None,
    queued=p("now"), supplier_id=p("supplier"), unit_cost=p("cost"), deadline=p("new_deadline"),
)  # fmt: skip
RELEASE_DELIVERED = move_of(
    LINE_MOVES, "releaseDelivered", _L.status, _LINE_ROW, _UNCHANGED, _L.supplier_id.is_(None), **_CHANGED, hold=None,
    delivered=_L.quantity - _L.cancelled,
)  # fmt: skip
REROUTE_LINE = move_of(
    LINE_MOVES, "reroute", _L.status, _LINE_ROW, _L.status == PROCESSING, supplier_id=p("supplier"), queued=p("now"),
    unit_cost=p("cost"), accepted=None, promised=None, deadline=p("new_deadline"), updated=p("now"),
)  # fmt: skip
HOLD_UNSOURCED = move_of(
    LINE_MOVES, "hold", _L.status, _LINE_ROW, _UNCHANGED, **_CHANGED,
    hold=literal(UNSOURCED), queued=None, accepted=None, promised=None, deadline=None,
)  # fmt: skip
OVERDUE_LINES = cross_tenant(
    select(_L.tenant_id, _L.id)
    .where(_L.deadline.is_not(None), _L.deadline <= p("now"), _L.status == PROCESSING, _L.queued.is_not(None))
    .order_by(_L.deadline)
    .limit(p("most"))
)
WAITING_LINES_OF_PRODUCT = rows_as(
    Line,
    select(*LINE_COLUMNS)
    .where(
        _L.tenant_id == TENANT,
        or_(p("product") == "", _L.product_id == p("product")),
        _L.status == PROCESSING,
        _L.queued.is_not(None),
        any_value(_L.supplier_id),
        or_(p("supplier") == "", _L.supplier_id == p("supplier")),
    )
    .order_by(_L.queued, _L.id),
)
ENQUEUE_LINE = move_of(
    LINE_MOVES, "enqueue", _L.status, _LINE_ROW, _UNCHANGED, **_CHANGED, supplier_id=p("supplier"), queued=p("now"),
    unit_cost=p("cost"), deadline=p("new_deadline"),
)  # fmt: skip
