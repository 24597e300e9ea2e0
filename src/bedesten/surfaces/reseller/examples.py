"""Example requests and answers of the Reseller surface."""

from decimal import Decimal
from typing import Any

import msgspec

from bedesten.gate.scopes import SCOPES, Surface
from bedesten.http.route import Example
from bedesten.orders.model import CANCELLED, DELIVERED, PROCESSING
from bedesten.surfaces import example_values
from bedesten.surfaces.products import ListProducts
from bedesten.surfaces.reseller import schemas
from bedesten.surfaces.schemas import (
    CategoryView,
    DeliveredCode,
    Items,
    Page,
    PasswordReset,
    RequireData,
    ResetPassword,
)
from bedesten.surfaces.statements import GetStatement, Statement

_REFERENCE, _CARDS, _PLAYER = "PO-1001", "1", "2"

_CARD_LINE = schemas.LineView(
    deliver_id=_CARDS,
    order_detail_id=example_values.CARD_LINE,
    customer_store_product_id=example_values.CARD,
    product_name=example_values.CARD_VIEW.name,
    quantity=1,
    delivered=1,
    cancelled=0,
    unit_price=Decimal("5.00"),
    price=Decimal("5.00"),
    refunded=Decimal("0.00"),
    currency="USD",
    status=DELIVERED,
    delivery_data=[example_values.CODE],
    delivery_items=[DeliveredCode(example_values.CODE, None, None, None, None)],
    delivery_note=None,
    updated=example_values.NOW,
)
_TOP_UP_LINE = schemas.LineView(
    deliver_id=_PLAYER,
    order_detail_id=example_values.TOP_UP_LINE,
    customer_store_product_id=example_values.TOP_UP,
    product_name=example_values.TOP_UP_VIEW.name,
    quantity=1,
    delivered=0,
    cancelled=0,
    unit_price=Decimal("7.25"),
    price=Decimal("7.25"),
    refunded=Decimal("0.00"),
    currency="USD",
    status=PROCESSING,
    delivery_data=None,
    delivery_items=None,
    delivery_note=None,
    updated=example_values.NOW,
)

GENERATE_TOKEN = Example(example_values.token({"session": 7}), example_values.login(example_values.PARTNER_EMAIL))
RESET_PASSWORD = Example(
    PasswordReset("changed"),
    ResetPassword(token=example_values.PARTNER_LINK_TOKEN, new_password=example_values.NEW_PASSWORD),
)
CATEGORIES = Example(Items([CategoryView(example_values.CATEGORY, "Gift cards", 2)]))
LIST_PRODUCTS = Example(
    Page([example_values.CARD_VIEW, example_values.TOP_UP_VIEW], None),
    ListProducts(page_size=20, category_id=example_values.CATEGORY),
)
PRODUCT = Example(example_values.CARD_VIEW, argument=example_values.CARD)
CREATE_ORDER = Example(
    schemas.PlacedOrder(
        order_id=example_values.ORDER,
        order_reference=_REFERENCE,
        currency="USD",
        total=Decimal("12.25"),
        details=[
            schemas.PlacedLine(_CARDS, example_values.CARD_LINE, 1, Decimal("5.00"), DELIVERED),
            schemas.PlacedLine(_PLAYER, example_values.TOP_UP_LINE, 1, Decimal("7.25"), PROCESSING),
        ],
    ),
    schemas.CreateOrder(
        order_reference=_REFERENCE,
        basket_data=[
            schemas.BasketLine(
                deliver_id=_CARDS,
                customer_store_product_id=example_values.CARD,
                quantity=1,
                max_unit_price=Decimal("5.50"),
            ),
            schemas.BasketLine(
                deliver_id=_PLAYER,
                customer_store_product_id=example_values.TOP_UP,
                quantity=1,
                require_data=[RequireData(product_require_id=example_values.PLAYER, value="p-77")],
            ),
        ],
    ),
)
VALIDATE_ORDER = Example(
    schemas.ValidOrder(
        order_reference="PO-1003",
        known=False,
        currency="USD",
        total=Decimal("10.00"),
        details=[schemas.ValidLine(_CARDS, 2, Decimal("5.00"), Decimal("10.00"), DELIVERED)],
    ),
    schemas.CreateOrder(
        order_reference="PO-1003",
        basket_data=[schemas.BasketLine(deliver_id=_CARDS, customer_store_product_id=example_values.CARD, quantity=2)],
    ),
)
GET_ORDER = Example(
    schemas.OrderView(
        order_id=example_values.ORDER,
        order_reference=_REFERENCE,
        currency="USD",
        total=Decimal("12.25"),
        created=example_values.NOW,
        details=[_CARD_LINE, _TOP_UP_LINE],
    ),
    schemas.GetOrder(order_reference=_REFERENCE),
)
ORDER_DETAIL = Example(_CARD_LINE, argument=example_values.CARD_LINE)


def _summary(line: schemas.LineView, **changed: Any) -> schemas.LineSummary:
    names = (field.name for field in msgspec.structs.fields(schemas.LineSummary))
    return schemas.LineSummary(**{name: getattr(line, name) for name in names} | changed)


LIST_ORDERS = Example(
    Page(
        [
            schemas.OrderSummary(
                order_id=example_values.ORDER,
                order_reference=_REFERENCE,
                currency="USD",
                total=Decimal("12.25"),
                created=example_values.NOW,
                details=[_summary(_CARD_LINE), _summary(_TOP_UP_LINE)],
            )
        ],
        None,
    ),
    schemas.ListOrders(page_size=20, status=[PROCESSING], order_reference=_REFERENCE),
)
CANCEL_ORDER = Example(
    schemas.OrderSummary(
        order_id=example_values.OTHER_ORDER,
        order_reference="PO-1002",
        currency="USD",
        total=Decimal("7.25"),
        created=example_values.NOW,
        details=[
            _summary(
                _TOP_UP_LINE,
                order_detail_id=example_values.CANCELLED_LINE,
                deliver_id="1",
                status=CANCELLED,
                cancelled=1,
            )
        ],
    ),
    schemas.CancelOrder(
        order_reference="PO-1002", order_detail_ids=[example_values.CANCELLED_LINE], reason="The player has left."
    ),
)
ACCOUNT = Example(
    schemas.AccountView(
        account_id=example_values.PARTNER,
        name="Partner Ltd",
        email=example_values.PARTNER_EMAIL,
        scopes=sorted(SCOPES[Surface.RESELLER]),
        currency="USD",
        balance=Decimal("100.00"),
        held=Decimal("7.25"),
        available=Decimal("92.75"),
        credit_limit=Decimal("500.00"),
        spendable=Decimal("592.75"),
        low_balance=None,
    )
)
LOW_BALANCE = Example(
    schemas.LowBalanceView(threshold=Decimal("50.00"), spendable=Decimal("592.75"), currency="USD"),
    schemas.SetLowBalance(threshold=Decimal("50.00")),
)
STATEMENT = Example(
    Statement(
        currency="USD",
        opening_balance=Decimal("100.00"),
        items=[example_values.PURCHASE_ENTRY],
        next_cursor=None,
    ),
    GetStatement(page_size=20, booked_from=example_values.EARLIER),
)
