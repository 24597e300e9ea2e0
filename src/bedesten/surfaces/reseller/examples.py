"""Requests and answers of the Reseller surface as the documents show them."""

from decimal import Decimal

from bedesten.gate.scopes import SCOPES, Surface
from bedesten.http.route import Example
from bedesten.orders.model import DELIVERED, PROCESSING
from bedesten.surfaces import samples
from bedesten.surfaces.common import CategoryView, DeliveredCode, Items, Page, RequireData
from bedesten.surfaces.reseller import shapes

_REFERENCE, _CARDS, _PLAYER = "PO-1001", "1", "2"

_CARD_LINE = shapes.LineView(
    deliver_id=_CARDS,
    order_detail_id=samples.CARD_LINE,
    customer_store_product_id=samples.CARD,
    product_name=samples.CARD_VIEW.name,
    quantity=1,
    unit_price=Decimal("5.00"),
    price=Decimal("5.00"),
    currency="USD",
    status=DELIVERED,
    delivery_data=[samples.CODE],
    delivery_items=[DeliveredCode(samples.CODE, None, None, None)],
    delivery_note=None,
    updated=samples.NOW,
)
_TOP_UP_LINE = shapes.LineView(
    deliver_id=_PLAYER,
    order_detail_id=samples.TOP_UP_LINE,
    customer_store_product_id=samples.TOP_UP,
    product_name=samples.TOP_UP_VIEW.name,
    quantity=1,
    unit_price=Decimal("7.25"),
    price=Decimal("7.25"),
    currency="USD",
    status=PROCESSING,
    delivery_data=None,
    delivery_items=None,
    delivery_note=None,
    updated=samples.NOW,
)

GENERATE_TOKEN = Example(samples.token({"session": 7}), samples.login(samples.PARTNER_EMAIL))
CATEGORIES = Example(Items([CategoryView(samples.CATEGORY, "Gift cards", 2)]))
LIST_PRODUCTS = Example(
    Page([samples.CARD_VIEW, samples.TOP_UP_VIEW], None),
    shapes.ListProducts(page_size=20, category_id=samples.CATEGORY),
)
PRODUCT = Example(samples.CARD_VIEW, argument=samples.CARD)
CREATE_ORDER = Example(
    shapes.PlacedOrder(
        order_id=samples.ORDER,
        order_reference=_REFERENCE,
        currency="USD",
        total=Decimal("12.25"),
        details=[
            shapes.PlacedLine(_CARDS, samples.CARD_LINE, 1, Decimal("5.00"), DELIVERED),
            shapes.PlacedLine(_PLAYER, samples.TOP_UP_LINE, 1, Decimal("7.25"), PROCESSING),
        ],
    ),
    shapes.CreateOrder(
        order_reference=_REFERENCE,
        basket_data=[
            shapes.BasketLine(
                deliver_id=_CARDS, customer_store_product_id=samples.CARD, quantity=1, max_unit_price=Decimal("5.50")
            ),
            shapes.BasketLine(
                deliver_id=_PLAYER,
                customer_store_product_id=samples.TOP_UP,
                quantity=1,
                require_data=[RequireData(product_require_id=samples.PLAYER, value="p-77")],
            ),
        ],
    ),
)
GET_ORDER = Example(
    shapes.OrderView(
        order_id=samples.ORDER,
        order_reference=_REFERENCE,
        currency="USD",
        total=Decimal("12.25"),
        created=samples.NOW,
        details=[_CARD_LINE, _TOP_UP_LINE],
    ),
    shapes.GetOrder(order_reference=_REFERENCE),
)
ORDER_DETAIL = Example(_CARD_LINE, argument=samples.CARD_LINE)
ACCOUNT = Example(
    shapes.AccountView(
        account_id=samples.PARTNER,
        name="Partner Ltd",
        email=samples.PARTNER_EMAIL,
        scopes=sorted(SCOPES[Surface.RESELLER]),
        currency="USD",
        balance=Decimal("100.00"),
        held=Decimal("7.25"),
        available=Decimal("92.75"),
        credit_limit=Decimal("500.00"),
        spendable=Decimal("592.75"),
    )
)
