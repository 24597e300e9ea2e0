"""The wire schemas of the Payment surface."""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from bedesten.http.schemas import Amount, RequestModel, ResponseModel
from bedesten.surfaces.schemas import Id, Reference, Time

Currency = Annotated[str, Meta(min_length=3, max_length=3)]
DepositState = Literal["created", "confirmed", "rejected", "awaitingApproval"]
PaymentState = Literal["created", "captured", "cancelled", "refused"]


class CreateDeposit(RequestModel, frozen=True):
    """A deposit for a partner, named by id or e-mail. `reference` is the payment service's own name for the deposit."""

    partner: Annotated[str, Meta(min_length=1, max_length=254)]
    amount: Annotated[Amount, Meta(extra_json_schema={"exclusiveMinimum": 0})]
    reference: Reference
    currency: Currency | None = None


class DepositId(RequestModel, frozen=True):
    """Selects a deposit."""

    deposit_id: Id


class CreatePayment(RequestModel, frozen=True):
    """A payment for one storefront order. `amount` is the order's total."""

    order_id: Id
    amount: Annotated[Amount, Meta(extra_json_schema={"exclusiveMinimum": 0})]
    reference: Reference
    currency: Currency | None = None


class PaymentId(RequestModel, frozen=True):
    """Selects a payment."""

    payment_id: Id


class DepositView(ResponseModel, frozen=True):
    """A deposit: `created`, `confirmed`, `rejected`, or `awaitingApproval` by the operator."""

    deposit_id: str
    partner_id: str
    reference: str
    amount: Decimal
    currency: str
    state: Annotated[DepositState, Meta(title="DepositState")]
    created: Time
    updated: Time


class PaymentView(ResponseModel, frozen=True):
    """A payment: `created`, `captured`, `cancelled` or `refused`. A refused payment must be refunded to the payer."""

    payment_id: str
    order_id: str
    reference: str
    amount: Decimal
    currency: str
    state: Annotated[PaymentState, Meta(title="PaymentState")]
    created: Time
    updated: Time
