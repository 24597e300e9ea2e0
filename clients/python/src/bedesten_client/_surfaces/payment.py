"""The Payment surface: payment services and back offices."""

from datetime import datetime

from bedesten_client._call import Call, Operation
from bedesten_client._paging import Body, Paging, since
from bedesten_client._retry import RetryPolicy
from bedesten_client._surfaces import api_keys, webhooks
from bedesten_client.schemas import (
    Amount,
    Deposit,
    Page,
    Payment,
    PaymentRefund,
    ProviderEvent,
    Settlement,
)


class _NewDeposit(Body, frozen=True):
    partner: str
    amount: Amount
    reference: str
    currency: str | None = None


class _DepositId(Body, frozen=True):
    deposit_id: str


class _NewPayment(Body, frozen=True):
    order_id: str
    amount: Amount
    reference: str
    currency: str | None = None


class _Deposit(Body, frozen=True):
    deposit_id: str | None = None
    reference: str | None = None


class _PaymentId(Body, frozen=True):
    payment_id: str


class _Payment(Body, frozen=True):
    payment_id: str | None = None
    reference: str | None = None


class _Capture(Body, frozen=True):
    payment_id: str
    amount: Amount | None = None
    reference: str | None = None


class _Refund(Body, frozen=True):
    payment_id: str
    reference: str
    amount: Amount | None = None
    reason: str | None = None
    refund_order: bool | None = None


class _RefundId(Body, frozen=True):
    refund_id: str


class _FailedRefund(Body, frozen=True):
    refund_id: str
    reason: str | None = None


class _Event(Body, frozen=True):
    event_id: str
    type: str
    occurred_at: str | None
    payment_id: str | None = None
    payment_reference: str | None = None
    operation_reference: str | None = None
    amount: Amount | None = None
    currency: str | None = None
    reason: str | None = None


class _States(Paging, frozen=True):
    state: str | None = None


_KEYED = RetryPolicy.KEYED
CREATE_DEPOSIT = Operation(method="POST", path="/Payment/Deposits/Create", result=Deposit, retry_policy=_KEYED)
CONFIRM_DEPOSIT = Operation(method="POST", path="/Payment/Deposits/Confirm", result=Deposit, retry_policy=_KEYED)
CREATE_PAYMENT = Operation(method="POST", path="/Payment/Payments/Create", result=Payment, retry_policy=_KEYED)
CAPTURE_PAYMENT = Operation(method="POST", path="/Payment/Payments/Capture", result=Payment, retry_policy=_KEYED)
CANCEL_PAYMENT = Operation(method="POST", path="/Payment/Payments/Cancel", result=Payment, retry_policy=_KEYED)
AUTHORISE_PAYMENT = Operation(method="POST", path="/Payment/Payments/Authorise", result=Payment, retry_policy=_KEYED)
REFUND_PAYMENT = Operation(method="POST", path="/Payment/Payments/Refund", result=PaymentRefund, retry_policy=_KEYED)
GET_PAYMENT = Operation(method="POST", path="/Payment/Payments/Get", result=Payment)
LIST_PAYMENTS = Operation(method="POST", path="/Payment/Payments/List", result=Page[Payment])
LIST_REFUNDS = Operation(method="POST", path="/Payment/Refunds/List", result=Page[PaymentRefund])
CONFIRM_REFUND = Operation(method="POST", path="/Payment/Refunds/Confirm", result=PaymentRefund, retry_policy=_KEYED)
FAIL_REFUND = Operation(method="POST", path="/Payment/Refunds/Fail", result=PaymentRefund, retry_policy=_KEYED)
NOTIFY = Operation(method="POST", path="/Payment/Notify", result=ProviderEvent, retry_policy=_KEYED)
LIST_EVENTS = Operation(method="POST", path="/Payment/Events/List", result=Page[ProviderEvent])
LIST_SETTLEMENTS = Operation(method="POST", path="/Payment/Settlements/List", result=Page[Settlement])
REJECT_DEPOSIT = Operation(method="POST", path="/Payment/Deposits/Reject", result=Deposit, retry_policy=_KEYED)
GET_DEPOSIT = Operation(method="POST", path="/Payment/Deposits/Get", result=Deposit)
LIST_DEPOSITS = Operation(method="POST", path="/Payment/Deposits/List", result=Page[Deposit])


def create_deposit(partner: str, amount: Amount, reference: str, *, currency: str | None = None) -> Call[Deposit]:
    """Announce money for a partner (id or e-mail). The reference identifies the deposit."""
    return Call(CREATE_DEPOSIT, _NewDeposit(partner=partner, amount=amount, reference=reference, currency=currency))


def confirm_deposit(deposit_id: str) -> Call[Deposit]:
    """Book a deposit into the partner's balance. Idempotent."""
    return Call(CONFIRM_DEPOSIT, _DepositId(deposit_id=deposit_id))


def create_payment(order_id: str, amount: Amount, reference: str, *, currency: str | None = None) -> Call[Payment]:
    """Announce the payment of a storefront order. The reference identifies the payment."""
    return Call(CREATE_PAYMENT, _NewPayment(order_id=order_id, amount=amount, reference=reference, currency=currency))


def authorise_payment(payment_id: str) -> Call[Payment]:
    """Note that the provider has reserved the payer's money. Idempotent."""
    return Call(AUTHORISE_PAYMENT, _PaymentId(payment_id=payment_id))


