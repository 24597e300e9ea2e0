"""All SQL statements on deposits, payments, refunds and providers' events."""

from typing import Any

from sqlalchemy import Select, Table, and_, or_, select, update

from bedesten.accounts.tables import accounts
from bedesten.payments.model import Deposit, Payment, PaymentRefund, ProviderEvent
from bedesten.payments.moves import DEPOSIT, EVENT, PAYMENT, REFUND
from bedesten.payments.tables import deposits, payment_captures, payment_refunds, payments, provider_events
from bedesten.store.sql import TENANT, insert_of, move_of, p, rows_as, statement

_D, _P, _R, _E, _C = deposits.c, payments.c, payment_refunds.c, provider_events.c, payment_captures.c
_DEPOSIT_COLUMNS = (
    _D.id, _D.integration_id, _D.partner_id, _D.reference, _D.digest, _D.currency, _D.amount, _D.state, _D.created,
    _D.updated, _D.approval,
)  # fmt: skip
_PAYMENT_COLUMNS = (
    _P.id, _P.integration_id, _P.order_id, _P.reference, _P.digest, _P.currency, _P.amount, _P.state, _P.created,
    _P.updated, _P.refusal, _P.refused_items, _P.captured, _P.refunded, _P.lost, _P.reason, _P.method,
)  # fmt: skip
_REFUND_COLUMNS = (
    _R.id, _R.integration_id, _R.payment_id, _R.reference, _R.currency, _R.amount, _R.booked, _R.state, _R.reason,
    _R.created, _R.updated,
)  # fmt: skip
_EVENT_COLUMNS = (
    _E.id, _E.integration_id, _E.name, _E.digest, _E.type, _E.payment_id, _E.payment_reference, _E.operation_reference,
    _E.amount, _E.reason, _E.occurred, _E.state, _E.outcome, _E.created, _E.updated,
)  # fmt: skip


def _page(table: Table, columns: tuple[Any, ...]) -> Select[Any]:
    """Selects a page of an integration's rows by id; of every integration's if its id is empty."""
    c = table.c
    return (
        select(*columns)
        .where(
            c.tenant_id == TENANT,
            or_(p("integration") == "", c.integration_id == p("integration")),
            c.id > p("after"),
            c.updated >= p("since"),
            or_(p("only") == -1, c.state == p("only")),
        )
        .order_by(c.id)
        .limit(p("most"))
    )


NEW_DEPOSIT = insert_of(deposits, or_ignore=True)
DEPOSIT_BY_REFERENCE = rows_as(
    Deposit,
    select(*_DEPOSIT_COLUMNS).where(
        _D.tenant_id == TENANT, _D.integration_id == p("integration"), _D.reference == p("reference")
    ),
)
DEPOSIT_BY_ID = rows_as(Deposit, select(*_DEPOSIT_COLUMNS).where(_D.tenant_id == TENANT, _D.id == p("id")))
DEPOSITS = rows_as(Deposit, _page(deposits, _DEPOSIT_COLUMNS))
DEPOSIT_MOVES = {
    one.event: move_of(
        DEPOSIT,
        one.event,
        _D.state,
        _D.id == p("id"),
        _D.state == p("was"),
        approval=p("new_approval"),
        updated=p("now"),
    )
    for one in DEPOSIT
    if one.sources
}

NEW_PAYMENT = insert_of(payments, or_ignore=True)
PAYMENT_BY_ID = rows_as(Payment, select(*_PAYMENT_COLUMNS).where(_P.tenant_id == TENANT, _P.id == p("id")))
PAYMENT_BY_REFERENCE = rows_as(
    Payment,
    select(*_PAYMENT_COLUMNS).where(
        _P.tenant_id == TENANT, _P.integration_id == p("integration"), _P.reference == p("reference")
    ),
)
PAYMENTS = rows_as(Payment, _page(payments, _PAYMENT_COLUMNS))
PAYMENTS_OF_ORDER = rows_as(
    Payment,
    select(*_PAYMENT_COLUMNS).where(_P.tenant_id == TENANT, _P.order_id == p("order_id")).order_by(_P.id),
)


def _payment_move(event: str, **values: Any) -> Any:
    return move_of(PAYMENT, event, _P.state, _P.id == p("id"), updated=p("now"), **values)


