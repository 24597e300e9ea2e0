"""The Supplier surface: suppliers of the goods."""

from collections.abc import Sequence
from datetime import datetime

from bedesten_client._call import Call, Operation, lines
from bedesten_client._paging import Body, Paging, since
from bedesten_client._retry import RetryPolicy
from bedesten_client._surfaces import keys
from bedesten_client.schemas import (
    ApiKey,
    AwaitingLine,
    CodeItem,
    DeliveryResult,
    KeyRevocation,
    KeyRotation,
    Offer,
    Page,
    SupplierProduct,
    UploadResult,
)


class _Offers(Body, frozen=True):
    products: tuple[Offer, ...]


class _Upload(Body, frozen=True):
    product_id: str
    codes: tuple[str, ...] = ()
    items: tuple[CodeItem, ...] = ()


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
DELIVER = Operation(method="POST", path="/Supplier/Orders/Deliver", result=DeliveryResult, retry_policy=_KEYED)
GET_KEY, ROTATE_KEY, REVOKE_KEY = keys.get("Supplier"), keys.rotate("Supplier"), keys.revoke("Supplier")


def list_products(
    *, updated_since: datetime | None = None, page_size: int | None = None, cursor: str | None = None
) -> Call[Page[SupplierProduct]]:
    """A page of the supplier's own products."""
    return Call(LIST_PRODUCTS, Paging(page_size=page_size, cursor=cursor, updated_since=since(updated_since)))


def upsert_products(products: Sequence[Offer]) -> Call[Page[SupplierProduct]]:
    """Makes or changes products, all or none."""
    return Call(UPSERT_PRODUCTS, _Offers(products=lines(products)))


def upload_stock(product_id: str, codes: Sequence[str] = (), *, items: Sequence[CodeItem] = ()) -> Call[UploadResult]:
    """Puts codes into stock, plain or as items with their parts; those that were in the shop before are left out."""
    return Call(UPLOAD_STOCK, _Upload(product_id=product_id, codes=lines(codes), items=lines(items)))


def list_awaiting(
    *, updated_since: datetime | None = None, page_size: int | None = None, cursor: str | None = None
) -> Call[Page[AwaitingLine]]:
    """A page of the lines that wait for the supplier, those that wait longest first."""
    return Call(AWAITING, Paging(page_size=page_size, cursor=cursor, updated_since=since(updated_since)))


def deliver(
    order_detail_id: str, codes: Sequence[str] = (), *, items: Sequence[CodeItem] = (), notes: Sequence[str] = ()
) -> Call[DeliveryResult]:
    """Delivers a waiting line, once: as many codes (plain, or items with their parts) as it has units, or notes, or both."""
    body = _Delivery(
        order_detail_id=order_detail_id,
        delivery_data=lines(codes),
        delivery_items=lines(items),
        delivery_note=lines(notes),
    )
    return Call(DELIVER, body)


def get_key() -> Call[ApiKey]:
    """What is known of the API key that the client presents."""
    return Call(GET_KEY)


def rotate_key(
    *, grace_seconds: int | None = None, from_first_use: bool = False, replaces: str | None = None
) -> Call[KeyRotation]:
    """Another secret for the API key: store it where the client reads it. It is never sent twice by itself."""
    return Call(ROTATE_KEY, keys.rotate_body(grace_seconds, from_first_use, replaces))


def revoke_key(*, previous: bool = False) -> Call[KeyRevocation]:
    """Ends the API key, or only the previous secret of its rotation."""
    return Call(REVOKE_KEY, keys.revoke_body(previous))
