"""The Payment surface: payment services and back offices."""

from bedesten_client._call import Call, Operation
from bedesten_client._paging import Body
from bedesten_client._retry import RetryPolicy
from bedesten_client._surfaces import api_keys
from bedesten_client.schemas import Amount, ApiKey, Deposit, KeyRevocation, KeyRotation, Payment


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


class _PaymentId(Body, frozen=True):
    payment_id: str


_KEYED = RetryPolicy.KEYED
CREATE_DEPOSIT = Operation(method="POST", path="/Payment/Deposits/Create", result=Deposit, retry_policy=_KEYED)
CONFIRM_DEPOSIT = Operation(method="POST", path="/Payment/Deposits/Confirm", result=Deposit, retry_policy=_KEYED)
CREATE_PAYMENT = Operation(method="POST", path="/Payment/Payments/Create", result=Payment, retry_policy=_KEYED)
CAPTURE_PAYMENT = Operation(method="POST", path="/Payment/Payments/Capture", result=Payment, retry_policy=_KEYED)
CANCEL_PAYMENT = Operation(method="POST", path="/Payment/Payments/Cancel", result=Payment, retry_policy=_KEYED)
GET_KEY, ROTATE_KEY, REVOKE_KEY = api_keys.get("Payment"), api_keys.rotate("Payment"), api_keys.revoke("Payment")


def create_deposit(partner: str, amount: Amount, reference: str, *, currency: str | None = None) -> Call[Deposit]:
    """Announce money for a partner (id or e-mail). The reference identifies the deposit."""
    return Call(CREATE_DEPOSIT, _NewDeposit(partner=partner, amount=amount, reference=reference, currency=currency))


def confirm_deposit(deposit_id: str) -> Call[Deposit]:
    """Book a deposit into the partner's balance. Idempotent."""
    return Call(CONFIRM_DEPOSIT, _DepositId(deposit_id=deposit_id))


def create_payment(order_id: str, amount: Amount, reference: str, *, currency: str | None = None) -> Call[Payment]:
    """Announce the payment of a storefront order. The reference identifies the payment."""
    return Call(CREATE_PAYMENT, _NewPayment(order_id=order_id, amount=amount, reference=reference, currency=currency))


def capture_payment(payment_id: str) -> Call[Payment]:
    """Book a payment and deliver or queue its order. Idempotent."""
    return Call(CAPTURE_PAYMENT, _PaymentId(payment_id=payment_id))


def cancel_payment(payment_id: str) -> Call[Payment]:
    """Cancel a payment that was not captured."""
    return Call(CANCEL_PAYMENT, _PaymentId(payment_id=payment_id))


def get_key() -> Call[ApiKey]:
    """Return the state of the client's API key."""
    return Call(GET_KEY)


def rotate_key(
    *, grace_seconds: int | None = None, from_first_use: bool = False, replaces: str | None = None
) -> Call[KeyRotation]:
    """Replace the API key's secret. Store the new one where the client reads it. Never retried automatically."""
    return Call(ROTATE_KEY, api_keys.rotate_body(grace_seconds, from_first_use, replaces))


def revoke_key(*, previous: bool = False) -> Call[KeyRevocation]:
    """Revoke the API key, or only the previous secret of its rotation."""
    return Call(REVOKE_KEY, api_keys.revoke_body(previous))
