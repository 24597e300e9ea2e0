"""The routes of the Supplier surface."""

from bedesten import errors
from bedesten.gate.scopes import Surface
from bedesten.http.route import LARGE_BODY_BYTES, Reads, Reveals, Writes
from bedesten.surfaces import api_keys, complaints, webhooks
from bedesten.surfaces.route_table import RouteTable
from bedesten.surfaces.supplier import examples, handlers

post = RouteTable(Surface.SUPPLIER).post

ROUTES = (
    post("/Supplier/Products/List", access="products:read", handler=Reads(handlers.list_products),
         summary="List the supplier's own products", example=examples.LIST_PRODUCTS),
    post("/Supplier/Products/Upsert", access="products:write", handler=Writes(handlers.upsert_products),
         summary="Create or change products", limit=LARGE_BODY_BYTES, example=examples.UPSERT_PRODUCTS),
    post("/Supplier/Stock/Upload", access="stock:write", handler=Writes(handlers.upload_stock),
         summary="Upload stock codes", errors=(errors.NOT_FOUND,), limit=LARGE_BODY_BYTES,
         example=examples.UPLOAD_STOCK),
    post("/Supplier/Stock/List", access="stock:read", handler=Reads(handlers.list_stock),
         summary="List the supplier's batches of stock codes", example=examples.LIST_STOCK),
    post("/Supplier/Stock/Withdraw", access="stock:write", handler=Writes(handlers.withdraw_stock),
         summary="Withdraw unsold stock codes", errors=(errors.NOT_FOUND,), limit=LARGE_BODY_BYTES,
         example=examples.WITHDRAW_STOCK),
    post("/Supplier/Stock/Recall", access="stock:write", handler=Writes(handlers.recall_stock),
         summary="Recall stock codes, sold ones too", errors=(errors.NOT_FOUND,), limit=LARGE_BODY_BYTES,
         example=examples.RECALL_STOCK),
    post("/Supplier/Orders/Awaiting", access="orders:read", handler=Reads(handlers.awaiting),
         summary="List the order lines that await delivery", example=examples.AWAITING),
    post("/Supplier/Orders/Accept", access="orders:deliver", handler=Writes(handlers.accept),
         summary="Accept an order line", errors=(errors.NOT_FOUND, errors.NOT_ASSIGNED), example=examples.ACCEPT),
    post("/Supplier/Orders/Reject", access="orders:deliver", handler=Writes(handlers.reject),
         summary="Reject an order line", errors=(errors.NOT_FOUND, errors.NOT_ASSIGNED), example=examples.REJECT),
    post("/Supplier/Orders/Deliver", access="orders:deliver", handler=Writes(handlers.deliver),
         summary="Deliver an order line", errors=(errors.NOT_FOUND, errors.NOT_DELIVERABLE, errors.NOT_ASSIGNED),
         aliases=("/Order/deliver",), limit=LARGE_BODY_BYTES, example=examples.DELIVER),
    *complaints.supplier_routes(),
    post("/Supplier/Statement", access="statement:read", handler=Reveals(handlers.statement),
         summary="List what the supplier earned and was paid", example=examples.STATEMENT),
    *api_keys.routes(Surface.SUPPLIER),
    *webhooks.routes(Surface.SUPPLIER),
)  # fmt: skip
