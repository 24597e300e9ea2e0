"""The responses of a running server match the documents: every operation, successes and refusals."""

from collections.abc import Iterable, Iterator

import pytest

from tests.support.client import Client, Lines, bearer
from tests.support.expected_routes import EXPECTED_ROUTES, ExpectedRoute, credential_for
from tests.support.operator_actions import Operator
from tests.support.sample_objects import SampleObjects, create_sample_objects
from tests.support.schema import DOCUMENTS, JSON, PROBLEM, Described
from tests.support.shop import Shop, fresh, open_shop
from tests.support.sites import Site
from tests.support.wire import Answer

OPERATIONS = {name: operation for document in DOCUMENTS.values() for name, operation in document.operations.items()}
PLANNED_ROUTES = [expected_route for expected_route in EXPECTED_ROUTES.values() if expected_route.name in OPERATIONS]
AS_PROBLEM = (("Accept", PROBLEM),)
every_operation = pytest.mark.parametrize(
    "expected_route", PLANNED_ROUTES, ids=lambda expected_route: " ".join(expected_route.name)
)


@pytest.fixture(scope="module")
def shop(site: Site, operator: Operator) -> Shop:
    return open_shop(site, operator, "described")


@pytest.fixture(scope="module")
def goods(shop: Shop) -> SampleObjects:
    return create_sample_objects(shop)


def ask(
    shop: Shop, goods: SampleObjects, expected_route: ExpectedRoute, lines: Lines | None = None, more: Lines = ()
) -> Answer:
    """Sends a valid request with the right credential, or with these header lines in its place."""
    presented = credential_for(shop, expected_route) if lines is None else lines
    sample = expected_route.sample(shop, goods)
    return shop.client(None, [*presented, *more]).call(expected_route.method, sample.path, sample.body)


def faults(expected_route: ExpectedRoute, answers: Iterable[Answer]) -> list[str]:
    operation = OPERATIONS[expected_route.name]
    return [fault for answer in answers for fault in operation.faults(answer)]


def test_every_documented_operation_is_tested() -> None:
    assert {expected_route.name for expected_route in PLANNED_ROUTES} == set(OPERATIONS)


@every_operation
def test_a_success_matches_the_document(shop: Shop, goods: SampleObjects, expected_route: ExpectedRoute) -> None:
    answer = ask(shop, goods, expected_route)

    assert answer.verdict == (200, None), answer.body
    assert faults(expected_route, [answer]) == []


@every_operation
def test_a_valid_request_matches_the_document(shop: Shop, goods: SampleObjects, expected_route: ExpectedRoute) -> None:
    operation, body = OPERATIONS[expected_route.name], expected_route.sample(shop, goods).body

    if operation.body is not None:
        assert operation.document.faults(operation.body["schema"], body) == []


def wrongs(shop: Shop, goods: SampleObjects, expected_route: ExpectedRoute) -> Iterator[Answer]:
    """Provokes refusals at every step of admission, in both formats."""
    sample = expected_route.sample(shop, goods)
    other = "/".join([*sample.path.split("/")[:-1], "prd_unknown"])
    for form in ((), AS_PROBLEM):
        good = (*credential_for(shop, expected_route), *form)
        yield ask(shop, goods, expected_route, (), form)
        yield ask(shop, goods, expected_route, (("Authorization", "Bearer x.y.z"), ("ApiKey", "ak_live_x"), *form))
        yield ask(shop, goods, expected_route, bearer(shop.customer_token + "x"), form)
        yield shop.site.client("api.nowhere.example", form).call(expected_route.method, sample.path)
        client = shop.client(None, good)
        yield client.call(expected_route.method, sample.path, b"[]")
        yield client.call(expected_route.method, sample.path, {"pageSize": "many", "orderId": 7, "quantity": None})
        yield client.call(expected_route.method, sample.path, b"x" * 2_000_000)
        yield client.call(expected_route.method, sample.path, b"{}", [("Content-Type", "text/plain")])
        yield client.call(expected_route.method, sample.path, sample.body, [("h-region-code", "?")])
        yield client.call(expected_route.method, sample.path, sample.body, [("Idempotency-Key", "")])
        if "{" in expected_route.path:
            yield client.call(expected_route.method, other)


@every_operation
def test_refusals_match_the_document(shop: Shop, goods: SampleObjects, expected_route: ExpectedRoute) -> None:
    answers = list(wrongs(shop, goods, expected_route))

    assert faults(expected_route, answers) == []
    assert {answer.status for answer in answers} >= {400, 421}
    kinds = {answer.header("content-type") for answer in answers if answer.status >= 400}
    assert kinds == {JSON, PROBLEM}


