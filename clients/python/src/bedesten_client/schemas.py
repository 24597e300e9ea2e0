"""What is sent and what comes back, with types. Members that a newer server adds are left out."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any, Generic, TypeVar

import msgspec

from bedesten_client._secret import Secret

Item = TypeVar("Item")
Amount = Decimal | int
"""Money in a request. Not a float: it cannot hold most amounts."""

_CODES = frozenset({"delivery_data", "delivery_items", "codes", "code", "pin", "serial", "value"})


class LineStatus(IntEnum):
    """What an order line's `status` says."""

    CANCELLED = 0
    DELIVERED = 1
    PROCESSING = 2
    TAKEN_OUT = 3


class Schema(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A part of a request or an answer. Its `repr` leaves out stock codes and what buyers said."""

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}=…" if name in _CODES and getattr(self, name) else f"{name}={getattr(self, name)!r}"
            for name in self.__struct_fields__
        )
        return f"{type(self).__name__}({shown})"


class Page(Schema, Generic[Item], frozen=True):
    """A part of a list. `next_cursor` asks for the next one; None: this was the last."""

    items: tuple[Item, ...] = ()
    next_cursor: str | None = None

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)


class Token(Schema, frozen=True):
    """A bearer token, when it ends, and after how many seconds without use it is dead (None: never)."""

    token: Secret
    expiration: datetime
    idle_timeout_seconds: int | None = None
    callback_data: Any = None


class Status(Schema, frozen=True):
    """An answer that says only that it is so."""

    status: str


# --- catalogue --------------------------------------------------------------------------------------------------------


class Category(Schema, frozen=True):
    """A category and the number of products in it that are sold in the caller's region."""

    category_id: str
    name: str
    products: int


class Requirement(Schema, frozen=True):
    """Something that a buyer must say with an order of the product."""

    product_require_id: str
    name: str
    required: bool


class Product(Schema, frozen=True):
    """A product as buyers see it. `region` None: sold everywhere. `on_sale` False: it was sold once and is not any more,
    which `updated_since` tells; then `price` is None."""

    customer_store_product_id: str
    name: str
    description: str
    category_id: str | None
    region: str | None
    price: Decimal | None
    currency: str
    on_sale: bool
    in_stock: bool
    require_data: tuple[Requirement, ...]
    updated: datetime


class RequireData(Schema, frozen=True):
    """What a buyer says for a product's requirement, such as a player id."""

    product_require_id: str
    value: str
    identifier: str = ""


# --- Reseller ---------------------------------------------------------------------------------------------------------


class BasketLine(Schema, frozen=True, kw_only=False):
    """One line of an order. `deliver_id` is the partner's own id of it; the order is refused above `max_unit_price`."""

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
    """The answer to an order, and again to the same order."""

    order_id: str
    order_reference: str
    currency: str
    total: Decimal
    details: tuple[PlacedLine, ...]


class DeliveredCode(Schema, frozen=True):
    """A code that was delivered, with its parts. `expires` is the last day on which it is good (yyyy-MM-dd)."""

    code: str
    pin: str | None = None
    serial: str | None = None
    expires: str | None = None


class OrderLine(Schema, frozen=True, kw_only=True):
    """A line as it stands. `delivery_data` are the codes, once it is delivered with codes; `delivery_items` with parts."""

    deliver_id: str
    order_detail_id: str
    customer_store_product_id: str
    product_name: str
    quantity: int
    unit_price: Decimal
    price: Decimal
    currency: str
    status: int
    delivery_data: tuple[str, ...] | None
    delivery_items: tuple[DeliveredCode, ...] | None = None
    delivery_note: tuple[str, ...] | None
    updated: datetime


class Order(Schema, frozen=True):
    """An order as it stands."""

    order_id: str
    order_reference: str
    currency: str
    total: Decimal
    created: datetime
    details: tuple[OrderLine, ...]


class Account(Schema, frozen=True):
    """The partner's account and money: `available` = `balance` − `held`; `spendable` is what an order may cost."""

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


# --- Storefront -------------------------------------------------------------------------------------------------------


class Profile(Schema, frozen=True):
    """A customer's own account."""

    customer_id: str
    email: str
    name: str
    created: datetime


class Session(Schema, frozen=True):
    """What began with one login. `address` and `user_agent` are where that came from."""

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
    """One line of a customer's order. `delivery_data` are the codes, once it is paid and delivered with codes."""

    order_detail_id: str
    product_id: str
    product_name: str
    quantity: int
    unit_price: Decimal
    price: Decimal
    status: int
    delivery_data: tuple[str, ...] | None
    delivery_items: tuple[DeliveredCode, ...] | None = None
    delivery_note: tuple[str, ...] | None


class CustomerOrder(Schema, frozen=True):
    """A customer's order: `awaitingPayment` until `expires`, `placed`, `expired` or `cancelled`."""

    order_id: str
    reference: str
    state: str
    currency: str
    total: Decimal
    created: datetime
    expires: datetime | None
    items: tuple[CustomerLine, ...]


# --- Payment ----------------------------------------------------------------------------------------------------------


class Deposit(Schema, frozen=True):
    """Money for a partner: `created`, `confirmed`, `rejected`, or `awaitingApproval` by the shop's operator."""

    deposit_id: str
    partner_id: str
    reference: str
    amount: Decimal
    currency: str
    state: str
    created: datetime
    updated: datetime


class Payment(Schema, frozen=True):
    """A payment of a storefront order: `created`, `captured`, `cancelled` or `refused` (to be given back)."""

    payment_id: str
    order_id: str
    reference: str
    amount: Decimal
    currency: str
    state: str
    created: datetime
    updated: datetime


# --- Supplier ---------------------------------------------------------------------------------------------------------


class Offer(Schema, frozen=True, kw_only=False):
    """A product as its supplier offers it. `cost` is what the supplier earns with a unit."""

    sku: str
    name: str
    cost: Amount
    offered: bool = True


class SupplierProduct(Schema, frozen=True):
    """A product as its supplier sees it. `available` counts the free stock codes; `proposed_name` waits for the shop."""

    product_id: str
    sku: str | None
    name: str
    cost: Decimal | None
    currency: str
    offered: bool
    on_sale: bool
    proposed_name: str | None
    fulfilment: str
    available: int
    updated: datetime


class CodeItem(Schema, frozen=True, kw_only=False):
    """A code to put in or to deliver, with its parts. `expires` is the last day on which it is good (yyyy-MM-dd)."""

    code: str
    pin: str | None = None
    serial: str | None = None
    expires: str | None = None


class SkippedCode(Schema, frozen=True):
    """A code of an upload that was left out: its place among codes and then items, and why."""

    index: int
    reason: str
    product_id: str | None = None
    batch_id: str | None = None


class UploadResult(Schema, frozen=True):
    """What became of an upload: codes that were in the shop before are left out."""

    added: int
    duplicates: int
    available: int
    batch_id: str | None = None
    skipped: tuple[SkippedCode, ...] = ()


class AwaitingLine(Schema, frozen=True):
    """A line that waits for its supplier."""

    order_detail_id: str
    product_id: str
    product_name: str
    quantity: int
    require_data: tuple[RequireData, ...]
    queued: datetime


class DeliveryResult(Schema, frozen=True):
    """A line after its delivery."""

    order_detail_id: str
    status: int


# --- API keys ---------------------------------------------------------------------------------------------------------


class PreviousSecret(Schema, frozen=True):
    """The previous secret of a rotation. `ends` None: not before the current one is used for the first time."""

    ends: datetime | None


class LastUse(Schema, frozen=True):
    """The last use of one secret of the key, `current` or `previous`."""

    secret: str
    used: datetime
    uses: int
    address: str
    user_agent: str


class ApiKey(Schema, frozen=True):
    """What is known of the API key that is presented; never the key itself."""

    id: str
    hint: str
    presented: str
    grants: tuple[str, ...] | None
    networks: tuple[str, ...]
    expires: datetime | None
    created: datetime
    previous: PreviousSecret | None
    last_uses: tuple[LastUse, ...]


class KeyRotation(Schema, frozen=True):
    """The API key's new secret, which is shown this once: store it. `previous` None: the old one has ended."""

    id: str
    key: Secret
    hint: str
    previous: PreviousSecret | None


class KeyRevocation(Schema, frozen=True):
    """Whether anything was ended; false if there was nothing to end."""

    id: str
    revoked: bool
