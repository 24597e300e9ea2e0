"""The Reseller surface: partners' back ends."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bedesten_client._call import Call, Operation, lines
from bedesten_client._paging import Body, OrderPaging, Period, ids, since
from bedesten_client._retry import RetryPolicy
from bedesten_client._secret import Secret
from bedesten_client._surfaces import complaints, webhooks
from bedesten_client._surfaces.products import ProductCalls
from bedesten_client.schemas import (
    Account,
    Amount,
    BasketLine,
    Category,
    LowBalance,
    Order,
    OrderLine,
    OrderSummary,
    Page,
    PlacedOrder,
    Statement,
    Status,
    Token,
    ValidOrder,
)

LOGIN_PATH = "/Login/Customer/Api/Verify"


class _LowBalance(Body, frozen=True):
    threshold: Amount


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


class _ListOrders(OrderPaging, frozen=True):
    order_reference: str | None = None
    customer_store_product_id: str | None = None


class _CancelOrder(Body, frozen=True):
    order_id: str | None = None
    order_reference: str | None = None
    order_detail_ids: tuple[str, ...] | None = None
    reason: str | None = None


class _ResetPassword(Body, frozen=True):
    token: Secret
    new_password: Secret


GENERATE_TOKEN = Operation(method="POST", path=LOGIN_PATH, result=Token, anonymous=True)
RESET_PASSWORD = Operation(
    method="POST",
    path="/Login/Customer/Api/Password/Reset",
    result=Status,
    anonymous=True,
    retry_policy=RetryPolicy.NEVER,
)
CATEGORIES = Operation(method="GET", path="/Categories", result=Page[Category])
CREATE_ORDER = Operation(method="POST", path="/Orders/Create", result=PlacedOrder)
VALIDATE_ORDER = Operation(method="POST", path="/Orders/Validate", result=ValidOrder)
GET_ORDER = Operation(method="POST", path="/Orders/Get", result=Order)
ORDER_DETAIL = Operation(method="GET", path="/Orders/Detail/{orderDetailId}", result=OrderLine)
LIST_ORDERS = Operation(method="POST", path="/Orders/List", result=Page[OrderSummary])
CANCEL_ORDER = Operation(method="POST", path="/Orders/Cancel", result=OrderSummary, retry_policy=RetryPolicy.KEYED)
SET_LOW_BALANCE = Operation(
    method="POST", path="/Account/LowBalance", result=LowBalance, retry_policy=RetryPolicy.KEYED
)
ACCOUNT = Operation(method="GET", path="/Account/Details", result=Account)
LIST_TRANSFERS = Operation(method="POST", path="/Account/Statement", result=Statement)


def login_body(email: str, password: str | Secret, callback_data: object) -> Body:
    """Build the body of a login."""
    secret = password if isinstance(password, Secret) else Secret(password)
    return _Login(email=email, password=secret, callback_data=callback_data)


def generate_token(email: str, password: str | Secret, *, callback_data: object = None) -> Call[Token]:
    """Return a bearer token for another program. The client itself logs in automatically."""
    return Call(GENERATE_TOKEN, login_body(email, password, callback_data))


def reset_password(token: str | Secret, new_password: str | Secret) -> Call[Status]:
    """Set a new password with the token of a mailed link. Every bearer token of the account ends."""
    return Call(RESET_PASSWORD, _ResetPassword(token=_secret(token), new_password=_secret(new_password)))


def _secret(value: str | Secret) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)


def categories() -> Call[Page[Category]]:
    """Return the categories that have products in the region."""
    return Call(CATEGORIES)


_PRODUCTS = ProductCalls("/Products")
list_products, product = _PRODUCTS.list_products, _PRODUCTS.product


def create_order(
    order_reference: str, basket: Sequence[BasketLine], *, notify_url: str | None = None
) -> Call[PlacedOrder]:
    """Place an order, all or nothing. The same reference and content always return the same order."""
    return Call(
        CREATE_ORDER, _NewOrder(order_reference=order_reference, basket_data=lines(basket), notify_url=notify_url)
    )


def validate_order(
    order_reference: str, basket: Sequence[BasketLine], *, notify_url: str | None = None
) -> Call[ValidOrder]:
    """Check an order like `create_order`, with the same refusals, without placing it."""
    return Call(
        VALIDATE_ORDER, _NewOrder(order_reference=order_reference, basket_data=lines(basket), notify_url=notify_url)
    )


def get_order(order_id: str | None = None, *, order_reference: str | None = None) -> Call[Order]:
    """Return an order with its lines and codes, by its id or by the partner's own reference."""
    return Call(GET_ORDER, _GetOrder(order_id=order_id, order_reference=order_reference))


def order_detail(order_detail_id: str) -> Call[OrderLine]:
    """Return one order line with its codes."""
    return Call(ORDER_DETAIL, None, order_detail_id)


def list_orders(
    *,
    status: Sequence[int] = (),
    created_from: datetime | None = None,
    created_to: datetime | None = None,
    order_reference: str | None = None,
    product_id: str | None = None,
    updated_since: datetime | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Call[Page[OrderSummary]]:
    """Return a page of the partner's orders, newest first, without codes. `status` and `product_id` select by line."""
    body = _ListOrders(
        page_size=page_size,
        cursor=cursor,
        updated_since=since(updated_since),
        status=tuple(status) or None,
        created_from=since(created_from),
        created_to=since(created_to),
        order_reference=order_reference,
        customer_store_product_id=product_id,
    )
    return Call(LIST_ORDERS, body)


def cancel_order(
    order_id: str | None = None,
    *,
    order_reference: str | None = None,
    lines: Sequence[str] = (),
    reason: str | None = None,
) -> Call[OrderSummary]:
    """Cancel these lines of an order, or all that is not delivered. The money is available again at once."""
    body = _CancelOrder(order_id=order_id, order_reference=order_reference, order_detail_ids=ids(lines), reason=reason)
    return Call(CANCEL_ORDER, body)


def account() -> Call[Account]:
    """Return the partner's account and balance."""
    return Call(ACCOUNT)


def set_low_balance(threshold: Amount) -> Call[LowBalance]:
    """Have `balance.low` sent when the account can spend less than this; 0: never."""
    return Call(SET_LOW_BALANCE, _LowBalance(threshold=threshold))


_COMPLAINTS = complaints.BuyerComplaintCalls("/Complaints")
create_complaint, list_complaints = _COMPLAINTS.create_complaint, _COMPLAINTS.list_complaints
get_complaint, withdraw_complaint = _COMPLAINTS.get_complaint, _COMPLAINTS.withdraw_complaint


def list_transfers(
    *,
    booked_from: datetime | None = None,
    booked_to: datetime | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Call[Statement]:
    """Return a page of the transfers of the partner's balance, the oldest first."""
    body = Period(page_size=page_size, cursor=cursor, booked_from=since(booked_from), booked_to=since(booked_to))
    return Call(LIST_TRANSFERS, body)


_HOOKS = webhooks.WebhookCalls("/Webhooks")
create_endpoint, list_endpoints, update_endpoint = _HOOKS.create_endpoint, _HOOKS.list_endpoints, _HOOKS.update_endpoint
rotate_endpoint, test_endpoint, delete_endpoint = _HOOKS.rotate_endpoint, _HOOKS.test_endpoint, _HOOKS.delete_endpoint
list_deliveries, replay_deliveries = _HOOKS.list_deliveries, _HOOKS.replay_deliveries
simulate_webhooks = _HOOKS.simulate_webhooks
