"""The Storefront surface as a table."""

from bedesten import errors
from bedesten.gate.access import Anonymous, Open, Scoped, SignedIn
from bedesten.gate.scopes import Surface
from bedesten.http.route import Reads, Reveals, Route, Runs, Writes
from bedesten.surfaces.schemas import Login, Page, ProductView, Token
from bedesten.surfaces.storefront import examples, handlers, schemas

_ANONYMOUS = Anonymous(Surface.STOREFRONT)


def _scope(name: str) -> Scoped:
    return Scoped(Surface.STOREFRONT, name)


ROUTES = (
    Route(
        method="POST",
        path="/Storefront/Customers/Register",
        access=_ANONYMOUS,
        handler=Runs(handlers.register),
        body=schemas.Register,
        answers=schemas.RegistrationResult,
        summary="Register a customer",
        example=examples.REGISTER,
    ),
    Route(
        method="POST",
        path="/Storefront/Customers/Login",
        access=Open(Surface.STOREFRONT),
        handler=Runs(handlers.login),
        body=Login,
        answers=Token,
        refuses=(errors.LOGIN_REFUSED, errors.TOO_MANY_LOGINS),
        summary="Log a customer in",
        example=examples.LOGIN,
    ),
    Route(
        method="POST",
        path="/Storefront/Customers/Refresh",
        access=SignedIn(Surface.STOREFRONT),
        handler=Runs(handlers.refresh),
        answers=Token,
        refuses=(errors.NOT_FOUND,),
        summary="Exchange a living token for a fresh one",
        example=examples.REFRESH,
    ),
    Route(
        method="POST",
        path="/Storefront/Customers/Logout",
        access=SignedIn(Surface.STOREFRONT),
        handler=Writes(handlers.logout),
        body=schemas.Logout,
        answers=schemas.SessionEnd,
        summary="End the session, or all of them",
        example=examples.LOGOUT,
    ),
    Route(
        method="POST",
        path="/Storefront/Customers/Sessions/List",
        access=_scope("profile:manage"),
        handler=Reads(handlers.list_sessions),
        body=schemas.ListSessions,
        answers=Page[schemas.SessionView],
        summary="List the customer's sessions",
        example=examples.LIST_SESSIONS,
    ),
    Route(
        method="POST",
        path="/Storefront/Customers/Sessions/End",
        access=_scope("profile:manage"),
        handler=Writes(handlers.end_session),
        body=schemas.EndSession,
        answers=schemas.SessionEnd,
        refuses=(errors.NOT_FOUND,),
        summary="End one session",
        example=examples.END_SESSION,
    ),
    Route(
        method="POST",
        path="/Storefront/Customers/Profile",
        access=_scope("profile:manage"),
        handler=Reads(handlers.profile),
        answers=schemas.Profile,
        refuses=(errors.NOT_FOUND,),
        summary="Read the customer's own account",
        example=examples.PROFILE,
    ),
    Route(
        method="POST",
        path="/Storefront/Customers/Password",
        access=_scope("profile:manage"),
        handler=Runs(handlers.change_password),
        body=schemas.ChangePassword,
        answers=Token,
        refuses=(errors.LOGIN_REFUSED, errors.TOO_MANY_LOGINS, errors.NOT_FOUND),
        summary="Change the password",
        example=examples.CHANGE_PASSWORD,
    ),
    Route(
        method="POST",
        path="/Storefront/Products/List",
        access=_ANONYMOUS,
        handler=Reads(handlers.list_products),
        body=schemas.ListProducts,
        answers=Page[ProductView],
        regional=True,
        summary="List products",
        example=examples.LIST_PRODUCTS,
    ),
    Route(
        method="POST",
        path="/Storefront/Products/Detail/{productId}",
        access=_ANONYMOUS,
        handler=Reads(handlers.product),
        answers=ProductView,
        refuses=(errors.NOT_FOUND,),
        regional=True,
        summary="Read one product",
        example=examples.PRODUCT,
    ),
    Route(
        method="POST",
        path="/Storefront/Checkout/Create",
        access=_scope("orders:create"),
        handler=Writes(handlers.create_checkout),
        body=schemas.CreateCheckout,
        answers=schemas.CustomerOrder,
        refuses=(errors.CONFLICT, errors.NOT_ORDERABLE, errors.CHECKOUT_LIMIT),
        regional=True,
        summary="Check out",
        example=examples.CREATE_CHECKOUT,
    ),
    Route(
        method="POST",
        path="/Storefront/Checkout/Cancel",
        access=_scope("orders:create"),
        handler=Writes(handlers.cancel_checkout),
        body=schemas.GetOrder,
        answers=schemas.CustomerOrder,
        refuses=(errors.NOT_FOUND, errors.CONFLICT),
        summary="Cancel a checkout that is not paid",
        example=examples.CANCEL_CHECKOUT,
    ),
    Route(
        method="POST",
        path="/Storefront/Orders/Get",
        access=_scope("orders:read"),
        handler=Reveals(handlers.get_order),
        body=schemas.GetOrder,
        answers=schemas.CustomerOrder,
        refuses=(errors.NOT_FOUND,),
        summary="Read one order and its codes",
        example=examples.GET_ORDER,
    ),
)
