"""What the contract promises of every route: the credential that it demands, and one valid request.

Written by hand and from the contract, not derived from the route tables: a route that is not here fails the tests.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from bedesten.apidocs.site.assets import asset
from bedesten.gate.scopes import Surface
from tests.support import webhook_samples
from tests.support.client import ABSENT, Lines, api_key, bearer
from tests.support.operator_actions import PASSWORD
from tests.support.sample_objects import SampleObjects, basket_line
from tests.support.shop import CARD_PRICE, Shop, fresh, line

Kind = Literal["scoped", "signed", "anonymous", "login", "keyed", "public"]
Name = tuple[str, str]


@dataclass(frozen=True)
class Demand:
    """What a route demands of its caller. `right`: the scope or grant; kind `signed`: a token with any scopes."""

    kind: Kind
    surface: Surface | None = None
    right: str = ""


@dataclass(frozen=True)
class Sample:
    """One valid request, with every field that the route knows."""

    path: str
    body: object = ABSENT


@dataclass(frozen=True)
class ExpectedRoute:
    """One route, by method and path as the contract writes it."""

    method: str
    path: str
    demand: Demand
    sample: Callable[[Shop, SampleObjects], Sample]
    spends: bool = False
    """Whether success ends the presented credential, at once or later."""

    @property
    def name(self) -> Name:
        """Method and path."""
        return self.method, self.path


def _scoped(surface: Surface, scope: str) -> Demand:
    return Demand("scoped", surface, scope)


def _keyed(surface: Surface, grant: str) -> Demand:
    return Demand("keyed", surface, grant)


_RESELLER, _STOREFRONT = Surface.RESELLER, Surface.STOREFRONT
_ANONYMOUS = Demand("anonymous", _STOREFRONT)
_SIGNED = Demand("signed", _STOREFRONT)
_PROFILE = _scoped(_STOREFRONT, "profile:manage")
_PUBLIC = Demand("public")
_DEPOSITS = _keyed(Surface.PAYMENT, "deposits:manage")
_PAYMENTS = _keyed(Surface.PAYMENT, "payments:manage")
_ANSWERS = _keyed(Surface.SUPPLIER, "complaints:manage")
_PROMISED = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
_SINCE = "2020-01-01T00:00:00Z"
_PASSWORDS = {"currentPassword": PASSWORD, "newPassword": "twelve herons in the reeds"}


def _key_calls(surface: Surface) -> "tuple[ExpectedRoute, ...]":
    """The operations on an API key, below the surface's path."""
    path, demand = f"/{surface.value.title()}/Keys", _keyed(surface, "keys:manage")
    rotation = {"graceSeconds": 60, "fromFirstUse": True, "replaces": None}
    return (
        ExpectedRoute("POST", f"{path}/Get", demand, _to(f"{path}/Get")),
        ExpectedRoute("POST", f"{path}/Rotate", demand, _to(f"{path}/Rotate", rotation), spends=True),
        ExpectedRoute("POST", f"{path}/Revoke", demand, _to(f"{path}/Revoke", {"previous": False}), spends=True),
    )


def _webhook_calls(surface: Surface) -> "tuple[ExpectedRoute, ...]":
    """The operations on an account's webhooks."""
    demand = (_scoped if surface is _RESELLER else _keyed)(surface, "webhooks:manage")
    types = ["endpoint.paused", "endpoint.test"]

    def expected(operation: str, body: dict[str, object], which: int | None = 0) -> ExpectedRoute:
        path = webhook_samples.path_of(surface, operation)

        def sample(shop: Shop, goods: SampleObjects) -> Sample:
            named = {} if which is None else {"endpointId": goods.endpoints[surface][which]}
            return Sample(path, {**named, **body})

        return ExpectedRoute("POST", path, demand, sample)

    times = {"from": _SINCE, "to": "2090-01-01T00:00:00Z", "onlyFailed": True, "cursor": None, "deliveryId": None}
    return (
        expected("Endpoints/Create", {"url": webhook_samples.URL, "eventTypes": types}, None),
        expected("Endpoints/List", {}, None),
        expected("Endpoints/Update", {"url": webhook_samples.URL, "eventTypes": types, "paused": False}),
        expected("Endpoints/Rotate", {"overlapSeconds": 60}),
        expected("Deliveries/List", {"state": "due", "pageSize": 5, "cursor": None}),
        expected("Deliveries/Replay", dict(times)),
        expected("Endpoints/Test", {}),
        expected("Simulate", {"scenario": "twice"}),
        expected("Endpoints/Delete", {}, 1),
    )


