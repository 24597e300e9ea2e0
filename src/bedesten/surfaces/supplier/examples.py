"""Example requests and answers of the Supplier surface."""

from decimal import Decimal

from bedesten.catalogue.actions import STOCK_FIRST, SUPPLIER
from bedesten.http.route import Example
from bedesten.orders.model import CANCELLED, DELIVERED, PROCESSING
from bedesten.surfaces import example_values
from bedesten.surfaces.schemas import Items, Page, Paging
from bedesten.surfaces.statements import GetStatement, Statement, SupplierEntry
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
    code_pattern=None,
    pin_pattern=None,
    serial_pattern=None,
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
    code_pattern=None,
    pin_pattern=None,
    serial_pattern=None,
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
LIST_STOCK = Example(
    Page(
        [
            schemas.BatchView(
                batch_id=example_values.BATCH,
                product_id=example_values.CARD,
                created=example_values.EARLIER,
                unit_cost=Decimal("4.60"),
                currency="USD",
                codes=100,
                available=12,
                reserved=1,
                sold=87,
                withdrawn=0,
                withdrawn_because=None,
                note=None,
                next_expiry=None,
            )
        ],
        None,
    ),
    schemas.ListStock(page_size=20),
)
WITHDRAW_STOCK = Example(
    schemas.StockWithdrawal(withdrawn=1, sold=0, unknown=0, withdrawn_before=0),
    schemas.WithdrawStock(reason="The producer has called it back.", codes=[example_values.CODE]),
)
RECALL_STOCK = Example(
    schemas.StockRecall(
        dry_run=True,
        available=0,
        reserved=0,
        sold=1,
        replaced=0,
        withdrawn_before=0,
        unknown=0,
        withdrawn=0,
        checkouts_expired=0,
        complaints_opened=0,
        complaints_before=0,
        complaints_left=1,
    ),
    schemas.RecallStock(reason="The producer has called it back.", codes=[example_values.CODE], dry_run=True),
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
                remaining=1,
                accepted=None,
                promised_by=None,
                deadline=None,
            )
        ],
        None,
    ),
    Paging(page_size=20),
)
ACCEPT = Example(
    schemas.AssignedLine(example_values.TOP_UP_LINE, PROCESSING, assigned=True, remaining=1),
    schemas.Accept(order_detail_id=example_values.TOP_UP_LINE),
)
REJECT = Example(
    schemas.AssignedLine(example_values.REJECTED_LINE, CANCELLED, assigned=False, remaining=0),
    schemas.Reject(order_detail_id=example_values.REJECTED_LINE, reason="We have no more of it."),
)
DELIVER = Example(
    schemas.DeliveryResult(
        example_values.TOP_UP_LINE, DELIVERED, assigned=False, remaining=0, stocked=0, batch_id=None
    ),
    schemas.Deliver(order_detail_id=example_values.TOP_UP_LINE, delivery_note=["120 gems are on their way to p-77"]),
)
STATEMENT = Example(
    Statement(
        currency="USD",
        opening_balance=Decimal("0.00"),
        items=[
            SupplierEntry(
                transfer_id=example_values.TRANSFER,
                booked=example_values.NOW,
                type="earning",
                amount=Decimal("6.00"),
                balance=Decimal("6.00"),
                order_detail_id=example_values.TOP_UP_LINE,
            )
        ],
        next_cursor=None,
    ),
    GetStatement(page_size=20, booked_from=example_values.EARLIER, booked_to=example_values.LATER),
)
