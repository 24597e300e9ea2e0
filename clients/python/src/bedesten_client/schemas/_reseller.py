"""Orders and accounts of the Reseller surface."""

from datetime import datetime
from decimal import Decimal

from bedesten_client.schemas._base import Amount, DeliveredCode, Schema
from bedesten_client.schemas._catalogue import RequireData


class BasketLine(Schema, frozen=True, kw_only=False):
    """One line of a new order.

    `deliver_id` is the partner's own id of the line. Above `max_unit_price` the server refuses the order.
    """

    deliver_id: str
    customer_store_product_id: str
    quantity: int
    max_unit_price: Amount | None = None
    require_data: tuple[RequireData, ...] = ()


class PlacedLine(Schema, frozen=True):
    """A line as it was placed. `price` is the line's total."""

    deliver_id: str
    order_detail_id: str
    quantity: int
    price: Decimal
    status: int


class PlacedOrder(Schema, frozen=True):
    """An order as it was placed. Sending the same order again returns the same values."""

    order_id: str
    order_reference: str
    currency: str
    total: Decimal
    details: tuple[PlacedLine, ...]


class ValidLine(Schema, frozen=True):
    """A line as it would be placed now. `price` is the line's total."""

    deliver_id: str
    quantity: int
    unit_price: Decimal
    price: Decimal
    status: int


class ValidOrder(Schema, frozen=True):
    """An order that would be placed now. `known`: its reference already names this very order."""

    order_reference: str
    known: bool
    currency: str
    total: Decimal
    details: tuple[ValidLine, ...]


class OrderLine(Schema, frozen=True, kw_only=True):
    """The current state of a line. `delivery_data` has the codes once it is delivered, `delivery_items` their parts."""

    deliver_id: str
    order_detail_id: str
    customer_store_product_id: str
    product_name: str
    quantity: int
    delivered: int = 0
    cancelled: int = 0
    unit_price: Decimal
    price: Decimal
    refunded: Decimal = Decimal(0)
    currency: str
    status: int
    delivery_data: tuple[str, ...] | None
    delivery_items: tuple[DeliveredCode, ...] | None = None
    delivery_note: tuple[str, ...] | None
    updated: datetime


class Order(Schema, frozen=True):
    """The current state of an order."""

    order_id: str
    order_reference: str
    currency: str
    total: Decimal
    created: datetime
    details: tuple[OrderLine, ...]


class LineSummary(Schema, frozen=True):
    """The current state of a line, without codes. `delivered` and `cancelled` count units."""

    deliver_id: str
    order_detail_id: str
    customer_store_product_id: str
    product_name: str
    quantity: int
    delivered: int
    cancelled: int
    unit_price: Decimal
    price: Decimal
    refunded: Decimal
    status: int
    updated: datetime


class OrderSummary(Schema, frozen=True):
    """The current state of an order, without codes."""

    order_id: str
    order_reference: str
    currency: str
    total: Decimal
    created: datetime
    details: tuple[LineSummary, ...]


class Account(Schema, frozen=True):
    """The partner's account. `available` is `balance` − `held`; `spendable` is the most that a new order may cost."""

    account_id: str
    name: str
    email: str
    scopes: tuple[str, ...]
    currency: str
    balance: Decimal
    held: Decimal
    available: Decimal
    credit_limit: Decimal
    spendable: Decimal
    low_balance: Decimal | None = None


class LowBalance(Schema, frozen=True):
    """The threshold of the alarm of a low balance (None: there is none), and what the account can spend now."""

    threshold: Decimal | None
    spendable: Decimal
    currency: str