def _to(path: str, body: object = ABSENT) -> Callable[[Shop, SampleObjects], Sample]:
    return lambda shop, goods: Sample(path, body)


def _page(**more: object) -> dict[str, object]:
    return {"pageSize": 5, "cursor": None, "updatedSince": _SINCE, **more}


def _statement_body() -> dict[str, object]:
    return {"pageSize": 5, "cursor": None, "bookedFrom": _SINCE, "bookedTo": "2099-01-01T00:00:00Z"}


def _products(goods: SampleObjects) -> dict[str, object]:
    more = {"search": "a", "sku": "card", "inStock": True, "regions": ["EU", "US"], "sort": "-price"}
    return _page(categoryId=goods.category_id, **more)


def order_body(shop: Shop) -> dict[str, object]:
    """The body of a new order, with every field."""
    only = {**line(shop.topup, topup=shop.topup), "maxUnitPrice": 7.25}
    return {"orderReference": fresh("order"), "basketData": [only], "notifyUrl": "https://hooks.example/orders"}


def _checkout(shop: Shop) -> dict[str, object]:
    item = {"productId": shop.topup, "quantity": 1, "requireData": line(shop.topup, topup=shop.topup)["requireData"]}
    return {
        "items": [item], "reference": fresh("checkout"), "fromBasket": False, "basketVersion": None, "expectedTotal": 7.25,
    }  # fmt: skip


def _basket_calls() -> "tuple[ExpectedRoute, ...]":
    """The operations on a customer's basket."""
    demand = _scoped(_STOREFRONT, "orders:create")

    def expected(name: str, body: Callable[[Shop, SampleObjects], dict[str, object]]) -> ExpectedRoute:
        path = f"/Storefront/Basket/{name}"
        return ExpectedRoute("POST", path, demand, lambda shop, goods: Sample(path, body(shop, goods)))

    return (
        ExpectedRoute("POST", "/Storefront/Basket/Get", demand, _to("/Storefront/Basket/Get")),
        expected("Set", lambda shop, goods: {"items": [{
            "productId": shop.topup, "quantity": 1,
            "requireData": line(shop.topup, topup=shop.topup)["requireData"]}], "version": None}),
        expected("Add", lambda shop, goods: {
            "productId": shop.topup, "quantity": 1, "version": None,
            "requireData": line(shop.topup, topup=shop.topup)["requireData"]}),
        expected("Update", lambda shop, goods: {
            "lineId": basket_line(shop), "quantity": 2, "version": None,
            "requireData": line(shop.topup, topup=shop.topup)["requireData"]}),
        expected("Remove", lambda shop, goods: {"lineIds": ["bsl_gone"], "version": None}),
        expected("Clear", lambda shop, goods: {"version": None}),
    )  # fmt: skip


def _register() -> dict[str, object]:
    return {"email": f"{fresh('new')}@example.com", "password": "eleven sparrows on a wire", "name": "New"}


def _login(email: str, password: str = PASSWORD) -> dict[str, object]:
    return {"email": email, "password": password, "callbackData": {"Basket": [1]}}


def _parts(code: str) -> dict[str, object]:
    return {"code": code, "pin": "0042", "serial": "S-7", "url": "https://gift.example/S-7", "expires": "2090-12-31"}


def _upsert(shop: Shop) -> dict[str, object]:
    return {"products": [{"sku": fresh("sku"), "name": "Gems", "cost": 1.25, "offered": True}]}


def _money(amount: str | float, **more: object) -> dict[str, object]:
    return {"amount": float(amount), "reference": fresh("money"), "currency": "USD", **more}


def _event(goods: SampleObjects) -> dict[str, object]:
    return {
        "eventId": fresh("event"), "type": "payment.failed", "occurredAt": "2026-01-01T00:00:00Z",
        "paymentId": goods.open_payment_id, "paymentReference": None, "operationReference": fresh("attempt"),
        "amount": float(CARD_PRICE), "currency": "USD", "reason": "insufficient funds",
    }  # fmt: skip


