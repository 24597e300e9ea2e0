"""The routes of the Storefront surface."""

from bedesten import errors
from bedesten.gate.access import Anonymous, Open, SignedIn
from bedesten.gate.scopes import Surface
from bedesten.http.route import Async, Reads, Reveals, Writes
from bedesten.surfaces import complaints, example_values
from bedesten.surfaces.route_table import RouteTable
from bedesten.surfaces.storefront import account_handlers, examples, handlers, order_handlers, payments

post = RouteTable(Surface.STOREFRONT).post

ROUTES = (
    post("/Storefront/Customers/Register", access=Anonymous, handler=Async(handlers.register),
         summary="Register a customer", example=examples.REGISTER),
    post("/Storefront/Customers/Login", access=Open, handler=Async(handlers.login), summary="Log a customer in",
         errors=(errors.LOGIN_REFUSED, errors.TOO_MANY_LOGINS), example=examples.LOGIN),
    post("/Storefront/Customers/Refresh", access=SignedIn, handler=Async(handlers.refresh),
         summary="Exchange a valid token for a fresh one", errors=(errors.NOT_FOUND,), example=examples.REFRESH),
    post("/Storefront/Customers/Logout", access=SignedIn, handler=Writes(handlers.logout),
         summary="End the session, or all of them", example=examples.LOGOUT),
    post("/Storefront/Customers/Sessions/List", access="profile:manage", handler=Reads(handlers.list_sessions),
         summary="List the customer's sessions", example=examples.LIST_SESSIONS),
    post("/Storefront/Customers/Sessions/End", access="profile:manage", handler=Writes(handlers.end_session),
         summary="End one session", errors=(errors.NOT_FOUND,), example=examples.END_SESSION),
    post("/Storefront/Customers/Profile", access="profile:manage", handler=Reads(account_handlers.profile),
         summary="Read the customer's own account", errors=(errors.NOT_FOUND,), example=examples.PROFILE),
    post("/Storefront/Customers/Profile/Update", access="profile:manage",
         handler=Writes(account_handlers.update_profile), summary="Change the customer's own account",
         errors=(errors.NOT_FOUND,), example=examples.UPDATE_PROFILE),
    post("/Storefront/Customers/Verify", access="profile:manage", handler=Writes(account_handlers.verify),
         summary="Verify the e-mail address", errors=(errors.NOT_FOUND, errors.LINK_REFUSED), example=examples.VERIFY),
    post("/Storefront/Customers/Verify/Send", access="profile:manage",
         handler=Writes(account_handlers.send_verification), summary="Send another verification mail",
         errors=(errors.NOT_FOUND,), example=examples.SEND_VERIFICATION),
    post("/Storefront/Customers/Password", access="profile:manage", handler=Async(handlers.change_password),
         summary="Change the password", errors=(errors.LOGIN_REFUSED, errors.TOO_MANY_LOGINS, errors.NOT_FOUND),
         example=examples.CHANGE_PASSWORD),
    post("/Storefront/Customers/Password/Forgot", access=Anonymous, handler=Async(account_handlers.forgot_password),
         summary="Ask for a mail that resets the password", example=examples.FORGOT_PASSWORD),
    post("/Storefront/Customers/Password/Reset", access=Anonymous, handler=Async(account_handlers.reset_password),
         summary="Set a new password with a mailed link", errors=(errors.LINK_REFUSED,),
         example=examples.RESET_PASSWORD),
    post("/Storefront/Products/List", access=Anonymous, handler=Reads(handlers.list_products), summary="List products",
         regional=True, example=examples.LIST_PRODUCTS),
    post("/Storefront/Products/Detail/{productId}", access=Anonymous, handler=Reads(handlers.product),
         summary="Read one product", errors=(errors.NOT_FOUND,), regional=True, example=examples.PRODUCT),
    post("/Storefront/Checkout/Create", access="orders:create", handler=Writes(handlers.create_checkout),
         summary="Check out", regional=True,
         errors=(errors.EMAIL_UNVERIFIED, errors.NOT_FOUND, errors.CONFLICT, errors.NOT_ORDERABLE, errors.CHECKOUT_LIMIT,
                 errors.ORDER_LIMIT),
         example=examples.CREATE_CHECKOUT),
    post("/Storefront/Checkout/Cancel", access="orders:create", handler=Writes(handlers.cancel_checkout),
         summary="Cancel an unpaid checkout", errors=(errors.NOT_FOUND, errors.CONFLICT),
         example=examples.CANCEL_CHECKOUT),
    post("/Storefront/Payments/Methods", access="orders:read", handler=Reads(payments.list_methods),
         summary="List the payment methods", errors=(errors.NOT_FOUND,), example=examples.LIST_METHODS),
    post("/Storefront/Payments/Start", access="orders:create", handler=Writes(payments.start),
         summary="Start the payment of a checkout", errors=(errors.NOT_FOUND, errors.CONFLICT, errors.PAYMENT_METHOD),
         example=examples.START_PAYMENT),
    post("/Storefront/Payments/Status", access="orders:read", handler=Reads(payments.status),
         summary="Read the state of a payment", errors=(errors.NOT_FOUND,), example=examples.PAYMENT_STATUS),
    post("/Storefront/Orders/List", access="orders:read", handler=Reads(order_handlers.list_orders),
         summary="List orders", example=examples.LIST_ORDERS),
    post("/Storefront/Orders/Cancel", access="orders:cancel", handler=Writes(order_handlers.cancel),
         summary="Cancel what is not delivered", errors=(errors.NOT_FOUND, errors.NOT_CANCELLABLE),
         example=examples.CANCEL_ORDER),
    post("/Storefront/Orders/Get", access="orders:read", handler=Reveals(handlers.get_order),
         summary="Read one order and its codes", errors=(errors.NOT_FOUND,), example=examples.GET_ORDER),
    *complaints.buyer_routes(
        Surface.STOREFRONT, example_values.PAID_ORDER, example_values.PAID_LINE, example_values.CUSTOMER_COMPLAINT
    ),
    post("/Storefront/Wallet/Get", access="orders:read", handler=Reveals(handlers.wallet),
         summary="Read the customer's balance and its transfers", example=examples.WALLET),
)  # fmt: skip
