"""Values of requests, orders and lines. Amounts are in minor units."""

import hashlib

import msgspec

CANCELLED, DELIVERED, PROCESSING, TAKEN_OUT = 0, 1, 2, 3
"""Statuses of an order line, as the wire shows them."""

EVENT_TYPES = {
    CANCELLED: "order_line.cancelled",
    DELIVERED: "order_line.delivered",
    PROCESSING: "order_line.processing",
    TAKEN_OUT: "order_line.taken_out",
}
"""The name of a change to each status in webhooks."""

UNPAID, PLACED, EXPIRED, WITHDRAWN = 0, 1, 2, 3
"""States of an order. A withdrawn order is a checkout that its customer cancelled; the package describes the
transitions."""

UNSOURCED = "noSupplier"
"""The reason for which a line is taken out of processing if no supplier is left that can deliver it."""

MAX_LINES, MAX_UNITS = 50, 1_000


class RequiredDatum(msgspec.Struct, frozen=True):
    """One detail that a buyer gives with a line: a player id for the requirement `id`."""

    id: str
    identifier: str
    value: str


class NewLine(msgspec.Struct, frozen=True):
    """One line of a request. `deliver_id` is the caller's own id of the line; `max_unit_price` is in minor units."""

    deliver_id: str
    product_id: str
    quantity: int
    max_unit_price: int | None = None
    data: tuple[RequiredDatum, ...] = ()


class NewOrder(msgspec.Struct, frozen=True):
    """A request for an order. `reference` is the buyer's own and names this order permanently.

    `origin` stands for the content of a request that did not name its lines, such as a checkout from the basket.
    """

    reference: str
    lines: tuple[NewLine, ...]
    notify_url: str | None = None
    origin: str = ""

    def digest(self) -> bytes:
        """Returns a digest of everything that must be equal when the reference is used again.

        Texts and integers have one spelling each, so the encoded struct serves: `core.request_digest`, which also
        normalises decimals, takes ten times as long inside the transaction.
        """
        content = (
            self.origin.encode() if self.origin else msgspec.json.encode((self.reference, self.lines, self.notify_url))
        )
        return hashlib.sha256(content).digest()


class Buyer(msgspec.Struct, frozen=True):
    """The account that orders, the kind of its ledger account, and its location.

    `address` is a keyed digest of the network address of a checkout.
    """

    id: str
    kind: str
    surface: str
    currency: str
    region: str
    address: bytes | None = None


class Order(msgspec.Struct, frozen=True):
    """One order. `total` is in minor units; `units` counts all lines; `expires` is set while it awaits payment."""

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


class Line(msgspec.Struct, frozen=True):
    """One order line. `price` is the line's total in minor units; `note` is a JSON list of strings or None.

    `delivered` and `cancelled` count units, `refunded` is in minor units. `hold` says why the line was taken out of
    processing. `accepted` is when its supplier accepted it, `promised` by when it will deliver, and `deadline` when the
    next supplier is asked.
    """

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
    delivered: int
    cancelled: int
    refunded: int
    hold: str | None
    accepted: int | None
    promised: int | None
    deadline: int | None


class Reason:
    """Why a line cannot be ordered, as in `data.items[].reason`. A value is never reused with another meaning."""

    UNKNOWN_PRODUCT = "unknownProduct"
    OUT_OF_STOCK = "outOfStock"
    RESERVED = "reserved"
    PRICE_ABOVE_MAXIMUM = "priceAboveMaximum"
    REQUIRED_DATA_MISSING = "requiredDataMissing"
    REQUIRED_DATA_UNKNOWN = "requiredDataUnknown"
    NOT_ON_SALE = "notOnSale"
