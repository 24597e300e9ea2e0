"""The library has every operation of the server's route tables, with the same fields."""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from types import ModuleType
from typing import Any

import msgspec
import pytest

import bedesten_client
from bedesten.gate.access import Anonymous, Open
from bedesten.gate.scopes import Surface
from bedesten.http.body_fields import camel
from bedesten.http.route import Route
from bedesten.server.build import ROUTES
from bedesten_client import BasketLine, CheckoutItem, CodeItem, Offer, RequireData
from bedesten_client._base import options_of
from bedesten_client._call import Call, Operation, Options, request_of
from bedesten_client._retry import RetryPolicy
from bedesten_client._surfaces import payment, reseller, storefront, supplier

MODULES = {
    Surface.RESELLER: reseller,
    Surface.STOREFRONT: storefront,
    Surface.PAYMENT: payment,
    Surface.SUPPLIER: supplier,
}
SAMPLES: dict[str, tuple[Any, ...]] = {
    "generate_token": ("e", "p"), "login": ("e", "p"), "register": ("e", "p"), "change_password": ("p", "q"),
    "product": ("prd_1",), "order_detail": ("odl_1",), "create_order": ("r", [BasketLine("1", "prd_1", 1)]),
    "validate_order": ("r", [BasketLine("1", "prd_1", 1)]),
    "create_checkout": ([CheckoutItem("prd_1", 1)],), "create_deposit": ("p", Decimal(1), "r"),
    "confirm_deposit": ("dep_1",), "create_payment": ("ord_1", Decimal(1), "r"), "capture_payment": ("pay_1",),
    "cancel_payment": ("pay_1",), "cancel_checkout": ("ord_1",),
    "upsert_products": ([Offer("s", "n", 1)],), "upload_stock": ("prd_1", ["c"]), "deliver": ("odl_1",),
    "accept": ("odl_1",), "reject": ("odl_1", "no"), "withdraw_stock": ("called back",),
    "recall_stock": ("called back",),
    "end_session": ("ses_1",), "create_complaint": ("odl_1", "OTHER"), "get_complaint": ("cmp_1",),
    "set_low_balance": (Decimal("12.50"),),
    "withdraw_complaint": ("cmp_1",), "create_endpoint": ("https://x.example",), "update_endpoint": ("whk_1",),
    "rotate_endpoint": ("whk_1",), "test_endpoint": ("whk_1",), "delete_endpoint": ("whk_1",),
    "simulate_webhooks": ("whk_1", "late"), "answer_complaint": ("cmp_1", "reject"), "authorise_payment": ("pay_1",),
    "refund_payment": ("pay_1", "r"), "confirm_refund": ("rfd_1",), "fail_refund": ("rfd_1",),
    "verify_email": ("t",), "change_email": ("e", "p"), "confirm_email": ("t",),
    "forgot_password": ("e",), "reset_password": ("t", "p"),
    "set_basket": ([CheckoutItem("prd_1", 1)],), "add_to_basket": ("prd_1", 1), "update_basket_line": ("bsl_1",),
    "remove_from_basket": (["bsl_1"],), "start_payment": ("ord_1", "card"), "payment_status": ("pay_1",),
    "reject_deposit": ("dep_1",), "notify": ("e", "payment.captured", datetime(2026, 1, 1, tzinfo=UTC)),
}  # fmt: skip
"""Sample arguments of operations. Only the Storefront's `get_order` and `cancel_order` require an id."""

NAMED_BY_ITSELF = {"POST /Orders/Create"}
LOOK_FIRST = {
    "POST /Supplier/Keys/Revoke", "POST /Payment/Keys/Revoke", "POST /Supplier/Keys/Rotate",
    "POST /Payment/Keys/Rotate", "POST /Storefront/Customers/Password", "POST /Storefront/Customers/Password/Reset",
    "POST /Login/Customer/Api/Password/Reset",
    "POST /Webhooks/Endpoints/Create",
    "POST /Webhooks/Endpoints/Rotate", "POST /Supplier/Webhooks/Endpoints/Create",
    "POST /Supplier/Webhooks/Endpoints/Rotate", "POST /Payment/Webhooks/Endpoints/Create",
    "POST /Payment/Webhooks/Endpoints/Rotate",
}  # fmt: skip


