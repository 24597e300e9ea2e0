"""The wire schemas of the Supplier surface."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from bedesten.catalogue import code
from bedesten.catalogue.actions import STOCK, STOCK_FIRST, SUPPLIER
from bedesten.http.schemas import Amount, RequestModel, ResponseModel
from bedesten.http.text_fields import kind
from bedesten.surfaces.schemas import Id, Name, Paging, SentTime, ShortNote, Sku, Status, Time

SKIP_REASONS = ("inStock", "inStock", "sold", "withdrawn", "inStock", "sold")
"""The reason for which an uploaded code is skipped, by the state of the existing code."""

Fulfilment = Annotated[str, Meta(title="Fulfilment", extra_json_schema={"enum": [STOCK, STOCK_FIRST, SUPPLIER]})]
Code = Annotated[str, Meta(min_length=1, max_length=code.MAX_CODE, extra=kind(code.code_text))]
Part = Annotated[str, Meta(max_length=code.MAX_PART, extra=kind(code.part_text))]
Url = Annotated[str, Meta(max_length=code.MAX_URL, extra=kind(code.url_text), extra_json_schema={"format": "uri"})]
Day = Annotated[str, Meta(max_length=10, extra=kind(code.day_text), extra_json_schema={"format": "date"})]
SkipReason = Annotated[
    str, Meta(title="SkipReason", extra_json_schema={"enum": ["inStock", "sold", "twice", "withdrawn"]})
]


class OfferInput(RequestModel, frozen=True):
    """One product as its supplier offers it. `cost` is what the supplier earns per unit."""

    sku: Sku
    name: Name
    cost: Annotated[Amount, Meta(extra_json_schema={"minimum": 0})]
    offered: bool = True


class UpsertProducts(RequestModel, frozen=True):
    """Products to create or to change."""

    products: Annotated[list[OfferInput], Meta(min_length=1, max_length=200)]


class CodeItem(RequestModel, frozen=True):
    """A code with its parts. `url` (https) is where the buyer redeems it; `expires` is the last day on which it is valid
    (yyyy-MM-dd, UTC)."""

    code: Code
    pin: Part | None = None
    serial: Part | None = None
    url: Url | None = None
    expires: Day | None = None


class UploadStock(RequestModel, frozen=True):
    """Codes for one product: `codes` alone, `items` with their parts, 1 to 1,000 in total."""

    product_id: Id
    codes: Annotated[list[Code], Meta(max_length=1_000)] = []
    items: Annotated[list[CodeItem], Meta(max_length=1_000)] = []


class ListStock(Paging, frozen=True):
    """Selects a page of the supplier's batches, of one product or of all."""

    product_id: Id | None = None


class WithdrawStock(RequestModel, frozen=True):
    """Withdraws a batch, or single codes. The shop's operator reads the reason."""

    reason: ShortNote
    batch_id: Id | None = None
    codes: Annotated[list[Code], Meta(max_length=1_000)] = []


class RecallStock(WithdrawStock, frozen=True):
    """Recalls a batch, or single codes. Buyers of sold codes read the reason in their complaint."""

    dry_run: bool = False


class Accept(RequestModel, frozen=True):
    """Accepts a line. `promisedBy` is the time by which it will be delivered (`yyyy-MM-ddTHH:mm:ssZ`)."""

    order_detail_id: Id
    promised_by: SentTime | None = None


class Reject(RequestModel, frozen=True):
    """Gives a line, or what is left of it, back. The shop's operator reads the reason."""

    order_detail_id: Id
    reason: ShortNote


class Deliver(RequestModel, frozen=True):
    """A delivery: codes for some or all of the remaining units of the line, or a note for all of it (a top-up), or both.

    The codes are in `deliveryData`, or in `deliveryItems` with their parts.
    """

    order_detail_id: Id
    delivery_data: Annotated[list[Code], Meta(max_length=1_000)] = []
    delivery_items: Annotated[list[CodeItem], Meta(max_length=1_000)] = []
    delivery_note: Annotated[list[ShortNote], Meta(max_length=20)] = []


class OfferView(ResponseModel, frozen=True):
    """A product as its supplier sees it. `available` counts the free stock codes. `onSale` is false while `cost` exceeds the
    shop's price. `proposedName` awaits the operator's approval; until then buyers see `name`. The patterns state the form
    of its codes, PINs and serial numbers; null: any."""

    product_id: str
    sku: str | None
    name: str
    cost: Decimal | None
    currency: str
    offered: bool
    on_sale: bool
    proposed_name: str | None
    fulfilment: Fulfilment
    available: int
    updated: Time
    code_pattern: str | None
    pin_pattern: str | None
    serial_pattern: str | None


class SkippedCode(ResponseModel, frozen=True):
    """A skipped code of an upload: its index among `codes` and then `items`, and the reason.

    Product and batch are those that contain the code already, if they are this supplier's.
    """

    index: int
    reason: SkipReason
    product_id: str | None
    batch_id: str | None


class UploadResult(ResponseModel, frozen=True):
    """The result of an upload. Codes that the shop has had before are skipped. `batchId` is null if no code was new."""

    added: int
    duplicates: int
    available: int
    batch_id: str | None
    skipped: list[SkippedCode]


class BatchView(ResponseModel, frozen=True):
    """A batch of the supplier: its codes by state. `nextExpiry` is when the first of the available codes expires."""

    batch_id: str
    product_id: str
    created: Time
    unit_cost: Decimal | None
    currency: str
    codes: int
    available: int
    reserved: int
    sold: int
    withdrawn: int
    withdrawn_because: str | None
    note: str | None
    next_expiry: Time | None


class StockWithdrawal(ResponseModel, frozen=True):
    """The result of a withdrawal. `sold` codes stay: a buyer has them or is paying for them."""

    withdrawn: int
    sold: int
    unknown: int
    withdrawn_before: int


class StockRecall(ResponseModel, frozen=True):
    """The result of a recall, or with `dryRun` what it would find: the codes by state before the call, and what it did.

    `complaintsLeft` sold codes have no complaint yet: the same call again opens more.
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


class RequireDataView(ResponseModel, frozen=True):
    """The buyer's value for a requirement."""

    product_require_id: str
    identifier: str
    value: str


class AwaitingLine(ResponseModel, frozen=True):
    """A line that awaits its supplier. `remaining` of its units are to be delivered; after `deadline` the line goes to
    another supplier, or is cancelled."""

    order_detail_id: str
    product_id: str
    product_name: str
    quantity: int
    require_data: list[RequireDataView]
    queued: Time
    remaining: int
    accepted: Time | None
    promised_by: Time | None
    deadline: Time | None


class AssignedLine(ResponseModel, frozen=True):
    """The line after the call. `assigned`: it still waits for this supplier, which has to deliver `remaining` units."""

    order_detail_id: str
    status: Status
    assigned: bool
    remaining: int


class DeliveryResult(AssignedLine, frozen=True):
    """The line after the delivery. `stocked` codes came too late: they went to stock in the supplier's batch `batchId`."""

    stocked: int
    batch_id: str | None
