"""The Supplier surface as a table."""

from bedesten import errors
from bedesten.gate.access import Keyed
from bedesten.gate.scopes import Surface
from bedesten.http.route import LARGE_BODY_BYTES, Reads, Route, Writes
from bedesten.surfaces import api_keys
from bedesten.surfaces.schemas import Items, Page, Paging
from bedesten.surfaces.supplier import examples, handlers, schemas


def _grant(name: str) -> Keyed:
    return Keyed(Surface.SUPPLIER, name)


ROUTES = (
    Route(
        method="POST",
        path="/Supplier/Products/List",
        access=_grant("products:read"),
        handler=Reads(handlers.list_products),
        body=Paging,
        response=Page[schemas.OfferView],
        summary="List the supplier's own products",
        example=examples.LIST_PRODUCTS,
    ),
    Route(
        method="POST",
        path="/Supplier/Products/Upsert",
        access=_grant("products:write"),
        handler=Writes(handlers.upsert_products),
        body=schemas.UpsertProducts,
        limit=LARGE_BODY_BYTES,
        response=Items[schemas.OfferView],
        summary="Make or change products",
        example=examples.UPSERT_PRODUCTS,
    ),
    Route(
        method="POST",
        path="/Supplier/Stock/Upload",
        access=_grant("stock:write"),
        handler=Writes(handlers.upload_stock),
        body=schemas.UploadStock,
        limit=LARGE_BODY_BYTES,
        response=schemas.UploadResult,
        errors=(errors.NOT_FOUND,),
        summary="Put stock codes in",
        example=examples.UPLOAD_STOCK,
    ),
    Route(
        method="POST",
        path="/Supplier/Orders/Awaiting",
        access=_grant("orders:read"),
        handler=Reads(handlers.awaiting),
        body=Paging,
        response=Page[schemas.AwaitingLine],
        summary="List the order lines that wait",
        example=examples.AWAITING,
    ),
    Route(
        method="POST",
        path="/Supplier/Orders/Deliver",
        aliases=("/Order/deliver",),
        access=_grant("orders:deliver"),
        handler=Writes(handlers.deliver),
        body=schemas.Deliver,
        limit=LARGE_BODY_BYTES,
        response=schemas.DeliveryResult,
        errors=(errors.NOT_FOUND, errors.NOT_DELIVERABLE),
        summary="Deliver an order line",
        example=examples.DELIVER,
    ),
    *api_keys.routes(Surface.SUPPLIER),
)
