"""What suppliers send and get."""

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from bedesten.catalogue.actions import STOCK, STOCK_FIRST, SUPPLIER
from bedesten.surfaces.common import Code, Id, Name, ShortNote, Sku, Status, Time
from bedesten.web.shapes import Amount, Input, Output

Fulfilment = Annotated[str, Meta(title="Fulfilment", extra_json_schema={"enum": [STOCK, STOCK_FIRST, SUPPLIER]})]


class OfferIn(Input, frozen=True):
    """One product as its supplier offers it. `cost` is what the supplier earns with a unit."""

    sku: Sku
    name: Name
    cost: Annotated[Amount, Meta(extra_json_schema={"minimum": 0})]
    offered: bool = True


class UpsertProducts(Input, frozen=True):
    """Products to make or to change."""

    products: Annotated[list[OfferIn], Meta(min_length=1, max_length=200)]


class UploadStock(Input, frozen=True):
    """Codes for one product."""

    product_id: Id
    codes: Annotated[list[Code], Meta(min_length=1, max_length=1_000)]


class Deliver(Input, frozen=True):
    """A delivery: as many codes as the line has units, or a note (for a top-up), or both."""

    order_detail_id: Id
    delivery_data: Annotated[list[Code], Meta(max_length=1_000)] = []
    delivery_note: Annotated[list[ShortNote], Meta(max_length=20)] = []


class OfferView(Output, frozen=True):
    """A product as its supplier sees it. `available` counts the free stock codes."""

    product_id: str
    sku: str | None
    name: str
    cost: Decimal | None
    currency: str
    offered: bool
    on_sale: bool
    fulfilment: Fulfilment
    available: int
    updated: Time


class Uploaded(Output, frozen=True):
    """What became of an upload: codes that were in the shop before are left out."""

    added: int
    duplicates: int
    available: int


class RequireDataView(Output, frozen=True):
    """What the buyer said."""

    product_require_id: str
    identifier: str
    value: str


class AwaitingLine(Output, frozen=True):
    """A line that waits for its supplier."""

    order_detail_id: str
    product_id: str
    product_name: str
    quantity: int
    require_data: list[RequireDataView]
    queued: Time


class Delivered(Output, frozen=True):
    """A line after its delivery."""

    order_detail_id: str
    status: Status
