"""The Reseller surface as a table."""

from bedesten import errors
from bedesten.gate.access import Open, Scoped
from bedesten.gate.scopes import Surface
from bedesten.http.route import Async, Reads, Reveals, Route, Writes
from bedesten.surfaces.reseller import examples, handlers, schemas
from bedesten.surfaces.schemas import CategoryView, Items, Login, Page, ProductView, Token


def _scope(name: str) -> Scoped:
    return Scoped(Surface.RESELLER, name)


ROUTES = (
    Route(
        method="POST",
        path="/Login/Customer/Api/Verify",
        access=Open(Surface.RESELLER),
        handler=Async(handlers.generate_token),
        body=Login,
        response=Token,
        errors=(errors.LOGIN_REFUSED, errors.TOO_MANY_LOGINS),
        name="generateToken",
        summary="Generate Token",
        example=examples.GENERATE_TOKEN,
    ),
    Route(
        method="GET",
        path="/Categories",
        access=_scope("catalogue:read"),
        handler=Reads(handlers.categories),
        response=Items[CategoryView],
        regional=True,
        name="categoriesList",
        summary="List the categories",
        example=examples.CATEGORIES,
    ),
    Route(
        method="POST",
        path="/Products/List",
        access=_scope("catalogue:read"),
        handler=Reads(handlers.list_products),
        body=schemas.ListProducts,
        response=Page[ProductView],
        regional=True,
        summary="List products",
        example=examples.LIST_PRODUCTS,
    ),
    Route(
        method="POST",
        path="/Products/Detail/{productId}",
        access=_scope("catalogue:read"),
        handler=Reads(handlers.product),
        response=ProductView,
        errors=(errors.NOT_FOUND,),
        regional=True,
        summary="Read one product",
        example=examples.PRODUCT,
    ),
    Route(
        method="POST",
        path="/Orders/Create",
        aliases=("/Order/Create",),
        access=_scope("orders:create"),
        handler=Writes(handlers.create_order),
        body=schemas.CreateOrder,
        response=schemas.PlacedOrder,
        errors=(errors.CONFLICT, errors.NOT_ORDERABLE, errors.INSUFFICIENT_BALANCE),
        regional=True,
        summary="Place an order",
        example=examples.CREATE_ORDER,
    ),
    Route(
        method="POST",
        path="/Orders/Get",
        access=_scope("orders:read"),
        handler=Reveals(handlers.get_order),
        body=schemas.GetOrder,
        response=schemas.OrderView,
        errors=(errors.NOT_FOUND,),
        summary="Read one order",
        example=examples.GET_ORDER,
    ),
    Route(
        method="GET",
        path="/Orders/Detail/{orderDetailId}",
        aliases=("/Order/detail/{orderDetailId}",),
        access=_scope("orders:read"),
        handler=Reveals(handlers.order_detail),
        response=schemas.LineView,
        errors=(errors.NOT_FOUND,),
        summary="Read one order line",
        example=examples.ORDER_DETAIL,
    ),
    Route(
        method="GET",
        path="/Account/Details",
        aliases=("/Customer/Get",),
        access=_scope("account:read"),
        handler=Reads(handlers.account_details),
        response=schemas.AccountView,
        errors=(errors.NOT_FOUND,),
        summary="Read the account and its balance",
        example=examples.ACCOUNT,
    ),
)