def credential_for(shop: Shop, expected_route: ExpectedRoute) -> Lines:
    """The header with a good credential for the route; a fresh one if success ends it."""
    if expected_route.demand.surface is None:
        return ()
    if expected_route.spends and expected_route.demand.kind == "keyed":
        owner = shop.supplier if expected_route.demand.surface is Surface.SUPPLIER else shop.integration
        return api_key(shop.operator.key(shop.id, expected_route.demand.surface, owner).text)
    if expected_route.spends:
        customer = shop.operator.account(shop.id, "customer", f"{fresh('spare')}@example.com")
        return bearer(shop.signed_in(customer))
    return shop.lines(expected_route.demand.surface)


def _complaints(surface: Surface, path: str) -> tuple[ExpectedRoute, ...]:
    """The operations on a buyer's complaints."""
    demand = _scoped(surface, "complaints:manage")

    def named(goods: SampleObjects) -> tuple[str, str]:
        own = surface is _RESELLER
        return (goods.line_id, goods.complaint_id) if own else (goods.paid_line_id, goods.customer_complaint_id)

    return (
        ExpectedRoute("POST", f"{path}/Create", demand, lambda shop, goods: Sample(f"{path}/Create", {
            "orderDetailId": named(goods)[0], "code": None, "reason": "OTHER", "text": "It does not work",
            "evidence": "Their support says so"})),
        ExpectedRoute("POST", f"{path}/List", demand, lambda shop, goods: Sample(f"{path}/List", _page(state="open"))),
        ExpectedRoute("POST", f"{path}/Get", demand,
                lambda shop, goods: Sample(f"{path}/Get", {"complaintId": named(goods)[1]})),
        ExpectedRoute("POST", f"{path}/Withdraw", demand,
                lambda shop, goods: Sample(f"{path}/Withdraw", {"complaintId": named(goods)[1]})),
    )  # fmt: skip