def routes(surface: Surface) -> dict[str, Route]:
    return {route.endpoint: route for route in ROUTES if route.access.surface is surface}


def operations(surface: Surface) -> dict[str, Operation[Any]]:
    """Return the operations that the module names, and those of its calls."""
    found = [one for one in vars(MODULES[surface]).values() if isinstance(one, Operation)]
    found += [one.operation for one in calls(surface).values()]
    return {f"{one.method} {one.path}": one for one in found}


def builders(module: ModuleType) -> dict[str, Callable[..., Call[Any]]]:
    return {
        name: one
        for name, one in inspect.getmembers(module, inspect.isroutine)
        if (inspect.ismethod(one) or one.__module__ == module.__name__)
        and "Call" in str(inspect.signature(one).return_annotation)
    }


def calls(surface: Surface) -> dict[str, Call[Any]]:
    """Build a call of every operation, keyed by endpoint."""
    made = []
    for name, build in builders(MODULES[surface]).items():
        asked = (
            ("ord_1",)
            if name in ("get_order", "cancel_order") and surface is Surface.STOREFRONT
            else SAMPLES.get(name, ())
        )
        made.append(build(*asked))
    return {f"{one.operation.method} {one.operation.path}": one for one in made}


@pytest.mark.parametrize("surface", Surface)
def test_the_library_has_exactly_the_operations_of_the_table(surface: Surface) -> None:
    assert set(operations(surface)) == set(routes(surface))
    assert set(calls(surface)) == set(routes(surface)), "each of them has a function that calls it"


@pytest.mark.parametrize("prefix", ["", "Async"])
@pytest.mark.parametrize("surface", Surface)
def test_every_operation_is_a_method_of_both_clients(surface: Surface, prefix: str) -> None:
    client = getattr(bedesten_client, f"{prefix}{surface.value.title()}Client")
    for name, build in builders(MODULES[surface]).items():
        method = getattr(client, name)
        names = [one for one in inspect.signature(method).parameters if one != "self"]
        assert names == list(inspect.signature(build).parameters)
        assert inspect.iscoroutinefunction(method) is (prefix == "Async")
        assert method.__doc__
        if "page_size" in names:
            one = name.removeprefix("list_").removesuffix("s").replace("deliverie", "delivery")
            assert getattr(client, f"each_{one}")


@pytest.mark.parametrize("surface", Surface)
def test_a_call_sends_the_fields_that_the_table_takes(surface: Surface) -> None:
    for endpoint, route in routes(surface).items():
        body = calls(surface)[endpoint].body
        sent = {camel(name) for name in body.__struct_fields__} if isinstance(body, msgspec.Struct) else set()
        taken = {camel(one.name) for one in msgspec.structs.fields(route.body)}
        never_set = {"categoryId"} if "cursor" in taken and "categoryId" not in taken else set()
        assert sent - never_set == taken, endpoint


@pytest.mark.parametrize("surface", Surface)
def test_retries_match_what_the_server_makes_safe(surface: Surface) -> None:
    for endpoint, operation in operations(surface).items():
        takes_keys = routes(surface)[endpoint].repeatable
        if endpoint in LOOK_FIRST:
            expected = RetryPolicy.NEVER
        elif takes_keys and endpoint not in NAMED_BY_ITSELF:
            expected = RetryPolicy.KEYED
        else:
            expected = RetryPolicy.SAFE
        assert operation.retry_policy is expected, endpoint


@pytest.mark.parametrize("surface", Surface)
def test_credentials_go_to_operations_that_need_one(surface: Surface) -> None:
    for endpoint, operation in operations(surface).items():
        assert operation.anonymous is isinstance(routes(surface)[endpoint].access, Anonymous | Open), endpoint


