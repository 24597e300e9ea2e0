"""Customers, their sessions and their orders on the Storefront surface."""

from datetime import datetime
from decimal import Decimal

from bedesten_client.schemas._base import DeliveredCode, Schema
from bedesten_client.schemas._catalogue import RequireData


class Profile(Schema, frozen=True):
    """A customer's own account. `email_verified`: the customer has shown that it receives mail at `email`."""

    customer_id: str
    email: str
    email_verified: bool
    name: str
    created: datetime


class Session(Schema, frozen=True):
    """A login and the tokens that followed from it. `address` and `user_agent` are those of the login."""

    session_id: str
    current: bool
    created: datetime
    renewed: datetime
    expires: datetime
    address: str
    user_agent: str


class CheckoutItem(Schema, frozen=True, kw_only=False):
    """One product of a checkout."""

    product_id: str
    quantity: int
    require_data: tuple[RequireData, ...] = ()


class CustomerLine(Schema, frozen=True, kw_only=True):
    """One line of a customer's order. `delivery_data` has the codes once the line is paid and delivered."""

    order_detail_id: str
    product_id: str
    product_name: str
    quantity: int
    delivered: int = 0
    cancelled: int = 0
    unit_price: Decimal
    price: Decimal
    refunded: Decimal = Decimal(0)
    status: int
    delivery_data: tuple[str, ...] | None
    delivery_items: tuple[DeliveredCode, ...] | None = None
    delivery_note: tuple[str, ...] | None


class OrderRefund(Schema, frozen=True):
    """Money of a payment that goes back to the payer. `state`: `requested`, `done` or `failed`."""

    amount: Decimal
    state: str
    created: datetime
    updated: datetime


class CustomerOrder(Schema, frozen=True):
    """A customer's order. `state`: `awaitingPayment` until `expires`, `placed`, `expired` or `cancelled`."""

    order_id: str
    reference: str
    state: str
    currency: str
    total: Decimal
    created: datetime
    expires: datetime | None
    items: tuple[CustomerLine, ...]
    refunds: tuple[OrderRefund, ...] = ()


class CustomerLineSummary(Schema, frozen=True):
    """The current state of a customer's line, without codes. `delivered` and `cancelled` count units."""

    order_detail_id: str
    product_id: str
    product_name: str
    quantity: int
    delivered: int
    cancelled: int
    unit_price: Decimal
    price: Decimal
    refunded: Decimal
    status: int
    updated: datetime


class CustomerOrderSummary(Schema, frozen=True):
    """The current state of a customer's order, without codes."""

    order_id: str
    reference: str
    state: str
    currency: str
    total: Decimal
    created: datetime
    expires: datetime | None
    items: tuple[CustomerLineSummary, ...]


class PaymentMethod(Schema, frozen=True):
    """A way of paying that the shop offers: its code, and the bounds of an order's total."""

    code: str
    title: str
    currency: str
    min_amount: Decimal | None
    max_amount: Decimal | None


class CustomerPayment(Schema, frozen=True):
    """A payment as its customer sees it. `redirect_url` is where to send the customer while the payment is open.

    `reason` says why the provider declined a `failed` payment, if it said so.
    """

    payment_id: str
    order_id: str
    order_state: str
    method: str | None
    amount: Decimal
    currency: str
    state: str
    reason: str | None
    captured: Decimal
    refunded: Decimal
    redirect_url: str | None
    expires: datetime | None
    created: datetime
    updated: datetime


class BasketDatum(Schema, frozen=True):
    """The customer's answer to a requirement of a product."""

    product_require_id: str
    identifier: str | None
    value: str


class BasketItem(Schema, frozen=True):
    """A line of the basket. `reason` says why it cannot be ordered now; `changes` is what differs since it was put in."""

    line_id: str
    product_id: str
    product_name: str
    quantity: int
    require_data: tuple[BasketDatum, ...]
    unit_price: Decimal | None
    price: Decimal | None
    unit_price_before: Decimal
    on_sale: bool
    reason: str | None
    changes: tuple[str, ...]


class Basket(Schema, frozen=True):
    """A customer's basket as it could be ordered now. `total` is that of the lines that can be ordered."""

    version: int
    items: tuple[BasketItem, ...]
    units: int
    total: Decimal | None
    currency: str
    orderable: bool
    max_lines: int
    max_quantity: int
    updated: datetime | None


class SiteText(Schema, frozen=True):
    """One text of the shop in one language."""

    language: str
    key: str
    text: str


class SiteLimits(Schema, frozen=True):
    """What a basket and a checkout can hold, and for how long a checkout reserves its goods."""

    max_lines: int
    max_quantity: int
    checkout_seconds: int


class SiteConfiguration(Schema, frozen=True):
    """The public settings of the shop. `registration`: `open` or `closed`."""

    name: str
    sandbox: bool
    accent: str | None
    currency: str
    currency_digits: int
    region: str
    regions: tuple[str, ...]
    languages: tuple[str, ...]
    texts: tuple[SiteText, ...]
    support_email: str | None
    support_url: str | None
    terms_url: str | None
    privacy_url: str | None
    registration: str
    payment_methods: tuple[PaymentMethod, ...]
    limits: SiteLimits