_CANONICAL = (
    ExpectedRoute("POST", "/Login/Customer/Api/Verify", Demand("login", _RESELLER),
            lambda shop, goods: Sample("/Login/Customer/Api/Verify", _login(shop.partner_email))),
    ExpectedRoute("POST", "/Login/Customer/Api/Password/Reset", Demand("anonymous", _RESELLER),
            lambda shop, goods: Sample("/Login/Customer/Api/Password/Reset", {
                "token": goods.unused_partner_link(shop), "newPassword": "twelve herons in the reeds"})),
    ExpectedRoute("GET", "/Categories", _scoped(_RESELLER, "catalogue:read"), _to("/Categories")),
    ExpectedRoute("POST", "/Products/List", _scoped(_RESELLER, "catalogue:read"),
            lambda shop, goods: Sample("/Products/List", _products(goods))),
    ExpectedRoute("POST", "/Products/Detail/{productId}", _scoped(_RESELLER, "catalogue:read"),
            lambda shop, goods: Sample(f"/Products/Detail/{shop.card}")),
    ExpectedRoute("POST", "/Orders/Create", _scoped(_RESELLER, "orders:create"),
            lambda shop, goods: Sample("/Orders/Create", order_body(shop))),
    ExpectedRoute("POST", "/Orders/Validate", _scoped(_RESELLER, "orders:create"),
            lambda shop, goods: Sample("/Orders/Validate", order_body(shop))),
    ExpectedRoute("POST", "/Orders/Get", _scoped(_RESELLER, "orders:read"),
            lambda shop, goods: Sample("/Orders/Get", {"orderId": None, "orderReference": goods.order_reference})),
    ExpectedRoute("GET", "/Orders/Detail/{orderDetailId}", _scoped(_RESELLER, "orders:read"),
            lambda shop, goods: Sample(f"/Orders/Detail/{goods.line_id}")),
    ExpectedRoute("POST", "/Orders/List", _scoped(_RESELLER, "orders:read"),
            lambda shop, goods: Sample("/Orders/List", _page(
                status=[2], createdFrom=_SINCE, createdTo="2090-01-01T00:00:00Z", orderReference=goods.order_reference,
                customerStoreProductId=shop.topup))),
    ExpectedRoute("POST", "/Orders/Cancel", _scoped(_RESELLER, "orders:cancel"),
            lambda shop, goods: Sample("/Orders/Cancel", {
                "orderId": None, "orderReference": goods.order_reference, "orderDetailIds": [goods.cancellable_id],
                "reason": "A mistake"})),
    *_complaints(_RESELLER, "/Complaints"),
    ExpectedRoute(
        "POST", "/Account/LowBalance", _scoped(_RESELLER, "webhooks:manage"),
        _to("/Account/LowBalance", {"threshold": 12.5}),
    ),
    ExpectedRoute("GET", "/Account/Details", _scoped(_RESELLER, "account:read"), _to("/Account/Details")),
    ExpectedRoute("POST", "/Account/Statement", _scoped(_RESELLER, "account:read"),
            _to("/Account/Statement", _statement_body())),
    ExpectedRoute("POST", "/Storefront/Customers/Register", _ANONYMOUS,
            lambda shop, goods: Sample("/Storefront/Customers/Register", _register())),
    ExpectedRoute("POST", "/Storefront/Customers/Login", Demand("login", _STOREFRONT),
            lambda shop, goods: Sample("/Storefront/Customers/Login", _login(shop.customer_email))),
    ExpectedRoute("POST", "/Storefront/Customers/Refresh", _SIGNED, _to("/Storefront/Customers/Refresh")),
    ExpectedRoute("POST", "/Storefront/Customers/Logout", _SIGNED,
            _to("/Storefront/Customers/Logout", {"everywhere": False}), spends=True),
    ExpectedRoute("POST", "/Storefront/Customers/Sessions/List", _PROFILE,
            _to("/Storefront/Customers/Sessions/List", _page())),
    ExpectedRoute("POST", "/Storefront/Customers/Sessions/End", _PROFILE,
            lambda shop, goods: Sample("/Storefront/Customers/Sessions/End", {"sessionId": goods.session_id})),
    ExpectedRoute("POST", "/Storefront/Customers/Profile", _PROFILE, _to("/Storefront/Customers/Profile")),
    ExpectedRoute("POST", "/Storefront/Customers/Password", _PROFILE, _to("/Storefront/Customers/Password", _PASSWORDS),
            spends=True),
    ExpectedRoute("POST", "/Storefront/Customers/Profile/Update", _PROFILE,
            _to("/Storefront/Customers/Profile/Update", {"name": "Customer"})),
    ExpectedRoute("POST", "/Storefront/Customers/Verify", _PROFILE,
            lambda shop, goods: Sample("/Storefront/Customers/Verify", {
                "token": goods.verify_link})),
    ExpectedRoute("POST", "/Storefront/Customers/Email/Change", _PROFILE,
            lambda shop, goods: Sample("/Storefront/Customers/Email/Change", {
                "newEmail": f"{fresh('moved')}@example.com", "currentPassword": PASSWORD})),
    ExpectedRoute("POST", "/Storefront/Customers/Email/Confirm", _PROFILE,
            lambda shop, goods: Sample("/Storefront/Customers/Email/Confirm", {"token": goods.email_link})),
    ExpectedRoute("POST", "/Storefront/Customers/Verify/Send", _PROFILE, _to("/Storefront/Customers/Verify/Send")),
    ExpectedRoute("POST", "/Storefront/Customers/Password/Forgot", _ANONYMOUS,
            lambda shop, goods: Sample("/Storefront/Customers/Password/Forgot", {
                "email": f"{fresh('forgetful')}@example.com"})),
    ExpectedRoute("POST", "/Storefront/Customers/Password/Reset", _ANONYMOUS,
            lambda shop, goods: Sample("/Storefront/Customers/Password/Reset", {
                "token": goods.unused_reset_link(shop), "newPassword": "twelve herons in the reeds"})),
    ExpectedRoute("GET", "/Storefront/Site/Configuration", _ANONYMOUS, _to("/Storefront/Site/Configuration")),
    ExpectedRoute("POST", "/Storefront/Products/List", _ANONYMOUS,
            lambda shop, goods: Sample("/Storefront/Products/List", _products(goods))),
    ExpectedRoute("POST", "/Storefront/Products/Detail/{productId}", _ANONYMOUS,
            lambda shop, goods: Sample(f"/Storefront/Products/Detail/{shop.card}")),
    *_basket_calls(),
    ExpectedRoute("POST", "/Storefront/Checkout/Create", _scoped(_STOREFRONT, "orders:create"),
            lambda shop, goods: Sample("/Storefront/Checkout/Create", _checkout(shop))),
    ExpectedRoute("POST", "/Storefront/Checkout/Cancel", _scoped(_STOREFRONT, "orders:create"),
            lambda shop, goods: Sample("/Storefront/Checkout/Cancel", {"orderId": goods.spare_checkout_id})),
    ExpectedRoute("POST", "/Storefront/Payments/Methods", _scoped(_STOREFRONT, "orders:read"),
            lambda shop, goods: Sample("/Storefront/Payments/Methods", {"orderId": goods.checkout_id})),
    ExpectedRoute("POST", "/Storefront/Payments/Start", _scoped(_STOREFRONT, "orders:create"),
            lambda shop, goods: Sample("/Storefront/Payments/Start", {
                "orderId": goods.started_order_id, "method": goods.method})),
    ExpectedRoute("POST", "/Storefront/Payments/Status", _scoped(_STOREFRONT, "orders:read"),
            lambda shop, goods: Sample("/Storefront/Payments/Status", {
                "paymentId": goods.payment_id, "orderId": None})),
    ExpectedRoute("POST", "/Storefront/Orders/List", _scoped(_STOREFRONT, "orders:read"),
            lambda shop, goods: Sample("/Storefront/Orders/List", _page(
                status=[2], createdFrom=_SINCE, createdTo="2090-01-01T00:00:00Z", reference=None, productId=shop.card,
                state=["awaitingPayment"]))),
    ExpectedRoute("POST", "/Storefront/Orders/Cancel", _scoped(_STOREFRONT, "orders:cancel"),
            lambda shop, goods: Sample("/Storefront/Orders/Cancel", {
                "orderId": goods.paid_order_id, "orderDetailIds": [goods.paid_topup_id], "reason": "A mistake"})),
    ExpectedRoute("POST", "/Storefront/Orders/Get", _scoped(_STOREFRONT, "orders:read"),
            lambda shop, goods: Sample("/Storefront/Orders/Get", {"orderId": goods.checkout_id})),
    *_complaints(_STOREFRONT, "/Storefront/Complaints"),
    ExpectedRoute("POST", "/Storefront/Wallet/Get", _scoped(_STOREFRONT, "orders:read"),
            _to("/Storefront/Wallet/Get", _statement_body())),
    ExpectedRoute("POST", "/Payment/Deposits/Create", _DEPOSITS,
            lambda shop, goods: Sample("/Payment/Deposits/Create", _money(12.5, partner=shop.partner_email))),
    ExpectedRoute("POST", "/Payment/Deposits/Confirm", _DEPOSITS,
            lambda shop, goods: Sample("/Payment/Deposits/Confirm", {"depositId": goods.deposit_id})),
    ExpectedRoute("POST", "/Payment/Payments/Create", _PAYMENTS,
            lambda shop, goods: Sample("/Payment/Payments/Create", _money(CARD_PRICE, orderId=goods.checkout_id))),
    ExpectedRoute("POST", "/Payment/Payments/Capture", _PAYMENTS,
            lambda shop, goods: Sample("/Payment/Payments/Capture", {
                "paymentId": goods.payment_id, "amount": float(CARD_PRICE), "reference": fresh("capture")})),
    ExpectedRoute("POST", "/Payment/Payments/Authorise", _PAYMENTS,
            lambda shop, goods: Sample("/Payment/Payments/Authorise", {"paymentId": goods.open_payment_id})),
    ExpectedRoute("POST", "/Payment/Payments/Get", _PAYMENTS,
            lambda shop, goods: Sample("/Payment/Payments/Get", {"paymentId": goods.payment_id, "reference": None})),
    ExpectedRoute("POST", "/Payment/Payments/List", _PAYMENTS,
            _to("/Payment/Payments/List", _page(state="captured"))),
    ExpectedRoute("POST", "/Payment/Payments/Refund", _PAYMENTS,
            lambda shop, goods: Sample("/Payment/Payments/Refund", {
                "paymentId": goods.refundable_payment_id, "amount": float(CARD_PRICE),
                "reference": f"refund-{goods.refundable_payment_id}", "reason": "goodwill", "refundOrder": False})),
    ExpectedRoute("POST", "/Payment/Refunds/List", _PAYMENTS,
            _to("/Payment/Refunds/List", _page(state="requested"))),
    ExpectedRoute("POST", "/Payment/Refunds/Confirm", _PAYMENTS,
            lambda shop, goods: Sample("/Payment/Refunds/Confirm", {"refundId": goods.refund_id})),
    ExpectedRoute("POST", "/Payment/Refunds/Fail", _PAYMENTS,
            lambda shop, goods: Sample("/Payment/Refunds/Fail", {
                "refundId": goods.spare_refund_id, "reason": "closed"})),
    ExpectedRoute("POST", "/Payment/Notify", _PAYMENTS,
            lambda shop, goods: Sample("/Payment/Notify", _event(goods))),
    ExpectedRoute("POST", "/Payment/Events/List", _PAYMENTS,
            _to("/Payment/Events/List", _page(state="waiting"))),
    ExpectedRoute("POST", "/Payment/Settlements/List", _PAYMENTS, _to("/Payment/Settlements/List", _page())),
    ExpectedRoute("POST", "/Payment/Deposits/Reject", _DEPOSITS,
            lambda shop, goods: Sample("/Payment/Deposits/Reject", {"depositId": goods.spare_deposit_id})),
    ExpectedRoute("POST", "/Payment/Deposits/Get", _DEPOSITS,
            lambda shop, goods: Sample("/Payment/Deposits/Get", {"depositId": goods.deposit_id, "reference": None})),
    ExpectedRoute("POST", "/Payment/Deposits/List", _DEPOSITS,
            _to("/Payment/Deposits/List", _page(state="created"))),
    ExpectedRoute("POST", "/Payment/Payments/Cancel", _PAYMENTS,
            lambda shop, goods: Sample("/Payment/Payments/Cancel", {"paymentId": goods.spare_payment_id})),
    ExpectedRoute("POST", "/Supplier/Products/List", _keyed(Surface.SUPPLIER, "products:read"),
            lambda shop, goods: Sample("/Supplier/Products/List", _page())),
    ExpectedRoute("POST", "/Supplier/Products/Upsert", _keyed(Surface.SUPPLIER, "products:write"),
            lambda shop, goods: Sample("/Supplier/Products/Upsert", _upsert(shop))),
    ExpectedRoute("POST", "/Supplier/Stock/Upload", _keyed(Surface.SUPPLIER, "stock:write"),
            lambda shop, goods: Sample("/Supplier/Stock/Upload", {
                "productId": shop.card, "codes": [fresh("NEW")], "items": [_parts(fresh("PARTS"))]})),
    ExpectedRoute("POST", "/Supplier/Stock/List", _keyed(Surface.SUPPLIER, "stock:read"),
            lambda shop, goods: Sample("/Supplier/Stock/List", _page(productId=shop.card))),
    ExpectedRoute("POST", "/Supplier/Stock/Recall", _keyed(Surface.SUPPLIER, "stock:write"),
            lambda shop, goods: Sample("/Supplier/Stock/Recall", {
                "reason": "called back", "codes": ["NEVER-1"], "batchId": None, "dryRun": False,
            })),
    ExpectedRoute("POST", "/Supplier/Stock/Withdraw", _keyed(Surface.SUPPLIER, "stock:write"),
            lambda shop, goods: Sample("/Supplier/Stock/Withdraw", {
                "batchId": None, "codes": [goods.code], "reason": "called back"})),
    ExpectedRoute("POST", "/Supplier/Orders/Awaiting", _keyed(Surface.SUPPLIER, "orders:read"),
            lambda shop, goods: Sample("/Supplier/Orders/Awaiting", _page())),
    ExpectedRoute("POST", "/Supplier/Orders/Accept", _keyed(Surface.SUPPLIER, "orders:deliver"),
            lambda shop, goods: Sample("/Supplier/Orders/Accept", {
                "orderDetailId": goods.acceptable_id, "promisedBy": _PROMISED})),
    ExpectedRoute("POST", "/Supplier/Orders/Reject", _keyed(Surface.SUPPLIER, "orders:deliver"),
            lambda shop, goods: Sample("/Supplier/Orders/Reject", {
                "orderDetailId": goods.rejectable_id, "reason": "no more of it"})),
    ExpectedRoute("POST", "/Supplier/Orders/Deliver", _keyed(Surface.SUPPLIER, "orders:deliver"),
            lambda shop, goods: Sample("/Supplier/Orders/Deliver", {
                "orderDetailId": goods.awaiting_id, "deliveryData": [goods.code],
                "deliveryItems": [_parts(f"{goods.code}-2")], "deliveryNote": ["Thank you"]})),
    ExpectedRoute("POST", "/Supplier/Complaints/List", _ANSWERS,
            lambda shop, goods: Sample("/Supplier/Complaints/List", _page(state="open"))),
    ExpectedRoute("POST", "/Supplier/Complaints/Get", _ANSWERS,
            lambda shop, goods: Sample("/Supplier/Complaints/Get", {"complaintId": goods.supplier_complaint_id})),
    ExpectedRoute("POST", "/Supplier/Complaints/Answer", _ANSWERS,
            lambda shop, goods: Sample("/Supplier/Complaints/Answer", {
                "complaintId": goods.supplier_complaint_id, "answer": "refund", "amount": 0.5, "text": "Half of it"})),
    ExpectedRoute("POST", "/Supplier/Statement", _keyed(Surface.SUPPLIER, "statement:read"),
            _to("/Supplier/Statement", _statement_body())),
    *_key_calls(Surface.PAYMENT),
    *_key_calls(Surface.SUPPLIER),
    *_webhook_calls(_RESELLER),
    *_webhook_calls(Surface.SUPPLIER),
    *_webhook_calls(Surface.PAYMENT),
    ExpectedRoute("GET", "/documentation", _PUBLIC, _to("/documentation")),
    ExpectedRoute("GET", "/documentation/", _PUBLIC, _to("/documentation/")),
    ExpectedRoute("GET", "/documentation/index", _PUBLIC, _to("/documentation/index")),
    ExpectedRoute("GET", "/documentation/downloads", _PUBLIC, _to("/documentation/downloads")),
    ExpectedRoute("GET", "/documentation/surfaces/{surface}", _PUBLIC, _to("/documentation/surfaces/reseller")),
    ExpectedRoute("GET", "/documentation/assets/{name}", _PUBLIC, _to(asset("site.css").address)),
    ExpectedRoute("GET", "/documentation/guides/{name}", _PUBLIC, _to("/documentation/guides/authentication")),
    ExpectedRoute("GET", "/documentation/errors/{code}", _PUBLIC, _to("/documentation/errors/-23.json")),
    ExpectedRoute("GET", "/openapi/{document}", _PUBLIC, _to("/openapi/reseller.json")),
)  # fmt: skip

