"""Requests and answers of the Supplier surface as the documents show them."""

from decimal import Decimal

from bedesten.catalogue.actions import STOCK_FIRST, SUPPLIER
from bedesten.http.route import Example
from bedesten.orders.model import DELIVERED
from bedesten.surfaces import samples
from bedesten.surfaces.common import Items, Page, Paging
from bedesten.surfaces.supplier import shapes

_CARD = shapes.OfferView(
    product_id=samples.CARD,
    sku="card-5",
    name=samples.CARD_VIEW.name,
    cost=Decimal("4.60"),
    currency="USD",
    offered=True,
    on_sale=True,
    proposed_name=None,
    fulfilment=STOCK_FIRST,
    available=12,
    updated=samples.EARLIER,
)
_TOP_UP = shapes.OfferView(
    product_id=samples.TOP_UP,
    sku="top-up",
    name=samples.TOP_UP_VIEW.name,
    cost=Decimal("6.00"),
    currency="USD",
    offered=True,
    on_sale=True,
    proposed_name=None,
    fulfilment=SUPPLIER,
    available=0,
    updated=samples.EARLIER,
)

LIST_PRODUCTS = Example(Page([_CARD, _TOP_UP], None), Paging(page_size=20))
UPSERT_PRODUCTS = Example(
    Items([_CARD]),
    shapes.UpsertProducts(products=[shapes.OfferIn(sku="card-5", name=samples.CARD_VIEW.name, cost=Decimal("4.60"))]),
)
UPLOAD_STOCK = Example(
    shapes.Uploaded(added=1, duplicates=0, available=13, batch_id=samples.BATCH, skipped=[]),
    shapes.UploadStock(product_id=samples.CARD, codes=[samples.CODE]),
)
AWAITING = Example(
    Page(
        [
            shapes.AwaitingLine(
                order_detail_id=samples.TOP_UP_LINE,
                product_id=samples.TOP_UP,
                product_name=samples.TOP_UP_VIEW.name,
                quantity=1,
                require_data=[shapes.RequireDataView(samples.PLAYER, "", "p-77")],
                queued=samples.NOW,
            )
        ],
        None,
    ),
    Paging(page_size=20),
)
DELIVER = Example(
    shapes.Delivered(samples.TOP_UP_LINE, DELIVERED),
    shapes.Deliver(order_detail_id=samples.TOP_UP_LINE, delivery_note=["120 gems are on their way to p-77"]),
)
