"""5: holds, transfers and order lines agree."""

from sqlalchemy import and_, case, func, or_, select

from bedesten.catalogue.moves import BAD
from bedesten.catalogue.moves import DELIVERED as SOLD
from bedesten.catalogue.tables import stock_batches, stock_codes
from bedesten.integrity.invariants.query import ID_LENGTH, invariant_query
from bedesten.integrity.invariants.query import transfer_without_row as _transfer_without_row
from bedesten.ledger.tables import holds, ledger_accounts, transfers
from bedesten.orders import model
from bedesten.orders.tables import order_lines, orders

_A, _T, _H = ledger_accounts.c, transfers.c, holds.c
_O, _L = orders.c, order_lines.c
_C, _B = stock_codes.c, stock_batches.c

_of_order = (
    select(
        _L.tenant_id,
        _L.order_id,
        func.sum(_L.price).label("total"),
        func.sum(_L.unit_price * _L.delivered).label("delivered"),
        func.sum(_L.unit_price * _L.cancelled).label("cancelled"),
    )
    .group_by(_L.tenant_id, _L.order_id)
    .subquery("of_order")
)
_its_lines = and_(_of_order.c.tenant_id == _O.tenant_id, _of_order.c.order_id == _O.id)
_worth, _gone = func.coalesce(_of_order.c.delivered, 0), func.coalesce(_of_order.c.cancelled, 0)
_held_by = (
    select(_H.tenant_id, _H.account_id, func.sum(_H.placed - _H.captured - _H.released).label("total"))
    .group_by(_H.tenant_id, _H.account_id)
    .subquery("held_by")
)
_held = func.coalesce(_held_by.c.total, 0)


