"""What suppliers send and get."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from bedesten.catalogue import code
from bedesten.catalogue.actions import STOCK, STOCK_FIRST, SUPPLIER
from bedesten.http.schemas import Amount, RequestModel, ResponseModel
from bedesten.http.text_fields import kind
from bedesten.surfaces.schemas import Id, Name, ShortNote, Sku, Status, Time

SKIP_REASONS = ("inStock", "inStock", "sold", "withdrawn", "inStock")
"""Why a code of an upload was left out, by the state of the one that was there before."""

Fulfilment = Annotated[str, Meta(title="Fulfilment", extra_json_schema={"enum": [STOCK, STOCK_FIRST, SUPPLIER]})]
Code = Annotated[str, Meta(min_length=1, max_length=code.MAX_CODE, extra=kind(code.code_text))]
Part = Annotated[str, Meta(max_length=code.MAX_PART, extra=kind(code.part_text))]
Day = Annotated[str, Meta(max_length=10, extra=kind(code.day_text), extra_json_schema={"format": "date"})]
SkipReason = Annotated[
    str, Meta(title="SkipReason", extra_json_schema={"enum": ["inStock", "sold", "twice", "withdrawn"]})
]


class OfferInput(RequestModel, frozen=True):
    """One product as its supplier offers it. `cost` is what the supplier earns with a unit."""

    sku: Sku
    name: Name
    cost: Annotated[Amount, Meta(extra_json_schema={"minimum": 0})]
    offered: bool = True


class UpsertProducts(RequestModel, frozen=True):
    """Products to make or to change."""

    products: Annotated[list[OfferInput], Meta(min_length=1, max_length=200)]


class CodeItem(RequestModel, frozen=True):
    """A code with its parts. `expires` is the last day on which it is good (yyyy-MM-dd, UTC)."""

    code: Code
    pin: Part | None = None
    serial: Part | None = None
    expires: Day | None = None


class UploadStock(RequestModel, frozen=True):
    """Codes for one product: `codes` alone, or `items` with their parts, 1 to 1,000 together."""

    product_id: Id
    codes: Annotated[list[Code], Meta(max_length=1_000)] = []
    items: Annotated[list[CodeItem], Meta(max_length=1_000)] = []


class Deliver(RequestModel, frozen=True):
    """A delivery: as many codes as the line has units, or a note (for a top-up), or both.

    The codes come as `deliveryData`, or as `deliveryItems` with their parts.
    """

    order_detail_id: Id
    delivery_data: Annotated[list[Code], Meta(max_length=1_000)] = []
    delivery_items: Annotated[list[CodeItem], Meta(max_length=1_000)] = []
    delivery_note: Annotated[list[ShortNote], Meta(max_length=20)] = []


class OfferView(ResponseModel, frozen=True):
    """A product as its supplier sees it. `available` counts the free stock codes. `onSale` is false as well while `cost`
    is above the shop's price. `proposedName` waits for the shop's operator, while buyers see `name`."""

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


class SkippedCode(ResponseModel, frozen=True):
    """A code of an upload that was left out: its place among `codes` and then `items`, and why.

    Product and batch are those in which it is already, if they are this supplier's.
    """

    index: int
    reason: SkipReason
    product_id: str | None
    batch_id: str | None


class UploadResult(ResponseModel, frozen=True):
    """What became of an upload: codes that were in the shop before are left out. No batch if none was new."""

    added: int
    duplicates: int
    available: int
    batch_id: str | None
    skipped: list[SkippedCode]


class RequireDataView(ResponseModel, frozen=True):
    """What the buyer said."""

    product_require_id: str
    identifier: str
    value: str


class AwaitingLine(ResponseModel, frozen=True):
    """A line that waits for its supplier."""

    order_detail_id: str
    product_id: str
    product_name: str
    quantity: int
    require_data: list[RequireDataView]
    queued: Time


class DeliveryResult(ResponseModel, frozen=True):
    """A line after its delivery."""

    order_detail_id: str
    status: Status
