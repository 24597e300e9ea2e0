"""Products, stock and deliveries of the Supplier surface."""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from bedesten_client.schemas._base import CODE_PARTS, Amount, Schema
from bedesten_client.schemas._catalogue import RequireData


class Offer(Schema, frozen=True, kw_only=False):
    """A product as its supplier offers it. `cost` is what the supplier earns for one unit."""

    sku: str
    name: str
    cost: Amount
    offered: bool = True


class SupplierProduct(Schema, frozen=True):
    """A product as its supplier sees it.

    `available` counts the unsold stock codes. `proposed_name` waits for the shop's approval.
    """

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
    code_pattern: str | None = None
    pin_pattern: str | None = None
    serial_pattern: str | None = None


class CodeItem(Schema, frozen=True, kw_only=False):
    """A code to upload or to deliver, with its parts. `url` (https) is where the buyer redeems it; `expires` is the last
    day on which it is valid (yyyy-MM-dd)."""

    _hidden: ClassVar[frozenset[str]] = CODE_PARTS

    code: str
    pin: str | None = None
    serial: str | None = None
    expires: str | None = None
    url: str | None = None


class SkippedCode(Schema, frozen=True):
    """A code of an upload that was skipped, and why. `index` counts the codes first, then the items."""

    index: int
    reason: str
    product_id: str | None = None
    batch_id: str | None = None


class UploadResult(Schema, frozen=True):
    """The result of an upload. `duplicates` counts the codes that the shop already had."""

    added: int
    duplicates: int
    available: int
    batch_id: str | None = None
    skipped: tuple[SkippedCode, ...] = ()


class AwaitingLine(Schema, frozen=True):
    """An order line that waits for its supplier: `remaining` units, until `deadline`."""

    order_detail_id: str
    product_id: str
    product_name: str
    quantity: int
    require_data: tuple[RequireData, ...]
    queued: datetime
    remaining: int = 0
    accepted: datetime | None = None
    promised_by: datetime | None = None
    deadline: datetime | None = None


class AssignedLine(Schema, frozen=True):
    """An order line after a call. `assigned`: it still waits for this supplier, for `remaining` units."""

    order_detail_id: str
    status: int
    assigned: bool = False
    remaining: int = 0


class DeliveryResult(AssignedLine, frozen=True):
    """An order line after a delivery. `stocked` codes came too late: they are in stock, as the batch `batch_id`."""

    stocked: int = 0
    batch_id: str | None = None


class StockBatch(Schema, frozen=True):
    """A batch of the supplier's codes, with their number by state."""

    batch_id: str
    product_id: str
    created: datetime
    unit_cost: Decimal | None
    currency: str
    codes: int
    available: int
    reserved: int
    sold: int
    withdrawn: int
    withdrawn_because: str | None = None
    note: str | None = None
    next_expiry: datetime | None = None


class StockRecall(Schema, frozen=True):
    """The result of a recall: the codes by state before it, and what it did.

    `complaints_left` sold codes have no complaint yet: the same call again opens more.
    """

    dry_run: bool
    available: int
    reserved: int
    sold: int
    replaced: int
    withdrawn_before: int
    unknown: int
    withdrawn: int
    checkouts_expired: int
    complaints_opened: int
    complaints_before: int
    complaints_left: int


class StockWithdrawal(Schema, frozen=True):
    """The result of a withdrawal. `sold` codes stay with their buyers."""

    withdrawn: int
    sold: int
    unknown: int
    withdrawn_before: int