_earned = (
    select(_C.tenant_id, _C.line_id, _B.supplier_id, func.sum(_B.unit_cost).label("amount"))
    .select_from(stock_codes.join(stock_batches, and_(_B.tenant_id == _C.tenant_id, _B.id == _C.batch_id)))
    .where(or_(_C.state == SOLD, _C.state == BAD), _B.supplier_id.is_not(None), _B.unit_cost > 0)
    .group_by(_C.tenant_id, _C.line_id, _B.supplier_id)
    .subquery("earned")
)
_named_line = func.substr(_T.business_key, len("line:") + 1, ID_LENGTH)
_is_of_a_line = func.substr(_T.business_key, 1, len("line:")) == "line:"
_pays_line = and_(_T.tenant_id == _L.tenant_id, _is_of_a_line, _named_line == _L.id)
_of_line = (
    select(_T.tenant_id, _named_line.label("line_id"), func.sum(_T.amount).label("amount"))
    .where(_is_of_a_line)
    .group_by(_T.tenant_id, _named_line)
    .subquery("of_line")
)
"""The amount paid for each line. A line delivered in parts has several transfers, `line:ID` and `line:ID:…`."""
_paid_for_line = func.coalesce(_of_line.c.amount, 0)
_STOCK = len("cost:") + ID_LENGTH + 1
"""Characters of `cost:LINE:`; the supplier of the stock codes follows, and for a replacement the code."""
_pays_stock = and_(func.substr(_T.business_key, 1, 5) == "cost:", func.length(_T.business_key) >= _STOCK + ID_LENGTH)
_stock_line = func.substr(_T.business_key, len("cost:") + 1, ID_LENGTH)
_stock_supplier = func.substr(_T.business_key, _STOCK + 1, ID_LENGTH)
_stock_paid = (
    select(_T.tenant_id, _stock_line.label("line_id"), _stock_supplier.label("supplier_id"),
           func.sum(_T.amount).label("amount"))
    .where(_pays_stock)
    .group_by(_T.tenant_id, _stock_line, _stock_supplier)
    .subquery("stock_paid")
)  # fmt: skip
_is_paid = and_(
    _stock_paid.c.tenant_id == _earned.c.tenant_id,
    _stock_paid.c.line_id == _earned.c.line_id,
    _stock_paid.c.supplier_id == _earned.c.supplier_id,
)
_paid_for_stock = func.coalesce(_stock_paid.c.amount, 0)
_earning = and_(
    _earned.c.tenant_id == _T.tenant_id, _earned.c.line_id == _stock_line, _earned.c.supplier_id == _stock_supplier
)
_paid = func.coalesce(_T.amount, 0)
MONEY = (
    invariant_query(
        5,
        "order {} has a total of {}, its lines give {}",
        select(_O.tenant_id, _O.id, _O.total, func.coalesce(_of_order.c.total, -1))
        .select_from(orders.outerjoin(_of_order, _its_lines))
        .where(_O.total != func.coalesce(_of_order.c.total, -1)),
    ),
    invariant_query(
        5,
        "order {} with state {} has {} holds; a placed order has one, another has none",
        select(_O.tenant_id, _O.id, _O.state, case((_H.order_id.is_(None), 0), else_=1))
        .select_from(orders.outerjoin(holds, and_(_H.tenant_id == _O.tenant_id, _H.order_id == _O.id)))
        .where((_O.state == model.PLACED) == _H.order_id.is_(None)),
    ),
    invariant_query(
        5,
        "hold of order {} has {} placed, {} captured, {} released; the order gives {}, {} and {}",
        select(_O.tenant_id, _O.id, _H.placed, _H.captured, _H.released, _O.total, _worth, _gone)
        .select_from(
            holds.join(orders, and_(_O.tenant_id == _H.tenant_id, _O.id == _H.order_id)).outerjoin(
                _of_order, _its_lines
            )
        )
        .where(
            or_(
                _H.placed != _O.total,
                _H.captured != _worth,
                _H.released != _gone,
                _H.captured + _H.released > _H.placed,
            )
        ),
    ),
    invariant_query(
        5,
        "the hold of order {} is on account {} of {}, the buyer is {}",
        select(_O.tenant_id, _O.id, _A.id, _A.owner_id, _O.buyer_id)
        .select_from(
            holds.join(orders, and_(_O.tenant_id == _H.tenant_id, _O.id == _H.order_id)).join(
                ledger_accounts, and_(_A.tenant_id == _H.tenant_id, _A.id == _H.account_id)
            )
        )
        .where(or_(_A.owner_id != _O.buyer_id, _A.currency != _O.currency, _H.currency != _O.currency)),
    ),
    invariant_query(
        5,
        "ledger account {} has {} held, its open holds give {}",
        select(_A.tenant_id, _A.id, _A.held, _held)
        .select_from(
            ledger_accounts.outerjoin(
                _held_by, and_(_held_by.c.tenant_id == _A.tenant_id, _held_by.c.account_id == _A.id)
            )
        )
        .where(_A.bounded == 1, _A.held != _held),
    ),
    invariant_query(
        5,
        "line {} was delivered for {}, its transfers are of {}",
        select(_L.tenant_id, _L.id, _L.unit_price * _L.delivered, _paid_for_line)
        .select_from(
            order_lines.outerjoin(_of_line, and_(_of_line.c.tenant_id == _L.tenant_id, _of_line.c.line_id == _L.id))
        )
        .where(_L.unit_price * _L.delivered != _paid_for_line),
    ),
    invariant_query(
        5,
        "transfer {} pays line {} from account {}, its order's hold is on {}",
        select(_T.tenant_id, _T.id, _L.id, _T.from_id, func.coalesce(_H.account_id, "-"))
        .select_from(
            order_lines.join(transfers, _pays_line).outerjoin(
                holds, and_(_H.tenant_id == _L.tenant_id, _H.order_id == _L.order_id)
            )
        )
        .where(or_(func.coalesce(_H.account_id, "-") != _T.from_id, func.coalesce(_T.order_id, "-") != _L.order_id)),
    ),
    _transfer_without_row("line:", "delivered line", _L, order_lines, _L.delivered > 0),
    _transfer_without_row("cost:", "delivered line", _L, order_lines, _L.delivered > 0),
    invariant_query(
        5,
        "supplier {} earns {} with the stock codes of line {}, its transfers are of {}",
        select(_earned.c.tenant_id, _earned.c.supplier_id, _earned.c.amount, _earned.c.line_id, _paid_for_stock)
        .select_from(_earned.outerjoin(_stock_paid, _is_paid))
        .where(_paid_for_stock != _earned.c.amount),
    ),
    invariant_query(
        5,
        "transfer {} of {} pays a supplier for stock codes that the line does not have",
        select(_T.tenant_id, _T.id, _T.amount)
        .select_from(transfers.outerjoin(_earned, _earning))
        .where(_pays_stock, _earned.c.line_id.is_(None)),
    ),
    invariant_query(
        5,
        "transfer {} for line {} goes to account {} of {}, which its key does not name",
        select(_T.tenant_id, _T.id, _earned.c.line_id, _A.id, _A.owner_id)
        .select_from(
            transfers.join(_earned, and_(_pays_stock, _earning)).join(
                ledger_accounts, and_(_A.tenant_id == _T.tenant_id, _A.id == _T.to_id)
            )
        )
        .where(or_(_A.owner_id != _earned.c.supplier_id, _A.kind != "supplier")),
    ),
)
