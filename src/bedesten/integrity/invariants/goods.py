"""4: a stock code belongs to at most one delivered unit; codes, levels and order lines agree."""

from sqlalchemy import and_, case, func, or_, select

from bedesten.catalogue.batches import LOADING_BATCH, READY_BATCH
from bedesten.catalogue.code import FOLDED
from bedesten.catalogue.levels import AVAILABLE
from bedesten.catalogue.moves import BAD, CLAIMED, DELIVERED, FREE, LOADING, WITHDRAWN
from bedesten.catalogue.tables import products, stock_batches, stock_codes, stock_levels
from bedesten.integrity.invariants.query import invariant_query, sum_where
from bedesten.orders import model
from bedesten.orders.tables import order_lines, orders
from bedesten.store.sql import any_value

_O, _L = orders.c, order_lines.c
_C, _S, _P, _B = stock_codes.c, stock_levels.c, products.c, stock_batches.c


_free = (
    select(_C.tenant_id, _C.product_id, func.count().label("codes"))
    .where(_C.state == FREE, any_value(_C.product_id))
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
_reserved = or_(_O.state == model.UNPAID, _L.status == model.TAKEN_OUT)
_to_claim = case((and_(_reserved, _L.supplier_id.is_(None)), _L.quantity), else_=0)
_to_deliver = _L.delivered
_by_note = and_(
    _L.status == model.DELIVERED, _L.supplier_id.is_not(None), _L.note.is_not(None), _delivered == 0, _claimed == 0
)
_waits = and_(_L.version == 0, _L.status == model.PROCESSING, _L.queued.is_(None))
_moves = and_(
    _L.version > 0,
    or_(_L.status != model.PROCESSING, and_(_L.supplier_id.is_not(None), _L.queued.is_not(None))),
    or_(_L.supplier_id.is_(None), _L.queued.is_not(None), _L.status != model.DELIVERED, _L.cancelled > 0),
    or_(_L.status != model.CANCELLED, _L.queued.is_(None)),
)
_with_a_line = or_(_C.state == CLAIMED, _C.state == DELIVERED)
_its_product = and_(_P.tenant_id == _C.tenant_id, _P.id == _C.product_id)
_of_batch = (
    select(
        _C.tenant_id,
        _C.batch_id,
        func.count().label("codes"),
        sum_where(_C.state == LOADING, 1).label("loading"),
    )
    .where(_C.batch_id.is_not(None))
    .group_by(_C.tenant_id, _C.batch_id)
    .subquery("of_batch")
)
_codes, _loading = func.coalesce(_of_batch.c.codes, 0), func.coalesce(_of_batch.c.loading, 0)
_first_expiry = (
    select(_C.tenant_id, _C.product_id, func.min(_C.expires).label("at"))
    .where(_C.expires.is_not(None), _C.state == FREE, any_value(_C.product_id))
    .group_by(_C.tenant_id, _C.product_id)
    .subquery("first_expiry")
)

GOODS = (
    invariant_query(
        4,
        "product {} has {} available, its free codes are {}",
        select(_P.tenant_id, _P.id, func.coalesce(AVAILABLE, -1), func.coalesce(_free.c.codes, 0))
        .select_from(
            products.outerjoin(stock_levels, and_(_S.tenant_id == _P.tenant_id, _S.product_id == _P.id)).outerjoin(
                _free, and_(_free.c.tenant_id == _P.tenant_id, _free.c.product_id == _P.id)
            )
        )
        .where(func.coalesce(AVAILABLE, -1) != func.coalesce(_free.c.codes, 0)),
    ),
    invariant_query(
        4,
        "line {} (status {}, order state {}) has {} claimed and {} delivered codes, it should have {} and {}",
        select(_L.tenant_id, _L.id, _L.status, _O.state, _claimed, _delivered, _to_claim, _to_deliver)
        .select_from(
            _their_order.outerjoin(_of_line, and_(_of_line.c.tenant_id == _L.tenant_id, _of_line.c.line_id == _L.id))
        )
        .where(or_(_claimed != _to_claim, _delivered != _to_deliver), ~_by_note),
    ),
    invariant_query(
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
                and_(~_with_a_line, _C.state != BAD, or_(_C.line_id.is_not(None), _C.unit.is_not(None))),
                and_(_C.state == BAD, or_(_L.id.is_(None), _C.unit.is_not(None), _C.line_quantity != _L.quantity)),
                and_(
                    _with_a_line,
                    or_(
                        func.coalesce(_C.unit, -1) < 0,
                        func.coalesce(_C.unit, -1) >= func.coalesce(_L.quantity, 0),
                        func.coalesce(_C.line_quantity, -1) != func.coalesce(_L.quantity, 0),
                    ),
                ),
            )
        ),
    ),
    invariant_query(
        4,
        "stock code {} of product {} belongs to line {} of product {}",
        select(_C.tenant_id, _C.id, _C.product_id, _L.id, _L.product_id)
        .select_from(stock_codes.join(order_lines, and_(_L.tenant_id == _C.tenant_id, _L.id == _C.line_id)))
        .where(_C.product_id != _L.product_id),
    ),
    invariant_query(
        4,
        "line {} with status {} and version {} cannot be in an order with state {}, or its supplier was not asked",
        select(_L.tenant_id, _L.id, _L.status, _L.version, _O.state)
        .select_from(_their_order)
        .where(or_(and_(_O.state == model.PLACED, ~_moves), and_(_O.state != model.PLACED, ~_waits))),
    ),
    invariant_query(
        4,
        "line {} with status {} has {} units, of which {} are delivered and {} cancelled",
        select(_L.tenant_id, _L.id, _L.status, _L.quantity, _L.delivered, _L.cancelled).where(
            or_(
                _L.delivered + _L.cancelled > _L.quantity,
                (_L.status == model.DELIVERED) != and_(_L.delivered > 0, _L.delivered + _L.cancelled == _L.quantity),
                (_L.status == model.CANCELLED) != (_L.cancelled == _L.quantity),
            )
        ),
    ),
    invariant_query(
        4,
        "product {} has {} codes that are equal by its comparison: {} to {}",
        select(_C.tenant_id, _C.product_id, func.count(), func.min(_C.id), func.max(_C.id))
        .select_from(stock_codes.join(products, _its_product))
        .where(_P.code_comparison == FOLDED, _C.state != WITHDRAWN)
        .group_by(_C.tenant_id, _C.product_id, _C.folded_digest)
        .having(func.count() > 1),
    ),
    invariant_query(
        4,
        "stock code {} of product {} is compared differently from its product, which says {}",
        select(_C.tenant_id, _C.id, _C.product_id, _P.code_comparison)
        .select_from(stock_codes.join(products, _its_product))
        .where((_C.folds == 1) != (_P.code_comparison == FOLDED)),
    ),
    invariant_query(
        4,
        "batch {} with state {} should have {} codes, it has {}, of which {} are loading",
        select(_B.tenant_id, _B.id, _B.state, _B.codes, _codes, _loading)
        .select_from(
            stock_batches.outerjoin(
                _of_batch, and_(_of_batch.c.tenant_id == _B.tenant_id, _of_batch.c.batch_id == _B.id)
            )
        )
        .where(
            or_(
                _B.codes != _codes,
                and_(_B.state == READY_BATCH, _loading != 0),
                and_(_B.state == LOADING_BATCH, _loading != _codes),
            )
        ),
    ),
    invariant_query(
        4,
        "a code of product {} expires at {}, its stock level expects {}",
        select(_S.tenant_id, _S.product_id, _first_expiry.c.at, func.coalesce(_S.next_expiry, -1))
        .select_from(
            stock_levels.join(
                _first_expiry,
                and_(_first_expiry.c.tenant_id == _S.tenant_id, _first_expiry.c.product_id == _S.product_id),
            )
        )
        .where(or_(_S.next_expiry.is_(None), _S.next_expiry > _first_expiry.c.at)),
    ),
)
