"""The handlers of the Payment surface."""

from bedesten import errors
from bedesten.accounts import actions as accounts
from bedesten.core.clock import wire_time
from bedesten.core.money import to_decimal
from bedesten.core.text import email_or_none
from bedesten.errors import Refusal, bad_field
from bedesten.http.context import RequestContext
from bedesten.http.schemas import Amount, amount
from bedesten.payments import actions as payments
from bedesten.payments.actions import Deposit, Payment
from bedesten.store.transaction import Transaction
from bedesten.surfaces.payment import schemas

_DEPOSIT_STATES: tuple[schemas.DepositState, ...] = ("created", "confirmed", "rejected", "awaitingApproval")
_PAYMENT_STATES: tuple[schemas.PaymentState, ...] = ("created", "captured", "cancelled", "refused")


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


def create_payment(tx: Transaction, context: RequestContext, body: schemas.CreatePayment) -> schemas.PaymentView:
    """Announces a payment for a storefront order; answers the same payment again to the same request."""
    minor = _positive(context, body.amount, body.currency)
    return _payment_view(payments.create_payment(tx, context.who.owner, body.order_id, body.reference, minor))


def capture_payment(tx: Transaction, context: RequestContext, body: schemas.PaymentId) -> schemas.PaymentView | Refusal:
    """Books a payment and delivers or queues its order, once. A refusal is final for the payment."""
    captured = payments.capture_payment(tx, context.who.owner, body.payment_id)
    return captured if isinstance(captured, Refusal) else _payment_view(captured)


def cancel_payment(tx: Transaction, context: RequestContext, body: schemas.PaymentId) -> schemas.PaymentView:
    """Cancels a payment before its capture."""
    return _payment_view(payments.cancel_payment(tx, context.who.owner, body.payment_id))


def _positive(context: RequestContext, value: Amount, currency: str | None) -> int:
    if currency is not None and currency.upper() != context.tenant.currency:
        raise bad_field("currency", f"must be the shop's currency, {context.tenant.currency}")
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
        state=_DEPOSIT_STATES[deposit.state],
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
        state=_PAYMENT_STATES[payment.state],
        created=wire_time(payment.created),
        updated=wire_time(payment.updated),
    )
