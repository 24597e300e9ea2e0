"""The wire schemas of the Storefront surface."""

from decimal import Decimal
from typing import Annotated, Literal

from msgspec import Meta

from bedesten.http.schemas import Amount, RequestModel, ResponseModel
from bedesten.orders.model import MAX_LINES
from bedesten.surfaces.schemas import (
    PASSWORD,
    DeliveredCode,
    Email,
    Id,
    LinkToken,
    Name,
    OrderPaging,
    Paging,
    Quantity,
    Reference,
    RefundState,
    RequireData,
    ShortNote,
    Status,
    Time,
)

BasketVersion = Annotated[int, Meta(ge=0, le=10**15)]
"""The version of a basket that the customer has seen."""
OrderState = Literal["awaitingPayment", "placed", "expired", "cancelled"]


class Register(RequestModel, frozen=True):
    """A new customer. The answer is the same for known and unknown e-mail addresses."""

    email: Email
    password: Annotated[str, Meta(max_length=16_384, extra_json_schema=PASSWORD)]
    name: Name | None = None


class RegistrationResult(ResponseModel, frozen=True):
    """The registration was accepted. Whether the e-mail address was known before is not revealed."""

    status: Literal["accepted"]


class Logout(RequestModel, frozen=True):
    """Ends the session of the presented token, or with `everywhere` all sessions of the customer."""

    everywhere: bool = False


class SessionEnd(ResponseModel, frozen=True):
    """The tokens are no longer valid."""

    status: Literal["ended"]


class ListSessions(Paging, frozen=True):
    """Selects the customer's open sessions."""


class SessionView(ResponseModel, frozen=True):
    """A session, which began with one login. `address` and `userAgent` are those of that login."""

    session_id: str
    current: bool
    created: Time
    renewed: Time
    expires: Time
    address: str
    user_agent: str


class EndSession(RequestModel, frozen=True):
    """Selects a session."""

    session_id: Id


class ChangePassword(RequestModel, frozen=True):
    """The current password and the new one."""

    current_password: Annotated[str, Meta(max_length=16_384)]
    new_password: Annotated[str, Meta(max_length=16_384, extra_json_schema=PASSWORD)]


class ForgotPassword(RequestModel, frozen=True):
    """Asks for a mail with a link to a new password. The answer is the same for known and unknown e-mail addresses."""

    email: Email


class MailRequest(ResponseModel, frozen=True):
    """The request was accepted. Whether a mail is sent is not revealed."""

    status: Literal["accepted"]


class ChangeEmail(RequestModel, frozen=True):
    """The new e-mail address, and the account's password."""

    new_email: Email
    current_password: Annotated[str, Meta(max_length=16_384)]


class VerifyEmail(RequestModel, frozen=True):
    """The token of a mailed link."""

    token: LinkToken


class UpdateProfile(RequestModel, frozen=True):
    """What changes of the customer's own account. A member that is left out stays."""

    name: Name | None = None


class Profile(ResponseModel, frozen=True):
    """A customer's own account. `emailVerified`: the customer has shown that it receives mail at `email`."""

    customer_id: str
    email: str
    email_verified: bool
    name: str
    created: Time


class CheckoutItem(RequestModel, frozen=True):
    """One product of a checkout."""

    product_id: Id
    quantity: Quantity
    require_data: Annotated[list[RequireData], Meta(max_length=50)] = []


class CreateCheckout(RequestModel, frozen=True):
    """A checkout: the goods are reserved until it expires. With a `reference` it can be safely repeated.

    Its lines are `items`, or with `fromBasket` those of the basket, which is then empty.
    """

    items: Annotated[list[CheckoutItem], Meta(max_length=MAX_LINES)] = []
    reference: Reference | None = None
    from_basket: bool = False
    basket_version: BasketVersion | None = None
    expected_total: Amount | None = None


class CancelCheckout(RequestModel, frozen=True):
    """Selects the checkout to cancel."""

    order_id: Id


class GetOrder(RequestModel, frozen=True):
    """Selects an order."""

    order_id: Id


class ListOrders(OrderPaging, frozen=True):
    """Selects orders of the customer; the conditions on status and product apply to one line."""

    state: Annotated[list[OrderState], Meta(max_length=4)] = []
    reference: Reference | None = None
    product_id: Id | None = None


class CancelOrder(RequestModel, frozen=True):
    """What is cancelled of an order: these lines, or all that is not delivered."""

    order_id: Id
    order_detail_ids: Annotated[list[Id], Meta(max_length=MAX_LINES)] = []
    reason: ShortNote | None = None


class CustomerLineSummary(ResponseModel, frozen=True):
    """One line of a customer's order, without codes."""

    order_detail_id: str
    product_id: str
    product_name: str
    quantity: int
    delivered: int
    cancelled: int
    unit_price: Decimal
    price: Decimal
    refunded: Decimal
    status: Status
    updated: Time


class CustomerOrderSummary(ResponseModel, frozen=True):
    """A customer's order in its present state, without codes."""

    order_id: str
    reference: str
    state: Annotated[OrderState, Meta(title="OrderState")]
    currency: str
    total: Decimal
    created: Time
    expires: Time | None
    items: list[CustomerLineSummary]


class CustomerLine(ResponseModel, frozen=True):
    """One line of a customer's order. `deliveryData` contains the codes once the line is paid and delivered with codes.

    `deliveryItems` are the same codes with their parts.
    """

    order_detail_id: str
    product_id: str
    product_name: str
    quantity: int
    delivered: int
    cancelled: int
    unit_price: Decimal
    price: Decimal
    refunded: Decimal
    status: Status
    delivery_data: list[str] | None
    delivery_items: list[DeliveredCode] | None
    delivery_note: list[str] | None


class OrderRefund(ResponseModel, frozen=True):
    """Money of a payment that goes back to the payer: `requested` from the payment service, `done` or `failed`."""

    amount: Decimal
    state: RefundState
    created: Time
    updated: Time


class CustomerOrder(ResponseModel, frozen=True):
    """A customer's order: `awaitingPayment` until `expires`, `placed`, `expired` or `cancelled`.

    `refunds` are those of its payments, also of one that came too late.
    """

    order_id: str
    reference: str
    state: Annotated[OrderState, Meta(title="OrderState")]
    currency: str
    total: Decimal
    created: Time
    expires: Time | None
    items: list[CustomerLine]
    refunds: list[OrderRefund]