AUTHORISE = _payment_move("authorise", reason=None)
CAPTURE_PART = _payment_move("capturePart", captured=_P.captured + p("more"), reason=None)
CAPTURE = _payment_move("capture", captured=_P.amount, reason=None)
REFUSE = _payment_move("refuse", refusal=p("number"), refused_items=p("items"), refunded=_P.captured)
CANCEL = _payment_move("cancel")
FAIL = _payment_move("fail", reason=p("why"))
REFUND_PART = _payment_move("refundPart", refunded=_P.refunded + p("more"))
REFUND_ALL = _payment_move("refund", refunded=_P.refunded + p("more"))
REFUND_FAILS = _payment_move("refundFails", refunded=_P.refunded + p("more"))
PART_REFUND_FAILS = _payment_move("partRefundFails", refunded=_P.refunded + p("more"))
ADD_REFUNDED = statement(
    update(payments)
    .where(_P.tenant_id == TENANT, _P.id == p("id"))
    .values(refunded=_P.refunded + p("more"), updated=p("now"))
)
"""A refund of a refused payment, or one that fails during or after a dispute: the payment's state stays."""
DISPUTE = _payment_move("dispute", reason=p("why"))
WIN = _payment_move("win", reason=None)
LOSE = _payment_move("lose", lost=p("more"), reason=p("why"))

NEW_CAPTURE = insert_of(payment_captures, or_ignore=True)
CAPTURE_BY_REFERENCE = statement(
    select(_C.id, _C.amount).where(
        _C.tenant_id == TENANT, _C.payment_id == p("payment"), _C.reference == p("reference")
    )
)

NEW_REFUND = insert_of(payment_refunds, or_ignore=True)
REFUND_BY_ID = rows_as(PaymentRefund, select(*_REFUND_COLUMNS).where(_R.tenant_id == TENANT, _R.id == p("id")))
REFUND_BY_REFERENCE = rows_as(
    PaymentRefund,
    select(*_REFUND_COLUMNS).where(
        _R.tenant_id == TENANT, _R.payment_id == p("payment"), _R.reference == p("reference")
    ),
)
REFUNDS_OF = rows_as(
    PaymentRefund,
    select(*_REFUND_COLUMNS).where(_R.tenant_id == TENANT, _R.payment_id == p("payment")).order_by(_R.id),
)
REFUNDS_OF_ORDER = rows_as(
    PaymentRefund,
    select(*_REFUND_COLUMNS)
    .select_from(payment_refunds.join(payments, and_(_P.tenant_id == _R.tenant_id, _P.id == _R.payment_id)))
    .where(_R.tenant_id == TENANT, _P.order_id == p("order_id"))
    .order_by(_R.id),
)
REFUNDS = rows_as(PaymentRefund, _page(payment_refunds, _REFUND_COLUMNS))
CONFIRM_REFUND = move_of(REFUND, "confirm", _R.state, _R.id == p("id"), updated=p("now"))
FAIL_REFUND = move_of(REFUND, "fail", _R.state, _R.id == p("id"), updated=p("now"), reason=p("why"))

LOCK_INTEGRATION = statement(
    select(accounts.c.id)
    .where(accounts.c.tenant_id == TENANT, accounts.c.id == p("integration"))
    .with_for_update(key_share=True)
)
"""Waits for payments that are being announced (`SHARE_INTEGRATION`); taken before every other lock."""
SHARE_INTEGRATION = statement(
    select(accounts.c.id)
    .where(accounts.c.tenant_id == TENANT, accounts.c.id == p("integration"))
    .with_for_update(read=True)
)
NEW_EVENT = insert_of(provider_events, or_ignore=True)
EVENT_BY_NAME = rows_as(
    ProviderEvent,
    select(*_EVENT_COLUMNS).where(_E.tenant_id == TENANT, _E.integration_id == p("integration"), _E.name == p("name")),
)
EVENTS = rows_as(ProviderEvent, _page(provider_events, _EVENT_COLUMNS))
EVENTS_OF_PAYMENT = rows_as(
    ProviderEvent,
    select(*_EVENT_COLUMNS)
    .where(
        _E.tenant_id == TENANT,
        _E.integration_id == p("integration"),
        or_(_E.payment_id == p("payment"), _E.payment_reference == p("reference")),
        or_(p("only") == -1, _E.state == p("only")),
    )
    .order_by(_E.occurred, _E.id),
)
APPLY_EVENT = move_of(EVENT, "apply", _E.state, _E.id == p("id"), updated=p("now"), outcome=p("text"))
CONTRADICT_EVENT = move_of(EVENT, "contradict", _E.state, _E.id == p("id"), updated=p("now"), outcome=p("text"))
EXPLAIN_EVENT = statement(
    update(provider_events).where(_E.tenant_id == TENANT, _E.id == p("id")).values(outcome=p("text"))
)
"""Says why an event still waits."""
