"""The Reseller surface: partners' back ends."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bedesten_client._call import Call, Operation, lines
from bedesten_client._paging import Body, Paging, since
from bedesten_client._secret import Secret
from bedesten_client.schemas import Account, BasketLine, Category, Order, OrderLine, Page, PlacedOrder, Product, Token

LOGIN_PATH = "/Login/Customer/Api/Verify"


class _Login(Body, frozen=True):
    email: str
    password: Secret
    callback_data: Any = None


class _NewOrder(Body, frozen=True):
    order_reference: str
    basket_data: tuple[BasketLine, ...]
    notify_url: str | None = None


class _GetOrder(Body, frozen=True):
    order_id: str | None = None
    order_reference: str | None = None


GENERATE_TOKEN = Operation(method="POST", path=LOGIN_PATH, result=Token, anonymous=True)
CATEGORIES = Operation(method="GET", path="/Categories", result=Page[Category])
LIST_PRODUCTS = Operation(method="POST", path="/Products/List", result=Page[Product])
PRODUCT = Operation(method="POST", path="/Products/Detail/{productId}", result=Product)
CREATE_ORDER = Operation(method="POST", path="/Orders/Create", result=PlacedOrder)
GET_ORDER = Operation(method="POST", path="/Orders/Get", result=Order)
ORDER_DETAIL = Operation(method="GET", path="/Orders/Detail/{orderDetailId}", result=OrderLine)
ACCOUNT = Operation(method="GET", path="/Account/Details", result=Account)


def login_body(email: str, password: str | Secret, callback_data: object) -> Body:
    """The body of a login."""
    secret = password if isinstance(password, Secret) else Secret(password)
    return _Login(email=email, password=secret, callback_data=callback_data)


def generate_token(email: str, password: str | Secret, *, callback_data: object = None) -> Call[Token]:
    """A bearer token of an account, for other programs. The client has its own, and needs no call of this."""
    return Call(GENERATE_TOKEN, login_body(email, password, callback_data))


def categories() -> Call[Page[Category]]:
    """All categories that have anything for the region."""
    return Call(CATEGORIES)


def list_products(
    *,
    category_id: str | None = None,
    updated_since: datetime | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Call[Page[Product]]:
    """A page of what is sold in the region."""
    asked = Paging(page_size=page_size, cursor=cursor, updated_since=since(updated_since), category_id=category_id)
    return Call(LIST_PRODUCTS, asked)


def product(product_id: str) -> Call[Product]:
    """One product."""
    return Call(PRODUCT, None, product_id)


def create_order(
    order_reference: str, basket: Sequence[BasketLine], *, notify_url: str | None = None
) -> Call[PlacedOrder]:
    """Places an order, all or nothing. The reference names it for ever: sent again, the same order is answered."""
    return Call(
        CREATE_ORDER, _NewOrder(order_reference=order_reference, basket_data=lines(basket), notify_url=notify_url)
    )


def get_order(order_id: str | None = None, *, order_reference: str | None = None) -> Call[Order]:
    """An order with its lines and codes, by its id or by the partner's own reference."""
    return Call(GET_ORDER, _GetOrder(order_id=order_id, order_reference=order_reference))


def order_detail(order_detail_id: str) -> Call[OrderLine]:
    """One order line with its codes."""
    return Call(ORDER_DETAIL, None, order_detail_id)


def account() -> Call[Account]:
    """The partner's account and its money."""
    return Call(ACCOUNT)