def test_refusals_by_state_match_the_document(shop: Shop) -> None:
    """Refusals that routes declare themselves, where a test can provoke them."""
    seen: dict[str, set[int]] = {}
    for path, client, bodies in conflicts(shop, create_sample_objects(shop)):
        for body in bodies:
            for form in ((), AS_PROBLEM):
                answer = client.post(path, body, form)
                operation: Described = OPERATIONS["POST", path]
                assert operation.faults(answer) == [], answer.body
                seen.setdefault(path, set()).add(answer.code or 0)

    assert seen == {
        "/Login/Customer/Api/Verify": {-26},
        "/Orders/Create": {0, -8, -200, -300},
        "/Orders/Get": {-2, -3},
        "/Storefront/Customers/Password": {-2, -26},
        "/Storefront/Checkout/Create": {0, -8, -200},
        "/Storefront/Orders/Get": {-3},
        "/Payment/Deposits/Create": {0, -2, -3, -8},
        "/Payment/Deposits/Confirm": {-3},
        "/Payment/Payments/Create": {-2, -3, -8, -401},
        "/Payment/Payments/Capture": {-3, -401, -402},
        "/Payment/Payments/Cancel": {-3, -401},
        "/Storefront/Checkout/Cancel": {-3, -8},
        "/Supplier/Stock/Upload": {-2, -3},
        "/Supplier/Orders/Deliver": {-2, -3, -500},
    }


def conflicts(shop: Shop, goods: SampleObjects) -> Iterator[tuple[str, Client, list[dict[str, object]]]]:
    reseller, storefront, payments, supplies = shop.reseller, shop.storefront, shop.payments, shop.supplies
    order: dict[str, object] = shop.order()
    many: dict[str, object] = {"orderReference": fresh("dear"), "basketData": [
        {"deliverId": str(at), "customerStoreProductId": shop.topup, "quantity": 1000,
         "requireData": [{"productRequireId": "player", "value": "p"}]} for at in range(50)]}  # fmt: skip
    wrong: dict[str, object] = {"email": shop.partner_email, "password": "not this one at all"}
    yield "/Login/Customer/Api/Verify", reseller, [wrong]
    yield "/Orders/Create", reseller, [order, {**order, "notifyUrl": "https://h.example/"}, shop.order("x"), many]
    yield "/Orders/Get", reseller, [{"orderId": "ord_x"}, {"orderReference": "none"}, {}]
    passwords: dict[str, object] = {
        "currentPassword": "not this one at all",
        "newPassword": "twelve herons in the reeds",
    }
    yield "/Storefront/Customers/Password", storefront, [passwords, {**passwords, "newPassword": 3}]
    checkout: dict[str, object] = {"items": [{"productId": shop.card, "quantity": 1}], "reference": fresh("checkout")}
    other = {**checkout, "items": [{"productId": shop.card, "quantity": 2}]}
    yield "/Storefront/Checkout/Create", storefront, [checkout, other, {"items": [{"productId": "x", "quantity": 1}]}]
    yield "/Storefront/Orders/Get", storefront, [{"orderId": "ord_x"}]
    deposit: dict[str, object] = {"partner": shop.partner, "amount": 5, "reference": fresh("deposit")}
    yield "/Payment/Deposits/Create", payments, [
        deposit, {**deposit, "amount": 6}, {**deposit, "partner": "nobody"}, {**deposit, "amount": 0.001}]  # fmt: skip
    yield "/Payment/Deposits/Confirm", payments, [{"depositId": "dep_x"}]
    payment: dict[str, object] = {"orderId": goods.checkout_id, "amount": 1, "reference": fresh("payment")}
    known = payments.data("/Payment/Payments/Create", {**payment, "amount": 5})
    used = {**payment, "reference": known["reference"], "amount": 6}
    new = {**payment, "reference": fresh("payment")}
    paid = create_sample_objects(shop)
    payments.data("/Payment/Payments/Capture", {"paymentId": paid.payment_id})
    late = {**new, "orderId": paid.checkout_id, "amount": 5}
    yield "/Payment/Payments/Create", payments, [new, used, late, {**new, "orderId": "ord_x"}]
    lost: dict[str, object] = {"paymentId": paid.spare_payment_id}
    gone = {"orderId": paid.spare_checkout_id, "amount": 5, "reference": fresh("payment")}
    late = {"paymentId": payments.data("/Payment/Payments/Create", gone)["paymentId"]}
    storefront.data("/Storefront/Checkout/Cancel", {"orderId": paid.spare_checkout_id})
    yield "/Payment/Payments/Capture", payments, [{"paymentId": "pay_x"}, lost, late]
    yield "/Payment/Payments/Cancel", payments, [{"paymentId": "pay_x"}, {"paymentId": paid.payment_id}]
    yield "/Storefront/Checkout/Cancel", storefront, [{"orderId": "ord_x"}, {"orderId": paid.checkout_id}]
    yield "/Supplier/Stock/Upload", supplies, [
        {"productId": "prd_x", "codes": ["a"]}, {"productId": shop.topup, "codes": ["a"]}]  # fmt: skip
    line: dict[str, object] = {"orderDetailId": goods.awaiting_id}
    yield "/Supplier/Orders/Deliver", supplies, [
        {"orderDetailId": "odl_x", "deliveryData": ["a"]}, line, {**line, "deliveryData": ["a", "b", "c"]}]  # fmt: skip
