"""The routes of the Reseller surface."""

from bedesten import errors
from bedesten.gate.access import Anonymous, Open
from bedesten.gate.scopes import Surface
from bedesten.http.route import Async, Checks, Reads, Reveals, Writes
from bedesten.surfaces import complaints, example_values, products, webhooks
from bedesten.surfaces.reseller import examples, handlers, order_handlers
from bedesten.surfaces.route_table import RouteTable

_table = RouteTable(Surface.RESELLER)
get, post = _table.get, _table.post

ROUTES = (
    post("/Login/Customer/Api/Verify", access=Open, handler=Async(handlers.generate_token), summary="Generate Token",
         errors=(errors.LOGIN_REFUSED, errors.TOO_MANY_LOGINS), name="generateToken", example=examples.GENERATE_TOKEN),
    post("/Login/Customer/Api/Password/Reset", access=Anonymous, handler=Async(handlers.reset_password),
         summary="Set a new password with a mailed link", errors=(errors.LINK_REFUSED,), name="resetPassword",
         example=examples.RESET_PASSWORD),
    get("/Categories", access="catalogue:read", handler=Reads(handlers.categories), summary="List the categories",
        regional=True, name="categoriesList", example=examples.CATEGORIES),
    post("/Products/List", access="catalogue:read", handler=Reads(products.list_products), summary="List products",
         regional=True, example=examples.LIST_PRODUCTS),
    post("/Products/Detail/{productId}", access="catalogue:read", handler=Reads(products.product),
         summary="Read one product", errors=(errors.NOT_FOUND,), regional=True, example=examples.PRODUCT),
    post("/Orders/Create", access="orders:create", handler=Writes(handlers.create_order), summary="Place an order",
         errors=(errors.CONFLICT, errors.NOT_ORDERABLE, errors.ORDER_LIMIT, errors.INSUFFICIENT_BALANCE), regional=True,
         aliases=("/Order/Create",), example=examples.CREATE_ORDER),
    post("/Orders/Validate", access="orders:create", handler=Checks(order_handlers.validate),
         summary="Check an order without placing it", regional=True,
         errors=(errors.CONFLICT, errors.NOT_ORDERABLE, errors.ORDER_LIMIT, errors.INSUFFICIENT_BALANCE),
         example=examples.VALIDATE_ORDER),
    post("/Orders/Get", access="orders:read", handler=Reveals(handlers.get_order), summary="Read one order",
         errors=(errors.NOT_FOUND,), example=examples.GET_ORDER),
    get("/Orders/Detail/{orderDetailId}", access="orders:read", handler=Reveals(handlers.order_detail),
        summary="Read one order line", errors=(errors.NOT_FOUND,), aliases=("/Order/detail/{orderDetailId}",),
        example=examples.ORDER_DETAIL),
    post("/Orders/List", access="orders:read", handler=Reads(order_handlers.list_orders), summary="List orders",
         aliases=("/Order/customer/list",), example=examples.LIST_ORDERS),
    post("/Orders/Cancel", access="orders:cancel", handler=Writes(order_handlers.cancel),
         summary="Cancel what is not delivered", errors=(errors.NOT_FOUND, errors.NOT_CANCELLABLE),
         aliases=("/Order/cancel",), example=examples.CANCEL_ORDER),
    *complaints.buyer_routes(Surface.RESELLER, example_values.ORDER, example_values.CARD_LINE),
    get("/Account/Details", access="account:read", handler=Reads(handlers.account_details),
        summary="Read the account and its balance", errors=(errors.NOT_FOUND,), aliases=("/Customer/Get",),
        example=examples.ACCOUNT),
    post("/Account/Statement", access="account:read", handler=Reveals(handlers.account_statement),
         summary="List the transfers of the balance", example=examples.STATEMENT),
    post("/Account/LowBalance", access="webhooks:manage", handler=Writes(handlers.set_low_balance),
         summary="Set the alarm of a low balance", example=examples.LOW_BALANCE),
    *webhooks.routes(Surface.RESELLER),
)  # fmt: skip
