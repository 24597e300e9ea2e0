"""The handlers of the Payment surface."""

from collections.abc import Callable
from functools import partial

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.catalogue import actions as catalogue
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.core.moves import MoveTable
from bedesten.core.text import email_or_none
from bedesten.errors import Refusal, bad_field
from bedesten.http.context import RequestContext
from bedesten.http.schemas import Amount, amount
from bedesten.payments import actions as payments
from bedesten.payments import events, settlements
from bedesten.payments.events import NewEvent
from bedesten.payments.model import Deposit, ListPage, Payment, PaymentRefund, ProviderEvent
from bedesten.payments.moves import DEPOSIT, EVENT, PAYMENT, REFUND
from bedesten.payments.settlements import Comparison, Settlement
from bedesten.store.transaction import Transaction
from bedesten.surfaces import views
from bedesten.surfaces.payment import schemas
from bedesten.surfaces.schemas import Page, Paging


def create_deposit(tx: Transaction, context: RequestContext, body: schemas.CreateDeposit) -> schemas.DepositView:
    """Announces a deposit for a partner; answers the same deposit again to the same request."""
    minor = _positive(context, body.amount, body.currency)
    email = email_or_none(body.partner)
    partner = accounts.by_handle(tx, "partner", email) if email else accounts.by_id(tx, "partner", body.partner)
    if partner is None:
        raise Refusal(errors.NOT_FOUND, "no such partner", missing="partner", fields={"partner": "does not exist"})
    return _deposit_view(
        payments.create_deposit(tx, context.who.owner, partner.id, body.reference, context.tenant.currency, minor)
    )


def confirm_deposit(tx: Transaction, context: RequestContext, body: schemas.DepositId) -> schemas.DepositView:
    """Books a deposit into the partner's balance, once. A large deposit waits for the operator's approval."""
    return _deposit_view(payments.confirm_deposit(tx, context.who.owner, body.deposit_id))


def reject_deposit(tx: Transaction, context: RequestContext, body: schemas.DepositId) -> schemas.DepositView:
    """Rejects a deposit that is not booked, for good."""
    return _deposit_view(payments.reject_deposit(tx, body.deposit_id, context.who.owner, context.actor))


def get_deposit(tx: Transaction, context: RequestContext, body: schemas.GetDeposit) -> schemas.DepositView:
    """Reads a deposit."""
    _one_name(body.deposit_id, body.reference, "depositId")
    return _deposit_view(payments.get_deposit(tx, context.who.owner, body.deposit_id or "", body.reference or ""))


def list_deposits(tx: Transaction, context: RequestContext, body: schemas.ListDeposits) -> Page[schemas.DepositView]:
    """One page of the payment service's own deposits, the oldest first."""
    page, wanted = _requested(context, "deposits", body, DEPOSIT, body.state)
    found = payments.list_deposits(tx, context.who.owner, wanted)
    return views.page_view(context, "deposits", found, page, lambda one: one.id, _deposit_view)


def create_payment(tx: Transaction, context: RequestContext, body: schemas.CreatePayment) -> schemas.PaymentView:
    """Announces a payment for a storefront order; answers the same payment again to the same request."""
    minor = _positive(context, body.amount, body.currency)
    return _payment_view(payments.create_payment(tx, context.who.owner, body.order_id, body.reference, minor))


def authorise_payment(tx: Transaction, context: RequestContext, body: schemas.PaymentId) -> schemas.PaymentView:
    """Notes that the provider has reserved the payer's money."""
    return _payment_view(payments.authorise_payment(tx, context.who.owner, body.payment_id))


def capture_payment(
    tx: Transaction, context: RequestContext, body: schemas.CapturePayment
) -> schemas.PaymentView | Refusal:
    """Books a payment and delivers or queues its order, once. A refusal is final for the payment."""
    minor = None if body.amount is None else _positive(context, body.amount, None)
    captured = payments.capture_payment(tx, context.who.owner, body.payment_id, minor, body.reference or "")
    return captured if isinstance(captured, Refusal) else _payment_view(captured)


def cancel_payment(tx: Transaction, context: RequestContext, body: schemas.PaymentId) -> schemas.PaymentView:
    """Cancels a payment before its capture."""
    return _payment_view(payments.cancel_payment(tx, context.who.owner, body.payment_id))