def test_request_objects_have_the_fields_of_the_server() -> None:
    from bedesten.surfaces import schemas as common
    from bedesten.surfaces.reseller import schemas as reseller_shapes
    from bedesten.surfaces.storefront import schemas as storefront_shapes
    from bedesten.surfaces.supplier import schemas as supplier_shapes

    pairs: list[tuple[Any, Any]] = [
        (BasketLine, reseller_shapes.BasketLine),
        (CheckoutItem, storefront_shapes.CheckoutItem),
        (Offer, supplier_shapes.OfferInput),
        (CodeItem, supplier_shapes.CodeItem),
        (RequireData, common.RequireData),
    ]
    for ours, theirs in pairs:
        assert set(ours.__struct_fields__) == {one.name for one in msgspec.structs.fields(theirs)}


def test_results_have_the_fields_of_the_server() -> None:
    from bedesten.surfaces import api_keys, complaints, statements
    from bedesten.surfaces import schemas as common
    from bedesten.surfaces.payment import schemas as payment_shapes
    from bedesten.surfaces.reseller import schemas as reseller_shapes
    from bedesten.surfaces.storefront import basket, site
    from bedesten.surfaces.storefront import payments as started
    from bedesten.surfaces.storefront import schemas as storefront_shapes
    from bedesten.surfaces.supplier import schemas as supplier_shapes
    from bedesten_client import schemas

    pairs: list[tuple[Any, Any]] = [
        (schemas.Token, common.Token), (schemas.Category, common.CategoryView), (schemas.Product, common.ProductView),
        (schemas.Requirement, common.RequirementView), (schemas.PlacedOrder, reseller_shapes.PlacedOrder),
        (schemas.PlacedLine, reseller_shapes.PlacedLine), (schemas.ValidOrder, reseller_shapes.ValidOrder),
        (schemas.ValidLine, reseller_shapes.ValidLine), (schemas.OrderLine, reseller_shapes.LineView),
        (schemas.Order, reseller_shapes.OrderView), (schemas.Account, reseller_shapes.AccountView),
        (schemas.LowBalance, reseller_shapes.LowBalanceView),
        (schemas.LineSummary, reseller_shapes.LineSummary), (schemas.OrderSummary, reseller_shapes.OrderSummary),
        (schemas.CustomerLineSummary, storefront_shapes.CustomerLineSummary),
        (schemas.CustomerOrderSummary, storefront_shapes.CustomerOrderSummary),
        (schemas.Profile, storefront_shapes.Profile), (schemas.CustomerOrder, storefront_shapes.CustomerOrder),
        (schemas.CustomerLine, storefront_shapes.CustomerLine), (schemas.Deposit, payment_shapes.DepositView),
        (schemas.Payment, payment_shapes.PaymentView), (schemas.PaymentRefund, payment_shapes.RefundView),
        (schemas.ProviderEvent, payment_shapes.EventView), (schemas.Settlement, payment_shapes.SettlementView),
        (schemas.SettlementLine, payment_shapes.SettlementLine),
        (schemas.SiteConfiguration, site.SiteConfiguration), (schemas.SiteText, site.SiteText),
        (schemas.SiteLimits, site.SiteLimits), (schemas.Basket, basket.BasketView),
        (schemas.BasketItem, basket.BasketLineView),
        (schemas.BasketDatum, basket.BasketDatum),
        (schemas.PaymentMethod, started.PaymentMethodView), (schemas.CustomerPayment, started.CustomerPayment),
        (schemas.OrderRefund, storefront_shapes.OrderRefund), (schemas.SupplierProduct, supplier_shapes.OfferView),
        (schemas.UploadResult, supplier_shapes.UploadResult), (schemas.SkippedCode, supplier_shapes.SkippedCode),
            (schemas.DeliveredCode, common.DeliveredCode), (schemas.AwaitingLine, supplier_shapes.AwaitingLine),
        (schemas.DeliveryResult, supplier_shapes.DeliveryResult), (schemas.AssignedLine, supplier_shapes.AssignedLine),
        (schemas.StockBatch, supplier_shapes.BatchView), (schemas.StockWithdrawal, supplier_shapes.StockWithdrawal),
        (schemas.ApiKey, api_keys.KeyView),
        (schemas.LastUse, api_keys.LastUse),
        (schemas.PreviousSecret, api_keys.PreviousSecret), (schemas.KeyRotation, api_keys.KeyRotation),
        (schemas.KeyRevocation, api_keys.KeyRevocation), (schemas.Complaint, complaints.ComplaintView),
        (schemas.ComplaintSummary, complaints.ComplaintSummary),
        (schemas.SupplierComplaint, complaints.SupplierComplaint),
        (schemas.SupplierComplaintDetails, complaints.SupplierComplaintView),
        (schemas.KeyRevocation, api_keys.KeyRevocation),
        (schemas.Transfer, statements.BuyerEntry), (schemas.SupplierTransfer, statements.SupplierEntry),
    ]  # fmt: skip
    for ours, theirs in pairs:
        assert ours.__struct_fields__ == theirs.__struct_fields__, ours


