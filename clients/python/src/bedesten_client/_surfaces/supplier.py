"""The Supplier surface: suppliers of the goods."""

from collections.abc import Sequence
from datetime import datetime

from bedesten_client._call import Call, Operation, lines
from bedesten_client._paging import Body, Paging, Period, since
from bedesten_client._retry import RetryPolicy
from bedesten_client._surfaces import api_keys, complaints, webhooks
from bedesten_client.schemas import (
    Amount,
    AssignedLine,
    AwaitingLine,
    CodeItem,
    DeliveryResult,
    Offer,
    Page,
    StockBatch,
    StockRecall,
    StockWithdrawal,
    SupplierComplaint,
    SupplierComplaintDetails,
    SupplierProduct,
    SupplierStatement,
    UploadResult,
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
    """Hand a waiting line, or the rest of it, back: another supplier gets it, or it is cancelled."""
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


_KEYS = api_keys.KeyCalls("Supplier")
get_key, rotate_key, revoke_key = _KEYS.get_key, _KEYS.rotate_key, _KEYS.revoke_key


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


_HOOKS = webhooks.WebhookCalls("/Supplier/Webhooks")
create_endpoint, list_endpoints, update_endpoint = _HOOKS.create_endpoint, _HOOKS.list_endpoints, _HOOKS.update_endpoint
rotate_endpoint, test_endpoint, delete_endpoint = _HOOKS.rotate_endpoint, _HOOKS.test_endpoint, _HOOKS.delete_endpoint
list_deliveries, replay_deliveries = _HOOKS.list_deliveries, _HOOKS.replay_deliveries
simulate_webhooks = _HOOKS.simulate_webhooks
