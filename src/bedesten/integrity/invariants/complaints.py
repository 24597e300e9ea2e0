"""4 and 5: complaints, codes, refunds and claw-backs agree."""

from sqlalchemy import and_, case, func, literal, or_, select

from bedesten.catalogue.moves import BAD, DELIVERED
from bedesten.catalogue.tables import stock_codes
from bedesten.complaints.moves import REFUNDED, REPLACED
from bedesten.complaints.tables import complaints
from bedesten.integrity.invariants.query import invariant_query
from bedesten.orders.tables import clawbacks, order_lines, orders, refunds

_P, _C, _L, _O = complaints.c, stock_codes.c, order_lines.c, orders.c
_R, _W = refunds.c, clawbacks.c
_new = stock_codes.alias("replacement")
_PREFIX = "complaint:"
_refund = and_(_R.tenant_id == _P.tenant_id, _R.business_key == literal(_PREFIX) + _P.id)
_unit_key = case((_P.code_id.is_not(None), literal("unit:") + _P.code_id), else_=literal("line:") + _P.line_id)
_given_back = func.coalesce(_R.amount, 0)
_taken_back = func.coalesce(_W.amount, 0)
_code = and_(_C.tenant_id == _P.tenant_id, _C.id == _P.code_id)

COMPLAINTS = (
    invariant_query(
        4,
        "complaint {} is about code {} of line {}, buyer {} and order {}, which do not belong together",
        select(_P.tenant_id, _P.id, func.coalesce(_P.code_id, "-"), _P.line_id, _P.buyer_id, _P.order_id)
        .select_from(
            complaints.join(order_lines, and_(_L.tenant_id == _P.tenant_id, _L.id == _P.line_id))
            .join(orders, and_(_O.tenant_id == _L.tenant_id, _O.id == _L.order_id))
            .outerjoin(stock_codes, _code)
        )
        .where(
            or_(
                _L.order_id != _P.order_id,
                _O.buyer_id != _P.buyer_id,
                and_(_P.code_id.is_not(None), func.coalesce(_C.line_id, "-") != _P.line_id),
            )
        ),
    ),
    invariant_query(
        4,
        "complaint {} replaced code {} with state {} by code {} with state {}",
        select(
            _P.tenant_id,
            _P.id,
            func.coalesce(_P.code_id, "-"),
            func.coalesce(_C.state, -1),
            func.coalesce(_P.replacement_id, "-"),
            func.coalesce(_new.c.state, -1),
        )
        .select_from(
            complaints.outerjoin(stock_codes, _code).outerjoin(
                _new, and_(_new.c.tenant_id == _P.tenant_id, _new.c.id == _P.replacement_id)
            )
        )
        .where(
            _P.state == REPLACED,
            or_(
                func.coalesce(_C.state, -1) != BAD,
                func.coalesce(_new.c.line_id, "-") != _P.line_id,
                and_(_new.c.state != DELIVERED, _new.c.state != BAD),
            ),
        ),
    ),
    invariant_query(
        4,
        "code {} of line {} is bad, and no complaint replaced it",
        select(_C.tenant_id, _C.id, func.coalesce(_C.line_id, "-"))
        .select_from(
            stock_codes.outerjoin(
                complaints, and_(_P.tenant_id == _C.tenant_id, _P.code_id == _C.id, _P.state == REPLACED)
            )
        )
        .where(_C.state == BAD, _P.id.is_(None)),
    ),
    invariant_query(
        5,
        "complaint {} with state {} says that {} were refunded, its refund is of {}",
        select(_P.tenant_id, _P.id, _P.state, _P.refunded, _given_back)
        .select_from(complaints.outerjoin(refunds, _refund))
        .where(or_(_given_back != _P.refunded, (_P.state == REFUNDED) != (_P.refunded > 0))),
    ),
    invariant_query(
        5,
        "refund {} of {} was made for a complaint that does not exist",
        select(_R.tenant_id, _R.id, _R.amount)
        .select_from(refunds.outerjoin(complaints, _refund))
        .where(func.substr(_R.business_key, 1, len(_PREFIX)) == _PREFIX, _P.id.is_(None)),
    ),
    invariant_query(
        5,
        "complaint {} says that {} were taken back from supplier {}, its claw-back is of {}",
        select(_P.tenant_id, _P.id, _P.charged, func.coalesce(_P.supplier_id, "-"), _taken_back)
        .select_from(complaints.outerjoin(clawbacks, and_(_W.tenant_id == _P.tenant_id, _W.business_key == _unit_key)))
        .where(or_(_P.state == REPLACED, _P.state == REFUNDED), _taken_back != _P.charged),
    ),
)