# --- requests as values -------------------------------------------------------------------------------------------------


def test_an_id_cannot_lead_to_another_path() -> None:
    assert request_of(reseller.product("../Orders/Get?x#y"), Options()).path.endswith("/..%2FOrders%2FGet%3Fx%23y")
    with pytest.raises(ValueError, match="the id is empty"):
        request_of(reseller.product(""), Options())


def test_amounts_are_sent_unchanged() -> None:
    sent = request_of(payment.create_deposit("p", Decimal("1234567890123.45"), "r"), Options()).body
    assert b'"amount":1234567890123.45' in (sent or b"")


def test_a_single_text_is_not_a_list_of_codes() -> None:
    with pytest.raises(TypeError):
        supplier.upload_stock("prd_1", "CODE-1")


def test_times_need_a_zone() -> None:
    from datetime import datetime, timedelta, timezone

    with pytest.raises(ValueError, match="time zone"):
        reseller.list_products(updated_since=datetime(2026, 1, 1))  # noqa: DTZ001
    moment = datetime(2026, 1, 1, 3, tzinfo=timezone(timedelta(hours=3)))
    body = request_of(reseller.list_products(updated_since=moment), Options()).body
    assert body == b'{"updatedSince":"2026-01-01T00:00:00Z"}'


def test_invalid_options_are_refused() -> None:
    with pytest.raises(TypeError):
        options_of({"dealine": 3})  # type: ignore[typeddict-unknown-key]
    for wrong in ({"deadline": 0}, {"attempts": 0}, {"attempt_timeout": -1}):
        with pytest.raises(ValueError, match="above zero"):
            options_of(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("api.shop.example", "https://api.shop.example"),
        ("https://api.shop.example/", "https://api.shop.example"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
    ],
)
def test_a_shop_is_named_by_its_host_or_its_address(given: str, address: str) -> None:
    client = bedesten_client.SupplierClient(given, key="ak_live_1")
    assert repr(client) == f"SupplierClient({address!r})"
    client.close()


@pytest.mark.parametrize(
    "given",
    [
        "http://api.shop.example",
        "ftp://api.shop.example",
        "https://u:p@api.shop.example",
        "https://",
        "https://a?b",
        "",
    ],
)
def test_addresses_unsafe_for_credentials_are_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r"shop|https"):
        bedesten_client.SupplierClient(given, key="ak_live_1")
    with pytest.raises(ValueError, match=r"shop|https"):
        bedesten_client.ApiKeyAuth(given, key="ak_live_1")


def test_a_list_that_does_not_advance_is_an_error() -> None:
    from tests.client.scripted import LOGIN, ok, scripted, token

    page = ok({"items": [], "nextCursor": "again"})
    with scripted(lambda asked: token("t") if asked.path == LOGIN else page) as server:
        client = bedesten_client.ResellerClient(server.url, email="e", password="p")
        with client, pytest.raises(bedesten_client.UnexpectedResponse):
            list(client.each_product())
        assert [one.json.get("cursor") for one in server.calls] == [None, "again"]