def get_payment(tx: Transaction, context: RequestContext, body: schemas.GetPayment) -> schemas.PaymentView:
    """Reads a payment."""
    _one_name(body.payment_id, body.reference, "paymentId")
    return _payment_view(payments.get_payment(tx, context.who.owner, body.payment_id or "", body.reference or ""))


def list_payments(tx: Transaction, context: RequestContext, body: schemas.ListPayments) -> Page[schemas.PaymentView]:
    """One page of the payment service's own payments, the oldest first."""
    page, wanted = _requested(context, "payments", body, PAYMENT, body.state)
    found = payments.list_payments(tx, context.who.owner, wanted)
    return views.page_view(context, "payments", found, page, lambda one: one.id, _payment_view)


def refund_payment(tx: Transaction, context: RequestContext, body: schemas.RefundPayment) -> schemas.RefundView:
    """Books a refund that the payment service makes by itself, or confirms the requested one of this reference."""
    minor = None if body.amount is None else _positive(context, body.amount, None)
    who = context.who.owner
    named = (body.payment_id, minor, body.reference, body.reason)
    return _refund_view(payments.refund_payment(tx, who, *named, context.actor, with_order=body.refund_order))


def list_refunds(tx: Transaction, context: RequestContext, body: schemas.ListRefunds) -> Page[schemas.RefundView]:
    """One page of the refunds of the payment service's payments, the oldest first."""
    page, wanted = _requested(context, "refunds", body, REFUND, body.state)
    found = payments.list_refunds(tx, context.who.owner, wanted)
    return views.page_view(context, "refunds", found, page, lambda one: one.id, _refund_view)


def confirm_refund(tx: Transaction, context: RequestContext, body: schemas.RefundId) -> schemas.RefundView:
    """Notes that the payer has the money of a requested refund."""
    return _refund_view(payments.confirm_refund(tx, context.who.owner, body.refund_id))


def fail_refund(tx: Transaction, context: RequestContext, body: schemas.FailRefund) -> schemas.RefundView:
    """Returns the money of a refund that did not reach the payer to the buyer's balance."""
    return _refund_view(payments.fail_refund(tx, context.who.owner, body.refund_id, body.reason, context.actor))


def notify(tx: Transaction, context: RequestContext, body: schemas.Notify) -> schemas.EventView:
    """Keeps a provider's event and applies it as soon as what it needs is there."""
    if body.type in events.KINDS and body.payment_id is None and body.payment_reference is None:
        raise bad_field("paymentId", "or paymentReference must say which payment the event is about")
    if body.type == "payment.refundFailed" and body.operation_reference is None:
        raise bad_field("operationReference", "must say which refund has failed")
    _check_currency(context, body.currency)
    new = NewEvent(
        name=body.event_id,
        type=body.type,
        occurred=views.parse_time(body.occurred_at, "occurredAt"),
        payment_id=body.payment_id,
        payment_reference=body.payment_reference,
        operation_reference=body.operation_reference,
        amount=None if body.amount is None else _positive(context, body.amount, None),
        reason=body.reason,
    )
    return _event_view(context)(events.notify(tx, context.who.owner, new))


def list_events(tx: Transaction, context: RequestContext, body: schemas.ListEvents) -> Page[schemas.EventView]:
    """One page of the events that the payment service has sent, in the order in which they came."""
    page, wanted = _requested(context, "providerevents", body, EVENT, body.state)
    found = events.list_events(tx, context.who.owner, wanted)
    return views.page_view(context, "providerevents", found, page, lambda one: one.id, _event_view(context))


def list_settlements(tx: Transaction, context: RequestContext, body: Paging) -> Page[schemas.SettlementView]:
    """One page of the statements that were compared with the payment service's payments, the oldest first."""
    page = views.requested_page(context, "settlements", body)
    found = settlements.list_settlements(tx, context.who.owner, ListPage(page.after, page.size, page.since))
    shown = partial(_settlement_view, tx)
    return views.page_view(context, "settlements", found, page, lambda one: one.id, shown)


