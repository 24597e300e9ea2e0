"""The Supplier surface: suppliers of the goods."""

from collections.abc import Sequence
from datetime import datetime

from bedesten_client._call import Call, Operation, lines
from bedesten_client._paging import Body, Paging, Period, since
from bedesten_client._retry import RetryPolicy
from bedesten_client._surfaces import api_keys, complaints, webhooks
from bedesten_client.schemas import (
    Amount,
    ApiKey,
    AssignedLine,
    AwaitingLine,
    CodeItem,
    CreatedWebhookEndpoint,
    DeletedWebhookEndpoint,
    DeliveryResult,
    KeyRevocation,
    KeyRotation,
    Offer,
    Page,
    QueuedEvents,
    ReplayedDeliveries,
    RotatedWebhookEndpoint,
    StockBatch,
    StockRecall,
    StockWithdrawal,
    SupplierComplaint,
    SupplierComplaintDetails,
    SupplierProduct,
    SupplierStatement,
    UploadResult,
    WebhookDelivery,
    WebhookEndpoint,
)


class _Offers(Body, frozen=True):
    products: tuple[Offer, ...]


class _Upload(Body, frozen=True):
    product_id: str
    codes: tuple[str, ...] = ()
    items: tuple[CodeItem, ...] = ()


class _Batches(Paging, frozen=True):
    product_id: str | None = None


class _Withdrawal(Body, frozen=True):
    reason: str
    batch_id: str | None = None
    codes: tuple[str, ...] = ()


class _Recall(_Withdrawal, frozen=True):
    dry_run: bool = False


class _Acceptance(Body, frozen=True):
    order_detail_id: str
    promised_by: str | None = None


class _Rejection(Body, frozen=True):
    order_detail_id: str
    reason: str


class _Delivery(Body, frozen=True):
    order_detail_id: str
    delivery_data: tuple[str, ...] = ()
    delivery_items: tuple[CodeItem, ...] = ()
    delivery_note: tuple[str, ...] = ()


_KEYED = RetryPolicy.KEYED
LIST_PRODUCTS = Operation(method="POST", path="/Supplier/Products/List", result=Page[SupplierProduct])
UPSERT_PRODUCTS = Operation(
    method="POST", path="/Supplier/Products/Upsert", result=Page[SupplierProduct], retry_policy=_KEYED
)
UPLOAD_STOCK = Operation(method="POST", path="/Supplier/Stock/Upload", result=UploadResult, retry_policy=_KEYED)
AWAITING = Operation(method="POST", path="/Supplier/Orders/Awaiting", result=Page[AwaitingLine])
LIST_STOCK = Operation(method="POST", path="/Supplier/Stock/List", result=Page[StockBatch])
WITHDRAW_STOCK = Operation(method="POST", path="/Supplier/Stock/Withdraw", result=StockWithdrawal, retry_policy=_KEYED)
RECALL_STOCK = Operation(method="POST", path="/Supplier/Stock/Recall", result=StockRecall, retry_policy=_KEYED)
ACCEPT = Operation(method="POST", path="/Supplier/Orders/Accept", result=AssignedLine, retry_policy=_KEYED)
REJECT = Operation(method="POST", path="/Supplier/Orders/Reject", result=AssignedLine, retry_policy=_KEYED)
DELIVER = Operation(method="POST", path="/Supplier/Orders/Deliver", result=DeliveryResult, retry_policy=_KEYED)
LIST_COMPLAINTS = Operation(method="POST", path="/Supplier/Complaints/List", result=Page[SupplierComplaint])
GET_COMPLAINT = Operation(method="POST", path="/Supplier/Complaints/Get", result=SupplierComplaintDetails)
ANSWER_COMPLAINT = Operation(
    method="POST", path="/Supplier/Complaints/Answer", result=SupplierComplaint, retry_policy=_KEYED
)
GET_KEY, ROTATE_KEY, REVOKE_KEY = api_keys.get("Supplier"), api_keys.rotate("Supplier"), api_keys.revoke("Supplier")
LIST_TRANSFERS = Operation(method="POST", path="/Supplier/Statement", result=SupplierStatement)


def list_products(
    *, updated_since: datetime | None = None, page_size: int | None = None, cursor: str | None = None
) -> Call[Page[SupplierProduct]]:
    """Return a page of the supplier's own products."""
    return Call(LIST_PRODUCTS, Paging(page_size=page_size, cursor=cursor, updated_since=since(updated_since)))


def upsert_products(products: Sequence[Offer]) -> Call[Page[SupplierProduct]]:
    """Create or change products, all or none."""
    return Call(UPSERT_PRODUCTS, _Offers(products=lines(products)))


def upload_stock(product_id: str, codes: Sequence[str] = (), *, items: Sequence[CodeItem] = ()) -> Call[UploadResult]:
    """Upload codes, plain or as items with parts. Codes that the shop already has are skipped."""
    return Call(UPLOAD_STOCK, _Upload(product_id=product_id, codes=lines(codes), items=lines(items)))


