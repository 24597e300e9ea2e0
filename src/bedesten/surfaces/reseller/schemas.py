"""The wire schemas of the Reseller surface."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from bedesten.http.schemas import Amount, RequestModel, ResponseModel
from bedesten.orders.model import MAX_LINES
from bedesten.surfaces.schemas import (
    DeliveredCode,
    Id,
    OrderPaging,
    Quantity,
    Reference,
    RequireData,
    ShortNote,
    Status,
    Time,
)


class BasketLine(RequestModel, frozen=True):
    """One line of an order; `deliverId` is the partner's own id of the line."""

    deliver_id: Reference
    customer_store_product_id: Id
    quantity: Quantity
    max_unit_price: Amount | None = None
    require_data: Annotated[list[RequireData], Meta(max_length=50)] = []


class CreateOrder(RequestModel, frozen=True):
    """An order, all or nothing. `orderReference` is the partner's own and identifies the order permanently."""

    order_reference: Reference
    basket_data: Annotated[list[BasketLine], Meta(min_length=1, max_length=MAX_LINES)]
    notify_url: Annotated[str, Meta(max_length=2_000)] | None = None


class GetOrder(RequestModel, frozen=True):
    """Selects one order by its id or by the partner's own reference."""

    order_id: Id | None = None
    order_reference: Reference | None = None


class ListOrders(OrderPaging, frozen=True):
    """Selects orders of the partner; the conditions on status and product apply to one line."""

    order_reference: Reference | None = None
    customer_store_product_id: Id | None = None


class CancelOrder(RequestModel, frozen=True):
    """What is cancelled of an order: these lines, or all that is not delivered."""

    order_id: Id | None = None
    order_reference: Reference | None = None
    order_detail_ids: Annotated[list[Id], Meta(max_length=MAX_LINES)] = []
    reason: ShortNote | None = None


class PlacedLine(ResponseModel, frozen=True):
    """A line of a placed order. `price` is the line's total."""

    deliver_id: str
    order_detail_id: str
    quantity: int
    price: Decimal
    status: Status


class PlacedOrder(ResponseModel, frozen=True):
    """The answer to an order, the same for each repetition."""

    order_id: str
    order_reference: str
    currency: str
    total: Decimal
    details: list[PlacedLine]


class ValidLine(ResponseModel, frozen=True):
    """A line as it would be placed now. `price` is the line's total."""

    deliver_id: str
    quantity: int
    unit_price: Decimal
    price: Decimal
    status: Status


class ValidOrder(ResponseModel, frozen=True):
    """An order that would be placed now. `known`: its reference already names this very order."""

    order_reference: str
    known: bool
    currency: str
    total: Decimal
    details: list[ValidLine]


class LineView(ResponseModel, frozen=True):
    """An order line in its present state. `deliveryData` contains the codes once the line is delivered with codes.

    `deliveryItems` are the same codes with their parts.
    """

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
    currency: str
    status: Status
    delivery_data: list[str] | None
    delivery_items: list[DeliveredCode] | None
    delivery_note: list[str] | None
    updated: Time


class LineSummary(ResponseModel, frozen=True):
    """An order line in its present state, without codes."""

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
    status: Status
    updated: Time


class OrderSummary(ResponseModel, frozen=True):
    """An order in its present state, without codes."""

    order_id: str
    order_reference: str
    currency: str
    total: Decimal
    created: Time
    details: list[LineSummary]


class OrderView(ResponseModel, frozen=True):
    """An order in its present state."""

    order_id: str
    order_reference: str
    currency: str
    total: Decimal
    created: Time
    details: list[LineView]


class AccountView(ResponseModel, frozen=True):
    """The partner's account and balance: `available` = `balance` − `held`; `spendable` is the limit for an order. Below
    `lowBalance` (null: never) an event tells the partner."""

    account_id: str
    name: str
    email: str
    scopes: list[str]
    currency: str
    balance: Decimal
    held: Decimal
    available: Decimal
    credit_limit: Decimal
    spendable: Decimal
    low_balance: Decimal | None


class SetLowBalance(RequestModel, frozen=True):
    """The amount below which `balance.low` tells what the account can spend; 0: never."""

    threshold: Annotated[Amount, Meta(extra_json_schema={"minimum": 0})]


class LowBalanceView(ResponseModel, frozen=True):
    """The threshold of the account's alarm (null: none), and what the account can spend now."""

    threshold: Decimal | None
    spendable: Decimal
    currency: str