ALIASES = {
    ("POST", "/Order/Create"): "/Orders/Create",
    ("GET", "/Order/detail/{orderDetailId}"): "/Orders/Detail/{orderDetailId}",
    ("POST", "/Order/customer/list"): "/Orders/List",
    ("POST", "/Order/cancel"): "/Orders/Cancel",
    ("GET", "/Customer/Get"): "/Account/Details",
    ("POST", "/Order/deliver"): "/Supplier/Orders/Deliver",
}
"""Older names (contract section 7): the method and the credential of the canonical route."""


def _aliased(method: str, path: str, canonical: ExpectedRoute) -> ExpectedRoute:
    before, after = canonical.path.partition("{")[0], path.partition("{")[0]

    def sample(shop: Shop, goods: SampleObjects) -> Sample:
        right = canonical.sample(shop, goods)
        return Sample(after + right.path.removeprefix(before), right.body)

    return replace(canonical, method=method, path=path, sample=sample)


_BY_NAME = {expected_route.name: expected_route for expected_route in _CANONICAL}
EXPECTED_ROUTES: dict[Name, ExpectedRoute] = _BY_NAME | {
    (method, path): _aliased(method, path, _BY_NAME[method, canonical]) for (method, path), canonical in ALIASES.items()
}
"""Every route and every alias."""
