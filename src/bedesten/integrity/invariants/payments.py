"""5: deposits, payments, their refunds and their transfers agree."""

from sqlalchemy import and_, case, func, or_, select

from bedesten.integrity.invariants.query import (
    ID_LENGTH,
    invariant_query,
    sum_where,
    transfer_of,
    transfer_without_row,
)
from bedesten.ledger.tables import ledger_accounts, transfers
from bedesten.orders import model
from bedesten.orders.tables import orders
from bedesten.payments.actions import APPROVAL_NEEDED
from bedesten.payments.life import REFUSAL_REFERENCE
from bedesten.payments.moves import AWAITING, BOOKED, LOST, NOT_PAID_OUT, REFUSED
from bedesten.payments.tables import deposits, payment_captures, payment_refunds, payments
from bedesten.store.sql import any_value

_T, _O, _A = transfers.c, orders.c, ledger_accounts.c
_D, _Y, _R, _C = deposits.c, payments.c, payment_refunds.c, payment_captures.c
_paid = func.coalesce(_T.amount, 0)
_PREFIX = "payment:"

_captured_payments = (
    select(_Y.tenant_id, _Y.order_id, func.count().label("captured"))
    .where(_Y.captured == _Y.amount, any_value(_Y.order_id))
    .group_by(_Y.tenant_id, _Y.order_id)
    .subquery("captured_payments")
)
_captured = func.coalesce(_captured_payments.c.captured, 0)
_should_be_captured = case((and_(_O.surface == "storefront", _O.state == model.PLACED, _O.total > 0), 1), else_=0)

_received = (
    select(
        _T.tenant_id,
        func.substr(_T.business_key, len(_PREFIX) + 1, ID_LENGTH).label("payment_id"),
        func.sum(_T.amount).label("amount"),
    )
    .where(func.substr(_T.business_key, 1, len(_PREFIX)) == _PREFIX)
    .group_by(_T.tenant_id, func.substr(_T.business_key, len(_PREFIX) + 1, ID_LENGTH))
    .subquery("received")
)
_got = func.coalesce(_received.c.amount, 0)
_given_back = (
    select(
        _R.tenant_id,
        _R.payment_id,
        sum_where(_R.state != NOT_PAID_OUT, _R.booked).label("booked"),
        sum_where(_R.reference == REFUSAL_REFERENCE, 1).label("refusals"),
    )
    .group_by(_R.tenant_id, _R.payment_id)
    .subquery("given_back")
)
_back = func.coalesce(_given_back.c.booked, 0)
_refusals = func.coalesce(_given_back.c.refusals, 0)
_parts = (
    select(_C.tenant_id, _C.payment_id, func.sum(_C.amount).label("amount"))
    .group_by(_C.tenant_id, _C.payment_id)
    .subquery("parts")
)
_refund_of = payments.outerjoin(
    _given_back, and_(_given_back.c.tenant_id == _Y.tenant_id, _given_back.c.payment_id == _Y.id)
)

PAYMENTS = (
    invariant_query(
        5,
        "deposit {} of {} with state {} has a transfer of {}",
        select(_D.tenant_id, _D.id, _D.amount, _D.state, _paid)
        .select_from(deposits.outerjoin(transfers, transfer_of("deposit:", _D)))
        .where(_paid != case((_D.state == BOOKED, _D.amount), else_=0)),
    ),
    transfer_without_row("deposit:", "confirmed deposit", _D, deposits, _D.state == BOOKED),
    invariant_query(
        5,
        "payment {} with state {} has captured {} of {}, its transfers give {}",
        select(_Y.tenant_id, _Y.id, _Y.state, _Y.captured, _Y.amount, _got)
        .select_from(
            payments.outerjoin(_received, and_(_received.c.tenant_id == _Y.tenant_id, _received.c.payment_id == _Y.id))
        )
        .where(_got != _Y.captured),
    ),
    transfer_without_row(_PREFIX, "captured payment", _Y, payments, _Y.captured > 0),
    invariant_query(
        5,
        "payment {} has captured {}, its captures by reference give {}",
        select(_Y.tenant_id, _Y.id, _Y.captured, _parts.c.amount)
        .select_from(payments.join(_parts, and_(_parts.c.tenant_id == _Y.tenant_id, _parts.c.payment_id == _Y.id)))
        .where(_parts.c.amount > _Y.captured),
    ),
    invariant_query(
        5,
        "payment {} has captured {} and given back {} of it, its refunds give {}",
        select(_Y.tenant_id, _Y.id, _Y.captured, _Y.refunded, _back)
        .select_from(_refund_of)
        .where(or_(_back != _Y.refunded, _Y.refunded + _Y.lost > _Y.captured)),
    ),
    invariant_query(
        5,
        "payment {} with state {} has {} refunds of a refusal",
        select(_Y.tenant_id, _Y.id, _Y.state, _refusals)
        .select_from(_refund_of)
        .where(_refusals != case((_Y.state == REFUSED, 1), else_=0)),
    ),
    invariant_query(
        5,
        "refund {} with state {} has booked {}, its transfer is of {}",
        select(_R.tenant_id, _R.id, _R.state, _R.booked, _paid)
        .select_from(payment_refunds.outerjoin(transfers, transfer_of("payment_refund:", _R)))
        .where(_paid != _R.booked),
    ),
    invariant_query(
        5,
        "refund {} with state {} has booked {}, the transfer that returns it is of {}",
        select(_R.tenant_id, _R.id, _R.state, _R.booked, _paid)
        .select_from(payment_refunds.outerjoin(transfers, transfer_of("payment_refund_return:", _R)))
        .where(_paid != case((_R.state == NOT_PAID_OUT, _R.booked), else_=0)),
    ),
    transfer_without_row("payment_refund:", "refund", _R, payment_refunds, _R.booked > 0),
    transfer_without_row("payment_refund_return:", "failed refund", _R, payment_refunds, _R.state == NOT_PAID_OUT),
    invariant_query(
        5,
        "payment {} with state {} has lost {}, its transfer is of {}",
        select(_Y.tenant_id, _Y.id, _Y.state, _Y.lost, _paid)
        .select_from(payments.outerjoin(transfers, transfer_of("payment_dispute:", _Y)))
        .where(_paid != _Y.lost),
    ),
    transfer_without_row("payment_dispute:", "lost payment", _Y, payments, _Y.state == LOST),
    invariant_query(
        5,
        "transfer {} of order {} moves money of account {} of {}, the buyer is {}",
        select(_T.tenant_id, _T.id, _O.id, _A.id, _A.owner_id, _O.buyer_id)
        .select_from(
            transfers.join(orders, and_(_O.tenant_id == _T.tenant_id, _O.id == _T.order_id)).join(
                ledger_accounts,
                and_(
                    _A.tenant_id == _T.tenant_id,
                    _A.bounded == 1,
                    or_(_A.id == _T.from_id, _A.id == _T.to_id),
                ),
            )
        )
        .where(func.substr(_T.business_key, 1, len("payment")) == "payment", _A.owner_id != _O.buyer_id),
    ),
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
