"""What is asked for, and what there is: requests in minor units, orders and lines as they are stored."""

import hashlib
from dataclasses import dataclass

import msgspec

CANCELLED, DELIVERED, PROCESSING, TAKEN_OUT = 0, 1, 2, 3
"""Statuses of an order line, as the wire shows them."""

EVENT_TYPES = {
    CANCELLED: "order_line.cancelled",
    DELIVERED: "order_line.delivered",
    PROCESSING: "order_line.processing",
    TAKEN_OUT: "order_line.taken_out",
}
"""What a change to each status is called in webhooks."""

UNPAID, PLACED, EXPIRED, WITHDRAWN = 0, 1, 2, 3
"""States of an order. A withdrawn one is a checkout that its customer cancelled; see the chapter for the moves."""

MAX_LINES, MAX_UNITS = 50, 1_000


class RequiredDatum(msgspec.Struct, frozen=True):
    """One thing that a buyer says with a line: a player id for the requirement `id`."""

    id: str
    identifier: str
    value: str


class NewLine(msgspec.Struct, frozen=True):
    """One line of a request. `deliver_id` is the caller's own id of it; `max_unit_price` in minor units."""

    deliver_id: str
    product_id: str
    quantity: int
    max_unit_price: int | None = None
    data: tuple[RequiredDatum, ...] = ()


class NewOrder(msgspec.Struct, frozen=True):
    """A request for an order. `reference` is the buyer's own; it names the order once and for all."""

    reference: str
    lines: tuple[NewLine, ...]
    notify_url: str | None = None

    def digest(self) -> bytes:
        """What must be the same when the reference is used again.

        Texts and integers have one spelling each, so the encoded struct serves: `core.request_digest`, which also
        normalises decimals, takes ten times as long inside the transaction.
        """
        return hashlib.sha256(msgspec.json.encode(self)).digest()


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who orders: an account, the kind of its ledger account, and where it is.

    `address` is a keyed digest of the network address that a checkout came from.
    """

    id: str
    kind: str
    surface: str
    currency: str
    region: str
    address: bytes | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One order. `total` in minor units; `units` of all its lines; `expires` only while it waits for a payment."""

    id: str
    surface: str
    buyer_id: str
    reference: str
    digest: bytes
    currency: str
    total: int
    notify_url: str | None
    state: int
    expires: int | None
    created: int
    region: str
    units: int
    address: bytes | None


@dataclass(frozen=True, slots=True)
class Line:
    """One order line. `price` is the line's total in minor units; `note` a JSON list of strings or None."""

    id: str
    order_id: str
    position: int
    deliver_id: str
    product_id: str
    product_name: str
    quantity: int
    unit_price: int
    unit_cost: int | None
    price: int
    status: int
    placed_status: int
    version: int
    supplier_id: str | None
    queued: int | None
    require_data: str
    note: str | None
    updated: int


class Reason:
    """Why a line cannot be ordered, as `data.items[].reason` names it. Never used again for something else."""

    UNKNOWN_PRODUCT = "unknownProduct"
    OUT_OF_STOCK = "outOfStock"
    RESERVED = "reserved"
    PRICE_ABOVE_MAXIMUM = "priceAboveMaximum"
    REQUIRED_DATA_MISSING = "requiredDataMissing"
    REQUIRED_DATA_UNKNOWN = "requiredDataUnknown"
    NOT_ON_SALE = "notOnSale"
