"""What payment services send and get."""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from bedesten.http.schemas import Amount, RequestModel, ResponseModel
from bedesten.surfaces.schemas import Id, Reference, Time

Currency = Annotated[str, Meta(min_length=3, max_length=3)]
DepositState = Literal["created", "confirmed", "rejected", "awaitingApproval"]
PaymentState = Literal["created", "captured", "cancelled", "refused"]


class CreateDeposit(RequestModel, frozen=True):
    """Money for a partner, named by id or e-mail. `reference` is the payment service's own and names it once."""

    partner: Annotated[str, Meta(min_length=1, max_length=254)]
    amount: Annotated[Amount, Meta(extra_json_schema={"exclusiveMinimum": 0})]
    reference: Reference
    currency: Currency | None = None


class DepositId(RequestModel, frozen=True):
    """Which deposit."""

    deposit_id: Id


class CreatePayment(RequestModel, frozen=True):
    """A payment of one storefront order. `amount` is the order's total."""

    order_id: Id
    amount: Annotated[Amount, Meta(extra_json_schema={"exclusiveMinimum": 0})]
    reference: Reference
    currency: Currency | None = None


class PaymentId(RequestModel, frozen=True):
    """Which payment."""

    payment_id: Id


class DepositView(ResponseModel, frozen=True):
    """A deposit: `created`, `confirmed`, `rejected`, or `awaitingApproval` by the shop's operator."""

    deposit_id: str
    partner_id: str
    reference: str
    amount: Decimal
    currency: str
    state: Annotated[DepositState, Meta(title="DepositState")]
    created: Time
    updated: Time


class PaymentView(ResponseModel, frozen=True):
    """A payment: `created`, `captured`, `cancelled` or `refused`; a refused one must be given back."""

    payment_id: str
    order_id: str
    reference: str
    amount: Decimal
    currency: str
    state: Annotated[PaymentState, Meta(title="PaymentState")]
    created: Time
    updated: Time