def list_awaiting(
    *, updated_since: datetime | None = None, page_size: int | None = None, cursor: str | None = None
) -> Call[Page[AwaitingLine]]:
    """Return a page of the lines that wait for the supplier, oldest first."""
    return Call(AWAITING, Paging(page_size=page_size, cursor=cursor, updated_since=since(updated_since)))


def list_stock(
    *,
    product_id: str | None = None,
    updated_since: datetime | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Call[Page[StockBatch]]:
    """Return a page of the supplier's batches of stock codes, in their order of sale."""
    return Call(
        LIST_STOCK,
        _Batches(page_size=page_size, cursor=cursor, updated_since=since(updated_since), product_id=product_id),
    )


def withdraw_stock(reason: str, *, batch_id: str | None = None, codes: Sequence[str] = ()) -> Call[StockWithdrawal]:
    """Withdraw the unsold codes of one of the supplier's batches, or single codes, for good."""
    return Call(WITHDRAW_STOCK, _Withdrawal(reason=reason, batch_id=batch_id, codes=lines(codes)))


def recall_stock(
    reason: str, *, batch_id: str | None = None, codes: Sequence[str] = (), dry_run: bool = False
) -> Call[StockRecall]:
    """Freeze unsold codes and open complaints for the sold ones. Repeat it until `complaints_left` is 0."""
    return Call(RECALL_STOCK, _Recall(reason=reason, batch_id=batch_id, codes=lines(codes), dry_run=dry_run))


def accept(order_detail_id: str, *, promised_by: datetime | None = None) -> Call[AssignedLine]:
    """Accept a waiting line, and optionally promise a time by which it will be delivered."""
    return Call(ACCEPT, _Acceptance(order_detail_id=order_detail_id, promised_by=since(promised_by)))


def reject(order_detail_id: str, reason: str) -> Call[AssignedLine]:
    """Give a waiting line, or what is left of it, back: another supplier gets it, or it is cancelled."""
    return Call(REJECT, _Rejection(order_detail_id=order_detail_id, reason=reason))


def deliver(
    order_detail_id: str, codes: Sequence[str] = (), *, items: Sequence[CodeItem] = (), notes: Sequence[str] = ()
) -> Call[DeliveryResult]:
    """Deliver units of a waiting line once: a code (plain, or an item with parts) for each, or notes for all, or both."""
    body = _Delivery(
        order_detail_id=order_detail_id,
        delivery_data=lines(codes),
        delivery_items=lines(items),
        delivery_note=lines(notes),
    )
    return Call(DELIVER, body)


def get_key() -> Call[ApiKey]:
    """Return the state of the client's API key."""
    return Call(GET_KEY)


def rotate_key(
    *, grace_seconds: int | None = None, from_first_use: bool = False, replaces: str | None = None
) -> Call[KeyRotation]:
    """Replace the API key's secret. Store the new one where the client reads it. Never retried automatically."""
    return Call(ROTATE_KEY, api_keys.rotate_body(grace_seconds, from_first_use, replaces))


def revoke_key(*, previous: bool = False) -> Call[KeyRevocation]:
    """Revoke the API key, or only the previous secret of its rotation."""
    return Call(REVOKE_KEY, api_keys.revoke_body(previous))


def list_complaints(
    *,
    state: str | None = None,
    updated_since: datetime | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Call[Page[SupplierComplaint]]:
    """Return a page of the complaints about what the supplier delivered, oldest first."""
    body = complaints.ComplaintPaging(
        page_size=page_size, cursor=cursor, updated_since=since(updated_since), state=state
    )
    return Call(LIST_COMPLAINTS, body)


def get_complaint(complaint_id: str) -> Call[SupplierComplaintDetails]:
    """Return one complaint with its code and texts."""
    return Call(GET_COMPLAINT, complaints.OneComplaint(complaint_id=complaint_id))


def answer_complaint(
    complaint_id: str, answer: str, *, amount: Amount | None = None, text: str | None = None
) -> Call[SupplierComplaint]:
    """Answer a complaint: replace, refund (the whole price, or `amount`), or reject with a text."""
    body = complaints.ComplaintAnswer(complaint_id=complaint_id, answer=answer, amount=amount, text=text)
    return Call(ANSWER_COMPLAINT, body)


def list_transfers(
    *,
    booked_from: datetime | None = None,
    booked_to: datetime | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> Call[SupplierStatement]:
    """Return a page of what the supplier earned and was paid, the oldest first."""
    body = Period(page_size=page_size, cursor=cursor, booked_from=since(booked_from), booked_to=since(booked_to))
    return Call(LIST_TRANSFERS, body)


_HOOKS = webhooks.WebhookOperations("/Supplier/Webhooks")
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