def capture_payment(payment_id: str, *, amount: Amount | None = None, reference: str | None = None) -> Call[Payment]:
    """Book a payment and deliver or queue its order, or book a part of it under a reference. Idempotent."""
    return Call(CAPTURE_PAYMENT, _Capture(payment_id=payment_id, amount=amount, reference=reference))


def cancel_payment(payment_id: str) -> Call[Payment]:
    """Cancel a payment that was not captured."""
    return Call(CANCEL_PAYMENT, _PaymentId(payment_id=payment_id))


def refund_payment(
    payment_id: str,
    reference: str,
    *,
    amount: Amount | None = None,
    reason: str | None = None,
    refund_order: bool = False,
) -> Call[PaymentRefund]:
    """Book a refund that the payment service makes: all that is left, or an amount. The reference identifies it.

    `refund_order`: refund the delivered lines of the order in the same step.
    """
    body = _Refund(
        payment_id=payment_id,
        reference=reference,
        amount=amount,
        reason=reason,
        refund_order=refund_order or None,
    )
    return Call(REFUND_PAYMENT, body)


def get_payment(payment_id: str | None = None, *, reference: str | None = None) -> Call[Payment]:
    """Return a payment, by id or by the payment service's own reference."""
    return Call(GET_PAYMENT, _Payment(payment_id=payment_id, reference=reference))


def list_payments(
    *,
    state: str | None = None,
    updated_since: datetime | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Call[Page[Payment]]:
    """Return a page of the payment service's payments, oldest first."""
    return Call(
        LIST_PAYMENTS, _States(page_size=page_size, cursor=cursor, updated_since=since(updated_since), state=state)
    )


def list_refunds(
    *,
    state: str | None = None,
    updated_since: datetime | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Call[Page[PaymentRefund]]:
    """Return a page of refunds, oldest first, such as those in the state `requested`."""
    return Call(
        LIST_REFUNDS, _States(page_size=page_size, cursor=cursor, updated_since=since(updated_since), state=state)
    )


def confirm_refund(refund_id: str) -> Call[PaymentRefund]:
    """Note that the payer has the money of a requested refund. Idempotent."""
    return Call(CONFIRM_REFUND, _RefundId(refund_id=refund_id))


def fail_refund(refund_id: str, *, reason: str | None = None) -> Call[PaymentRefund]:
    """Return the money of a refund that did not reach the payer to the customer's balance. Idempotent."""
    return Call(FAIL_REFUND, _FailedRefund(refund_id=refund_id, reason=reason))


def notify(
    event_id: str,
    event_type: str,
    occurred_at: datetime,
    *,
    payment_id: str | None = None,
    payment_reference: str | None = None,
    operation_reference: str | None = None,
    amount: Amount | None = None,
    currency: str | None = None,
    reason: str | None = None,
) -> Call[ProviderEvent]:
    """Report an event of a provider, such as `payment.captured`. The event id identifies it."""
    body = _Event(
        event_id=event_id,
        type=event_type,
        occurred_at=since(occurred_at),
        payment_id=payment_id,
        payment_reference=payment_reference,
        operation_reference=operation_reference,
        amount=amount,
        currency=currency,
        reason=reason,
    )
    return Call(NOTIFY, body)


def list_events(
    *,
    state: str | None = None,
    updated_since: datetime | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Call[Page[ProviderEvent]]:
    """Return a page of the provider's events in the order in which they came."""
    return Call(
        LIST_EVENTS, _States(page_size=page_size, cursor=cursor, updated_since=since(updated_since), state=state)
    )


def list_settlements(
    *, updated_since: datetime | None = None, page_size: int | None = None, cursor: str | None = None
) -> Call[Page[Settlement]]:
    """Return a page of the statements that were reconciled, oldest first."""
    return Call(LIST_SETTLEMENTS, Paging(page_size=page_size, cursor=cursor, updated_since=since(updated_since)))


def reject_deposit(deposit_id: str) -> Call[Deposit]:
    """Reject a deposit that is not booked, for good. Idempotent."""
    return Call(REJECT_DEPOSIT, _DepositId(deposit_id=deposit_id))


def get_deposit(deposit_id: str | None = None, *, reference: str | None = None) -> Call[Deposit]:
    """Return a deposit, by id or by the payment service's own reference."""
    return Call(GET_DEPOSIT, _Deposit(deposit_id=deposit_id, reference=reference))


def list_deposits(
    *,
    state: str | None = None,
    updated_since: datetime | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Call[Page[Deposit]]:
    """Return a page of the payment service's deposits, oldest first."""
    return Call(
        LIST_DEPOSITS, _States(page_size=page_size, cursor=cursor, updated_since=since(updated_since), state=state)
    )


_KEYS = api_keys.KeyCalls("Payment")
get_key, rotate_key, revoke_key = _KEYS.get_key, _KEYS.rotate_key, _KEYS.revoke_key


_HOOKS = webhooks.WebhookCalls("/Payment/Webhooks")
create_endpoint, list_endpoints, update_endpoint = _HOOKS.create_endpoint, _HOOKS.list_endpoints, _HOOKS.update_endpoint
rotate_endpoint, test_endpoint, delete_endpoint = _HOOKS.rotate_endpoint, _HOOKS.test_endpoint, _HOOKS.delete_endpoint
list_deliveries, replay_deliveries = _HOOKS.list_deliveries, _HOOKS.replay_deliveries
simulate_webhooks = _HOOKS.simulate_webhooks