def _requested(
    context: RequestContext, kind: str, body: Paging, table: MoveTable, state: str | None
) -> tuple[catalogue.Page, ListPage]:
    page = views.requested_page(context, kind, body)
    if state is not None and state not in table.names:
        raise bad_field("state", f"must be one of {', '.join(table.names)}")
    number = next((one for one in table.states if table.states[one].name == state), -1)
    return page, ListPage(page.after, page.size, page.since, number)


def _one_name(id_: str | None, reference: str | None, field: str) -> None:
    if (id_ is None) == (reference is None):
        raise bad_field(field, "or reference must be given, and not both")


def _check_currency(context: RequestContext, currency: str | None) -> None:
    if currency is not None and currency.upper() != context.tenant.currency:
        raise bad_field("currency", f"must be the shop's currency, {context.tenant.currency}")


def _positive(context: RequestContext, value: Amount, currency: str | None) -> int:
    _check_currency(context, currency)
    minor = amount(value, context.tenant.currency, "amount")
    if minor <= 0:
        raise bad_field("amount", "must be above zero")
    return minor


def _deposit_view(deposit: Deposit) -> schemas.DepositView:
    return schemas.DepositView(
        deposit_id=deposit.id,
        partner_id=deposit.partner_id,
        reference=deposit.reference,
        amount=to_decimal(deposit.amount, deposit.currency),
        currency=deposit.currency,
        state=DEPOSIT.states[deposit.state].name,
        created=wire_time(deposit.created),
        updated=wire_time(deposit.updated),
    )


def _payment_view(payment: Payment) -> schemas.PaymentView:
    return schemas.PaymentView(
        payment_id=payment.id,
        order_id=payment.order_id,
        reference=payment.reference,
        amount=to_decimal(payment.amount, payment.currency),
        currency=payment.currency,
        state=PAYMENT.states[payment.state].name,
        captured=to_decimal(payment.captured, payment.currency),
        refunded=to_decimal(payment.refunded, payment.currency),
        lost=to_decimal(payment.lost, payment.currency),
        method=payment.method,
        reason=payment.reason,
        created=wire_time(payment.created),
        updated=wire_time(payment.updated),
    )


def _refund_view(refund: PaymentRefund) -> schemas.RefundView:
    return schemas.RefundView(
        refund_id=refund.id,
        payment_id=refund.payment_id,
        reference=refund.reference,
        amount=to_decimal(refund.amount, refund.currency),
        currency=refund.currency,
        state=REFUND.states[refund.state].name,
        reason=refund.reason,
        created=wire_time(refund.created),
        updated=wire_time(refund.updated),
    )


def _event_view(context: RequestContext) -> Callable[[ProviderEvent], schemas.EventView]:
    currency = context.tenant.currency

    def view(event: ProviderEvent) -> schemas.EventView:
        return schemas.EventView(
            event_id=event.name,
            type=event.type,
            payment_id=event.payment_id,
            payment_reference=event.payment_reference,
            operation_reference=event.operation_reference,
            amount=None if event.amount is None else to_decimal(event.amount, currency),
            currency=currency,
            reason=event.reason,
            occurred_at=wire_time(event.occurred),
            state=EVENT.states[event.state].name,
            outcome=event.outcome,
            created=wire_time(event.created),
            updated=wire_time(event.updated),
        )

    return view


def _settlement_view(tx: Transaction, settlement: Settlement) -> schemas.SettlementView:
    counts = settlements.counts_of(tx, settlement.id)
    currency = settlement.currency
    return schemas.SettlementView(
        settlement_id=settlement.id,
        name=settlement.name,
        currency=currency,
        total=to_decimal(settlement.total, currency),
        until=wire_time(settlement.until),
        matched=counts[settlements.MATCHED],
        missing_here=counts[settlements.MISSING_HERE],
        missing_there=counts[settlements.MISSING_THERE],
        amount_differs=counts[settlements.AMOUNT_DIFFERS],
        differences=[_line_view(one, currency) for one in settlements.differences_of(tx, settlement.id)],
        created=wire_time(settlement.created),
    )


def _line_view(line: Comparison, currency: str) -> schemas.SettlementLine:
    return schemas.SettlementLine(
        line=line.line,
        kind=line.kind,
        reference=line.reference,
        subject_id=line.subject,
        amount_there=None if line.there is None else to_decimal(line.there, currency),
        amount_here=None if line.here is None else to_decimal(line.here, currency),
        result=line.result,
    )
