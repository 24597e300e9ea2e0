"""5: holds, transfers, payments and order lines agree."""

from typing import Any

from sqlalchemy import and_, case, func, literal, or_, select

from bedesten.catalogue.moves import BAD
from bedesten.catalogue.moves import DELIVERED as SOLD
from bedesten.catalogue.tables import stock_batches, stock_codes
from bedesten.integrity.invariants.query import InvariantQuery, invariant_query
from bedesten.ledger.tables import holds, ledger_accounts, transfers
from bedesten.orders import model
from bedesten.orders.tables import order_lines, orders
from bedesten.payments.actions import APPROVAL_NEEDED
from bedesten.payments.moves import AWAITING, BOOKED, REFUSED
from bedesten.payments.tables import deposits, payments

_A, _T, _H = ledger_accounts.c, transfers.c, holds.c
_O, _L = orders.c, order_lines.c
_D, _Y = deposits.c, payments.c
_C, _B = stock_codes.c, stock_batches.c
ID_LENGTH = len("odl_") + 26
"""Characters of an id; see `base.ids`."""


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


def _transfer_of(prefix: str, row: Any) -> Any:
    """The join of a row with the transfer whose business key names it."""
    return and_(_T.tenant_id == row.tenant_id, _T.business_key == literal(prefix) + row.id)


def _transfer_without_row(prefix: str, what: str, row: Any, table: Any, done: Any) -> InvariantQuery:
    """Transfers whose business key names a row that does not exist or is not in the state `done`.

    A business key may continue after the row's id: what a supplier earns with stock also names the supplier.
    """
    named = func.substr(_T.business_key, len(prefix) + 1, ID_LENGTH)
    names = and_(row.tenant_id == _T.tenant_id, row.id == named, done)
    return invariant_query(
        5,
        f"transfer {{}} of {{}} is booked for a {what} that does not exist or is not in that state",
        select(_T.tenant_id, _T.id, _T.amount)
        .select_from(transfers.outerjoin(table, names))
        .where(func.substr(_T.business_key, 1, len(prefix)) == prefix, row.id.is_(None)),
    )


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
"""What was paid for each line: a line that is delivered in parts has several transfers, `line:ID` and `line:ID:…`."""
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
_captured_payments = (
    select(_Y.tenant_id, _Y.order_id, func.count().label("captured"))
    .where(_Y.state == BOOKED)
    .group_by(_Y.tenant_id, _Y.order_id)
    .subquery("captured_payments")
)
_captured = func.coalesce(_captured_payments.c.captured, 0)
_should_be_captured = case((and_(_O.surface == "storefront", _O.state == model.PLACED, _O.total > 0), 1), else_=0)

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
    invariant_query(
        5,
        "deposit {} of {} with state {} has a transfer of {}",
        select(_D.tenant_id, _D.id, _D.amount, _D.state, _paid)
        .select_from(deposits.outerjoin(transfers, _transfer_of("deposit:", _D)))
        .where(_paid != case((_D.state == BOOKED, _D.amount), else_=0)),
    ),
    _transfer_without_row("deposit:", "confirmed deposit", _D, deposits, _D.state == BOOKED),
    invariant_query(
        5,
        "payment {} of {} with state {} has a transfer of {}",
        select(_Y.tenant_id, _Y.id, _Y.amount, _Y.state, _paid)
        .select_from(payments.outerjoin(transfers, _transfer_of("payment:", _Y)))
        .where(_paid != case((_Y.state == BOOKED, _Y.amount), else_=0)),
    ),
    _transfer_without_row("payment:", "captured payment", _Y, payments, _Y.state == BOOKED),
    invariant_query(
        5,
        "deposit {} of {} with state {} has approval {}: it is booked or waits without the one that it needs",
        select(_D.tenant_id, _D.id, _D.amount, _D.state, _D.approval).where(
            or_(
                and_(_D.state == BOOKED, _D.approval == APPROVAL_NEEDED),
                and_(_D.state == AWAITING, _D.approval != APPROVAL_NEEDED),
            )
        ),
    ),
    invariant_query(
        5,
        "payment {} with state {} was refused with {}: it is one that ended with a refusal, or has none",
        select(_Y.tenant_id, _Y.id, _Y.state, func.coalesce(_Y.refusal, 0)).where(
            (_Y.state == REFUSED) != _Y.refusal.is_not(None)
        ),
    ),
    invariant_query(
        5,
        "order {} with state {} and a total of {} has {} captured payments",
        select(_O.tenant_id, _O.id, _O.state, _O.total, _captured)
        .select_from(
            orders.outerjoin(
                _captured_payments,
                and_(_captured_payments.c.tenant_id == _O.tenant_id, _captured_payments.c.order_id == _O.id),
            )
        )
        .where(_captured != _should_be_captured),
    ),
)
