"""4: a stock code belongs to at most one delivered unit; codes, levels and order lines agree."""

from sqlalchemy import and_, case, func, or_, select

from bedesten.catalogue.stock import CLAIMED, DELIVERED, FREE
from bedesten.catalogue.tables import products, stock_codes, stock_levels
from bedesten.operator.invariants.question import question, sum_where
from bedesten.orders import model
from bedesten.orders.tables import order_lines, orders

_O, _L = orders.c, order_lines.c
_C, _S, _P = stock_codes.c, stock_levels.c, products.c


_free = (
    select(_C.tenant_id, _C.product_id, func.count().label("codes"))
    .where(_C.state == FREE)
    .group_by(_C.tenant_id, _C.product_id)
    .subquery("free")
)
_of_line = (
    select(
        _C.tenant_id,
        _C.line_id,
        sum_where(_C.state == CLAIMED, 1).label("claimed"),
        sum_where(_C.state == DELIVERED, 1).label("delivered"),
    )
    .where(_C.line_id.is_not(None))
    .group_by(_C.tenant_id, _C.line_id)
    .subquery("of_line")
)
_their_order = order_lines.join(orders, and_(_O.tenant_id == _L.tenant_id, _O.id == _L.order_id))
_claimed, _delivered = func.coalesce(_of_line.c.claimed, 0), func.coalesce(_of_line.c.delivered, 0)
_to_claim = case((and_(_O.state == model.UNPAID, _L.supplier_id.is_(None)), _L.quantity), else_=0)
_to_deliver = case((_L.status == model.DELIVERED, _L.quantity), else_=0)
_by_note = and_(
    _L.status == model.DELIVERED, _L.supplier_id.is_not(None), _L.note.is_not(None), _delivered == 0, _claimed == 0
)
_waits = and_(_L.version == 0, _L.status == model.PROCESSING, _L.queued.is_(None))
_moves = and_(
    _L.version > 0,
    or_(_L.status != model.PROCESSING, and_(_L.supplier_id.is_not(None), _L.queued.is_not(None))),
    or_(_L.supplier_id.is_(None), _L.queued.is_not(None)),
)

GOODS = (
    question(
        4,
        "product {} has {} available, its free codes are {}",
        select(_P.tenant_id, _P.id, func.coalesce(_S.available, -1), func.coalesce(_free.c.codes, 0))
        .select_from(
            products.outerjoin(stock_levels, and_(_S.tenant_id == _P.tenant_id, _S.product_id == _P.id)).outerjoin(
                _free, and_(_free.c.tenant_id == _P.tenant_id, _free.c.product_id == _P.id)
            )
        )
        .where(func.coalesce(_S.available, -1) != func.coalesce(_free.c.codes, 0)),
    ),
    question(
        4,
        "line {} (status {}, order state {}) has {} claimed and {} delivered codes, it should have {} and {}",
        select(_L.tenant_id, _L.id, _L.status, _O.state, _claimed, _delivered, _to_claim, _to_deliver)
        .select_from(
            _their_order.outerjoin(_of_line, and_(_of_line.c.tenant_id == _L.tenant_id, _of_line.c.line_id == _L.id))
        )
        .where(or_(_claimed != _to_claim, _delivered != _to_deliver), ~_by_note),
    ),
    question(
        4,
        "stock code {} with state {} is unit {} of {} of line {}, which has {} units",
        select(
            _C.tenant_id,
            _C.id,
            _C.state,
            func.coalesce(_C.unit, -1),
            func.coalesce(_C.line_quantity, -1),
            func.coalesce(_C.line_id, "-"),
            func.coalesce(_L.quantity, 0),
        )
        .select_from(stock_codes.outerjoin(order_lines, and_(_L.tenant_id == _C.tenant_id, _L.id == _C.line_id)))
        .where(
            or_(
                and_(_C.state == FREE, or_(_C.line_id.is_not(None), _C.unit.is_not(None))),
                and_(
                    _C.state != FREE,
                    or_(
                        func.coalesce(_C.unit, -1) < 0,
                        func.coalesce(_C.unit, -1) >= func.coalesce(_L.quantity, 0),
                        func.coalesce(_C.line_quantity, -1) != func.coalesce(_L.quantity, 0),
                    ),
                ),
            )
        ),
    ),
    question(
        4,
        "stock code {} of product {} lies with line {} of product {}",
        select(_C.tenant_id, _C.id, _C.product_id, _L.id, _L.product_id)
        .select_from(stock_codes.join(order_lines, and_(_L.tenant_id == _C.tenant_id, _L.id == _C.line_id)))
        .where(_C.product_id != _L.product_id),
    ),
    question(
        4,
        "line {} with status {} and version {} cannot be in an order with state {}, or its supplier was not asked",
        select(_L.tenant_id, _L.id, _L.status, _L.version, _O.state)
        .select_from(_their_order)
        .where(or_(and_(_O.state == model.PLACED, ~_moves), and_(_O.state != model.PLACED, ~_waits))),
    ),
)
