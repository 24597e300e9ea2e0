"""Example requests and answers of the Supplier surface."""

from decimal import Decimal

from bedesten.catalogue.actions import STOCK_FIRST, SUPPLIER
from bedesten.http.route import Example
from bedesten.orders.model import DELIVERED
from bedesten.surfaces import example_values
from bedesten.surfaces.schemas import Items, Page, Paging
from bedesten.surfaces.supplier import schemas

_CARD = schemas.OfferView(
    product_id=example_values.CARD,
    sku="card-5",
    name=example_values.CARD_VIEW.name,
    cost=Decimal("4.60"),
    currency="USD",
    offered=True,
    on_sale=True,
    proposed_name=None,
    fulfilment=STOCK_FIRST,
    available=12,
    updated=example_values.EARLIER,
)
_TOP_UP = schemas.OfferView(
    product_id=example_values.TOP_UP,
    sku="top-up",
    name=example_values.TOP_UP_VIEW.name,
    cost=Decimal("6.00"),
    currency="USD",
    offered=True,
    on_sale=True,
    proposed_name=None,
    fulfilment=SUPPLIER,
    available=0,
    updated=example_values.EARLIER,
)

LIST_PRODUCTS = Example(Page([_CARD, _TOP_UP], None), Paging(page_size=20))
UPSERT_PRODUCTS = Example(
    Items([_CARD]),
    schemas.UpsertProducts(
        products=[schemas.OfferInput(sku="card-5", name=example_values.CARD_VIEW.name, cost=Decimal("4.60"))]
    ),
)
UPLOAD_STOCK = Example(
    schemas.UploadResult(added=1, duplicates=0, available=13, batch_id=example_values.BATCH, skipped=[]),
    schemas.UploadStock(product_id=example_values.CARD, codes=[example_values.CODE]),
)
AWAITING = Example(
    Page(
        [
            schemas.AwaitingLine(
                order_detail_id=example_values.TOP_UP_LINE,
                product_id=example_values.TOP_UP,
                product_name=example_values.TOP_UP_VIEW.name,
                quantity=1,
                require_data=[schemas.RequireDataView(example_values.PLAYER, "", "p-77")],
                queued=example_values.NOW,
            )
        ],
        None,
    ),
    Paging(page_size=20),
)
DELIVER = Example(
    schemas.DeliveryResult(example_values.TOP_UP_LINE, DELIVERED),
    schemas.Deliver(order_detail_id=example_values.TOP_UP_LINE, delivery_note=["120 gems are on their way to p-77"]),
)
