"""The Reseller surface: partners' back ends."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bedesten_client._call import Call, Operation, lines
from bedesten_client._paging import Body, OrderPaging, Period, ProductPaging, ids, since
from bedesten_client._retry import RetryPolicy
from bedesten_client._secret import Secret
from bedesten_client._surfaces import complaints, webhooks
from bedesten_client.schemas import (
    Account,
    Amount,
    BasketLine,
    Category,
    Complaint,
    ComplaintSummary,
    CreatedWebhookEndpoint,
    DeletedWebhookEndpoint,
    LowBalance,
    Order,
    OrderLine,
    OrderSummary,
    Page,
    PlacedOrder,
    Product,
    QueuedEvents,
    ReplayedDeliveries,
    RotatedWebhookEndpoint,
    Statement,
    Token,
    ValidOrder,
    WebhookDelivery,
    WebhookEndpoint,
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


GENERATE_TOKEN = Operation(method="POST", path=LOGIN_PATH, result=Token, anonymous=True)
CATEGORIES = Operation(method="GET", path="/Categories", result=Page[Category])
LIST_PRODUCTS = Operation(method="POST", path="/Products/List", result=Page[Product])
PRODUCT = Operation(method="POST", path="/Products/Detail/{productId}", result=Product)
CREATE_ORDER = Operation(method="POST", path="/Orders/Create", result=PlacedOrder)
VALIDATE_ORDER = Operation(method="POST", path="/Orders/Validate", result=ValidOrder)
GET_ORDER = Operation(method="POST", path="/Orders/Get", result=Order)
ORDER_DETAIL = Operation(method="GET", path="/Orders/Detail/{orderDetailId}", result=OrderLine)
LIST_ORDERS = Operation(method="POST", path="/Orders/List", result=Page[OrderSummary])
CANCEL_ORDER = Operation(method="POST", path="/Orders/Cancel", result=OrderSummary, retry_policy=RetryPolicy.KEYED)
COMPLAINTS = "/Complaints"
CREATE_COMPLAINT, LIST_COMPLAINTS = complaints.create(COMPLAINTS), complaints.list_own(COMPLAINTS)
GET_COMPLAINT, WITHDRAW_COMPLAINT = complaints.get(COMPLAINTS), complaints.withdraw(COMPLAINTS)
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


def categories() -> Call[Page[Category]]:
    """Return the categories that have products in the region."""
    return Call(CATEGORIES)


def list_products(
    *,
    category_id: str | None = None,
    search: str | None = None,
    sku: str | None = None,
    in_stock: bool | None = None,
    regions: Sequence[str] = (),
    sort: str | None = None,
    updated_since: datetime | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Call[Page[Product]]:
    """Return a page of the products that are sold in the region, or in `regions`.

    `search`: words of the name. `sort`: `id` (the default), `name`, `price` or `-price`.
    """
    body = ProductPaging(
        page_size=page_size,
        cursor=cursor,
        updated_since=since(updated_since),
        category_id=category_id,
        search=search,
        sku=sku,
        in_stock=in_stock,
        regions=ids(regions),
        sort=sort,
    )
    return Call(LIST_PRODUCTS, body)


def product(product_id: str) -> Call[Product]:
    """Return one product."""
    return Call(PRODUCT, None, product_id)


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


def create_complaint(
    order_detail_id: str, reason: str, *, code: str | None = None, text: str | None = None, evidence: str | None = None
) -> Call[Complaint]:
    """Complain about a delivered unit: `code`, or the only one of the line. The same complaint again is the same one."""
    body = complaints.NewComplaint(
        order_detail_id=order_detail_id, reason=reason, code=code, text=text, evidence=evidence
    )
    return Call(CREATE_COMPLAINT, body)


def list_complaints(
    *,
    state: str | None = None,
    updated_since: datetime | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Call[Page[ComplaintSummary]]:
    """Return a page of the account's complaints, oldest first."""
    body = complaints.ComplaintPaging(
        page_size=page_size, cursor=cursor, updated_since=since(updated_since), state=state
    )
    return Call(LIST_COMPLAINTS, body)


def get_complaint(complaint_id: str) -> Call[Complaint]:
    """Return one complaint with its texts."""
    return Call(GET_COMPLAINT, complaints.OneComplaint(complaint_id=complaint_id))


def withdraw_complaint(complaint_id: str) -> Call[Complaint]:
    """Withdraw an open complaint."""
    return Call(WITHDRAW_COMPLAINT, complaints.OneComplaint(complaint_id=complaint_id))


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


_HOOKS = webhooks.WebhookOperations("/Webhooks")
CREATE_ENDPOINT, LIST_ENDPOINTS, UPDATE_ENDPOINT = _HOOKS.create, _HOOKS.list, _HOOKS.update
ROTATE_ENDPOINT, TEST_ENDPOINT, DELETE_ENDPOINT = _HOOKS.rotate, _HOOKS.test, _HOOKS.delete
LIST_DELIVERIES, REPLAY, SIMULATE = _HOOKS.deliveries, _HOOKS.replay, _HOOKS.simulate


def create_endpoint(url: str, *, event_types: Sequence[str] | None = None) -> Call[CreatedWebhookEndpoint]:
    """Create a webhook endpoint; by default it receives events of every type. Its secrets are shown once."""
    return webhooks.create(_HOOKS, url, event_types)


def list_endpoints() -> Call[Page[WebhookEndpoint]]:
    """Return the account's webhook endpoints."""
    return webhooks.list_all(_HOOKS)


def update_endpoint(
    endpoint_id: str, *, url: str | None = None, event_types: Sequence[str] | None = None, paused: bool | None = None
) -> Call[WebhookEndpoint]:
    """Change a webhook endpoint. None keeps a value. `paused` False releases what was held."""
    return webhooks.update(_HOOKS, endpoint_id, url, event_types, paused)


def rotate_endpoint(endpoint_id: str, *, overlap_seconds: int | None = None) -> Call[RotatedWebhookEndpoint]:
    """Replace the signing secret of a webhook endpoint. Until the overlap ends, both secrets sign."""
    return webhooks.rotate(_HOOKS, endpoint_id, overlap_seconds)


def test_endpoint(endpoint_id: str) -> Call[QueuedEvents]:
    """Send a test event to a webhook endpoint."""
    return webhooks.test(_HOOKS, endpoint_id)


def delete_endpoint(endpoint_id: str) -> Call[DeletedWebhookEndpoint]:
    """Delete a webhook endpoint."""
    return webhooks.delete(_HOOKS, endpoint_id)


def list_deliveries(
    *,
    endpoint_id: str | None = None,
    state: str | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Call[Page[WebhookDelivery]]:
    """Return a page of webhook deliveries with their attempts, newest first."""
    return webhooks.deliveries(_HOOKS, endpoint_id, state, page_size, cursor)


def replay_deliveries(
    delivery_id: str | None = None,
    *,
    endpoint_id: str | None = None,
    begin: datetime | None = None,
    end: datetime | None = None,
    failed_only: bool | None = None,
    cursor: str | None = None,
) -> Call[ReplayedDeliveries]:
    """Send one delivery again, or those of an endpoint whose events lie in a range of time."""
    return webhooks.replay(_HOOKS, delivery_id, endpoint_id, begin, end, failed_only, cursor)


def simulate_webhooks(endpoint_id: str, scenario: str) -> Call[QueuedEvents]:
    """Play a scenario of test deliveries to a webhook endpoint: delivered, late, twice and others."""
    return webhooks.simulate(_HOOKS, endpoint_id, scenario)
