"""The values of the in-memory shop (orders, lines, refusals) and their wire format."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

Data = dict[str, Any]
CURRENCY = "USD"
CANCELLED, DELIVERED, PROCESSING = 0, 1, 2
_PARTS = dict.fromkeys(("pin", "serial", "url", "expires"))
EVENT_TYPES = {
    CANCELLED: "order_line.cancelled",
    DELIVERED: "order_line.delivered",
    PROCESSING: "order_line.processing",
}


class Refusal(Exception):
    """A refusal, with the values of its response."""

    def __init__(self, status: int, code: int, data: object = None, fields: dict[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.data = data
        self.fields = fields or {}


@dataclass
class Line:
    """One order line."""

    id: str
    deliver_id: str
    product: Data
    quantity: int
    status: int
    changes: int = 1
    delivered: int = 0
    cancelled: int = 0
    refunded: Decimal = Decimal("0.00")
    codes: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    deliveries: list[tuple[list[str], list[str]]] = field(default_factory=list)
    accepted: str | None = None
    promised_by: str | None = None
    rejected: bool = False
    queued: str = field(default_factory=lambda: moment())

    @property
    def price(self) -> Decimal:
        """The line's total."""
        total: Decimal = self.product["price"] * self.quantity
        return total

    @property
    def remaining(self) -> int:
        """Units that are neither delivered nor cancelled."""
        return self.quantity - self.delivered - self.cancelled

    def deliver(self, units: int) -> None:
        """Count this many more units as delivered."""
        self.delivered += units
        self.status = PROCESSING if self.remaining else DELIVERED
        self.changes += 1

    def cancel_rest(self) -> Decimal:
        """Cancel what was not delivered; return its price."""
        amount: Decimal = self.product["price"] * self.remaining
        self.cancelled = self.quantity - self.delivered
        self.status = DELIVERED if self.delivered else CANCELLED
        self.changes += 1
        return amount


@dataclass
class Order:
    """An order, with the body of its request."""

    id: str
    reference: str
    request: Data
    lines: list[Line]
    placed: Data


def statement_page(transfers: list[Data], body: Data) -> Data:
    """Return a page of a statement, the oldest transfer first."""
    start, size = int(body.get("cursor") or 0), body.get("pageSize") or 50
    period = [
        one
        for one in transfers
        if (body.get("bookedFrom") or "") <= one["booked"] and one["booked"] < (body.get("bookedTo") or "~")
    ]
    shown = period[start : start + size]
    return {
        "currency": CURRENCY,
        "openingBalance": shown[0]["balance"] - shown[0]["amount"] if shown else Decimal("0.00"),
        "items": shown,
        "nextCursor": str(start + size) if len(period) > start + size else None,
    }


def page_of(items: list[Data], body: Data) -> Data:
    """Return a page of a list; the cursor is the index of the next item."""
    start, size = int(body.get("cursor") or 0), body.get("pageSize") or 50
    return {
        "items": items[start : start + size],
        "nextCursor": str(start + size) if len(items) > start + size else None,
    }


def is_in(product: Data, category: str | None) -> bool:
    return category is None or product["categoryId"] == category


def moment(later_s: int = 0) -> str:
    """Return the present time as the platform writes it, or a later one."""
    return (datetime.now(UTC) + timedelta(seconds=later_s)).strftime("%Y-%m-%dT%H:%M:%SZ")


def placed(order: Order) -> Data:
    return {
        "orderId": order.id,
        "orderReference": order.reference,
        "currency": CURRENCY,
        "total": sum((one.price for one in order.lines), Decimal()),
        "details": [
            {
                "deliverId": one.deliver_id,
                "orderDetailId": one.id,
                "quantity": one.quantity,
                "price": one.price,
                "status": one.status,
            }
            for one in order.lines
        ],
    }


def order_view(order: Order) -> Data:
    return {
        "orderId": order.id,
        "orderReference": order.reference,
        "currency": CURRENCY,
        "total": sum((one.price for one in order.lines), Decimal()),
        "created": moment(),
    }


def is_wanted(order: Order, body: Data) -> bool:
    statuses = body.get("status")
    reference = body.get("orderReference")
    return (not statuses or any(one.status in statuses for one in order.lines)) and (
        reference is None or order.reference == reference
    )


def summary(order: Order) -> Data:
    hidden = ("currency", "deliveryData", "deliveryItems", "deliveryNote")
    details = [{name: value for name, value in line_view(one).items() if name not in hidden} for one in order.lines]
    return {**order_view(order), "details": details}


def line_view(line: Line) -> Data:
    return {
        "deliverId": line.deliver_id,
        "customerStoreProductId": line.product["customerStoreProductId"],
        "currency": CURRENCY,
        "updated": moment(),
        **line_members(line, line.codes, line.notes),
    }


def line_members(line: Line, codes: list[str], notes: list[str]) -> Data:
    """Return an order line as partners and customers see it, with the visible codes and notes."""
    return {
        "orderDetailId": line.id,
        "productName": line.product["name"],
        "quantity": line.quantity,
        "delivered": line.delivered,
        "cancelled": line.cancelled,
        "unitPrice": line.product["price"],
        "price": line.price,
        "refunded": line.refunded,
        "status": line.status,
        "deliveryData": codes or None,
        "deliveryItems": [_PARTS | {"code": code} for code in codes] or None,
        "deliveryNote": notes or None,
    }
