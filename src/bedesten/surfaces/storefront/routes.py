"""The Storefront surface as a table."""

from bedesten import errors
from bedesten.gate.access import Anonymous, Open, Scoped, SignedIn
from bedesten.gate.scopes import Surface
from bedesten.http.route import Async, Reads, Reveals, Route, Writes
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
        handler=Async(handlers.register),
        body=schemas.Register,
        response=schemas.RegistrationResult,
        summary="Register a customer",
        example=examples.REGISTER,
    ),
    Route(
        method="POST",
        path="/Storefront/Customers/Login",
        access=Open(Surface.STOREFRONT),
        handler=Async(handlers.login),
        body=Login,
        response=Token,
        errors=(errors.LOGIN_REFUSED, errors.TOO_MANY_LOGINS),
        summary="Log a customer in",
        example=examples.LOGIN,
    ),
    Route(
        method="POST",
        path="/Storefront/Customers/Refresh",
        access=SignedIn(Surface.STOREFRONT),
        handler=Async(handlers.refresh),
        response=Token,
        errors=(errors.NOT_FOUND,),
        summary="Exchange a living token for a fresh one",
        example=examples.REFRESH,
    ),
    Route(
        method="POST",
        path="/Storefront/Customers/Logout",
        access=SignedIn(Surface.STOREFRONT),
        handler=Writes(handlers.logout),
        body=schemas.Logout,
        response=schemas.SessionEnd,
        summary="End the session, or all of them",
        example=examples.LOGOUT,
    ),
    Route(
        method="POST",
        path="/Storefront/Customers/Sessions/List",
        access=_scope("profile:manage"),
        handler=Reads(handlers.list_sessions),
        body=schemas.ListSessions,
        response=Page[schemas.SessionView],
        summary="List the customer's sessions",
        example=examples.LIST_SESSIONS,
    ),
    Route(
        method="POST",
        path="/Storefront/Customers/Sessions/End",
        access=_scope("profile:manage"),
        handler=Writes(handlers.end_session),
        body=schemas.EndSession,
        response=schemas.SessionEnd,
        errors=(errors.NOT_FOUND,),
        summary="End one session",
        example=examples.END_SESSION,
    ),
    Route(
        method="POST",
        path="/Storefront/Customers/Profile",
        access=_scope("profile:manage"),
        handler=Reads(handlers.profile),
        response=schemas.Profile,
        errors=(errors.NOT_FOUND,),
        summary="Read the customer's own account",
        example=examples.PROFILE,
    ),
    Route(
        method="POST",
        path="/Storefront/Customers/Password",
        access=_scope("profile:manage"),
        handler=Async(handlers.change_password),
        body=schemas.ChangePassword,
        response=Token,
        errors=(errors.LOGIN_REFUSED, errors.TOO_MANY_LOGINS, errors.NOT_FOUND),
        summary="Change the password",
        example=examples.CHANGE_PASSWORD,
    ),
    Route(
        method="POST",
        path="/Storefront/Products/List",
        access=_ANONYMOUS,
        handler=Reads(handlers.list_products),
        body=schemas.ListProducts,
        response=Page[ProductView],
        regional=True,
        summary="List products",
        example=examples.LIST_PRODUCTS,
    ),
    Route(
        method="POST",
        path="/Storefront/Products/Detail/{productId}",
        access=_ANONYMOUS,
        handler=Reads(handlers.product),
        response=ProductView,
        errors=(errors.NOT_FOUND,),
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
        response=schemas.CustomerOrder,
        errors=(errors.CONFLICT, errors.NOT_ORDERABLE, errors.CHECKOUT_LIMIT),
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
        response=schemas.CustomerOrder,
        errors=(errors.NOT_FOUND, errors.CONFLICT),
        summary="Cancel a checkout that is not paid",
        example=examples.CANCEL_CHECKOUT,
    ),
    Route(
        method="POST",
        path="/Storefront/Orders/Get",
        access=_scope("orders:read"),
        handler=Reveals(handlers.get_order),
        body=schemas.GetOrder,
        response=schemas.CustomerOrder,
        errors=(errors.NOT_FOUND,),
        summary="Read one order and its codes",
        example=examples.GET_ORDER,
    ),
)
