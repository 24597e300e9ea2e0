"""Members of a body: unknown ones, missing ones, and those that are null."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from bedesten.apidocs.openapi.document import document
from bedesten.gate.scopes import Surface
from bedesten.http.body_fields import MAX_FIELD_ERRORS, camel
from bedesten.http.route import Async, Checks, Reads, Reveals, Route, Writes
from bedesten.http.schemas import schemas_in
from bedesten.server.build import ROUTES
from bedesten.tenants import actions as tenants
from tests.support.expected_routes import EXPECTED_ROUTES, credential_for
from tests.support.metrics import until
from tests.support.sample_objects import SampleObjects, create_sample_objects
from tests.support.shop import Shop, fresh, line
from tests.support.wire import Answer

WITH_BODY = [route for route in ROUTES if msgspec.structs.fields(route.body)]
STRICT = [route for route in WITH_BODY if isinstance(route.handler, Writes | Checks)]
NOT_KNOWN = "unknown for this operation"


def endpoint(route: Route) -> str:
    """The id of a route's test case."""
    return route.endpoint


@pytest.fixture(scope="module")
def goods(shop: Shop) -> SampleObjects:
    return create_sample_objects(shop)


def objects(body: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of a body with its place, except the caller's own `callbackData`."""
    if isinstance(body, list):
        for place, part in enumerate(body):
            yield from objects(part, f"{at}[{place}]")
    elif isinstance(body, dict):
        yield at, body
        for name, part in body.items():
            if name != "callbackData":
                yield from objects(part, f"{at}.{name}" if at else name)


def send(shop: Shop, goods: SampleObjects, route: Route, body: object) -> Answer:
    """Sends the request with a good credential, which the request may use up."""
    expected_route = EXPECTED_ROUTES[route.method, route.path]
    return shop.client(lines=credential_for(shop, expected_route)).post(expected_route.sample(shop, goods).path, body)


def sample(shop: Shop, goods: SampleObjects, route: Route) -> dict[str, Any]:
    """A valid body with every member."""
    body = EXPECTED_ROUTES[route.method, route.path].sample(shop, goods).body
    assert isinstance(body, dict)
    return body


# --- members that an operation does not know --------------------------------------------------------------------------


def test_exactly_the_operations_that_change_something_are_strict() -> None:
    assert {route.endpoint for route in WITH_BODY if route.strict} == {route.endpoint for route in STRICT}
    lenient = [route for route in WITH_BODY if not route.strict]
    assert all(isinstance(route.handler, Reads | Reveals | Async) for route in lenient)
    about_money_or_goods = ("/Create", "/Confirm", "/Capture", "/Upsert", "/Upload", "/Deliver", "/Rotate", "/Revoke")
    assert not [route.path for route in lenient if route.path.endswith(about_money_or_goods)]


@pytest.mark.parametrize("route", STRICT, ids=endpoint)
def test_an_unknown_member_is_refused_and_named_in_every_object_of_a_strict_operation(
    shop: Shop, goods: SampleObjects, route: Route
) -> None:
    expected_route = EXPECTED_ROUTES[route.method, route.path]
    right = expected_route.sample(shop, goods)
    client = shop.client(lines=credential_for(shop, expected_route))
    before = shop.site.rows(shop.id)

    for index, (at, _) in enumerate(objects(right.body)):
        changed = copy.deepcopy(right.body)
        list(objects(changed))[index][1]["validateOnly"] = True
        answer = client.post(right.path, changed)
        assert (*answer.verdict, answer.fields) == (400, -2, [f"{at}.validateOnly" if at else "validateOnly"])
        assert answer.json["errors"][0]["message"].startswith(NOT_KNOWN)
    assert shop.site.rows(shop.id) == before, "nothing of a refused request was done"


@pytest.mark.parametrize("route", [route for route in WITH_BODY if not route.strict], ids=endpoint)
def test_reads_and_logins_ignore_unknown_members(shop: Shop, goods: SampleObjects, route: Route) -> None:
    body = sample(shop, goods, route)
    for _, one in list(objects(body)):
        one["validateOnly"] = one["\u202e"] = one[""] = {"deep": [None]}

    assert send(shop, goods, route, body).status == 200


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("maxUnitPrise", f"{NOT_KNOWN}: did you mean maxUnitPrice?"),
        ("MAX_UNIT_PRICE", f"{NOT_KNOWN}: did you mean maxUnitPrice?"),
        ("customerStoreProduct", f"{NOT_KNOWN}: did you mean customerStoreProductId?"),
        ("Qty", NOT_KNOWN),
        ("maxPrice", f"{NOT_KNOWN}: did you mean maxUnitPrice?"),
    ],
)
def test_the_nearest_member_is_named_and_the_wrong_one_as_it_was_written(shop: Shop, member: str, message: str) -> None:
    body = {"orderReference": fresh("order"), "basketData": [{**line(shop.card), member: 0.01}]}

    answer = shop.reseller.post("/Orders/Create", body)

    assert answer.verdict == (400, -2)
    assert answer.json["errors"] == [{"field": f"basketData[0].{member}", "message": message}]


@pytest.mark.parametrize("member", ["", " ", "a b", "\u202edata", "<script>", "x" * 65, "a\nb", "\u00e9"])
def test_an_unprintable_member_name_is_not_repeated(shop: Shop, member: str) -> None:
    answer = shop.reseller.post("/Orders/Create", {**shop.order(), member: 1})

    assert answer.verdict == (400, -2)
    assert answer.fields == ["a member with an unprintable name"]


def test_the_log_does_not_repeat_unknown_member_names(shop: Shop) -> None:
    name = fresh("hush").replace("-", "_")
    answer = shop.reseller.post("/Orders/Create", {**shop.order(), name: 1})

    assert answer.fields == [name]
    assert until(lambda: "an unknown member" in shop.site.log.read_text("utf-8"))
    assert name not in shop.site.log.read_text("utf-8")


def test_a_lenient_tenant_ignores_unknown_members_from_the_next_request_on_until_it_is_strict_again(
    each_shop: Shop,
) -> None:
    def order() -> dict[str, object]:
        return {**each_shop.order(), "currency": "USD", "basketData": [{**line(each_shop.card), "note": "x"}]}

    def become(lenient: bool) -> None:
        each_shop.operator.within(each_shop.id, lambda tx: tenants.set_lenient(tx, lenient))

    assert sorted(each_shop.reseller.post("/Orders/Create", order()).fields) == ["basketData[0].note", "currency"]
    become(True)
    try:
        for _ in range(4):
            assert each_shop.reseller.post("/Orders/Create", order()).status == 200
        assert each_shop.reseller.post("/Orders/Create", {"x": 1}).fields == ["orderReference", "basketData"]
    finally:
        become(False)
    for _ in range(4):
        assert each_shop.reseller.post("/Orders/Create", order()).verdict == (400, -2)


# --- every fault at once ----------------------------------------------------------------------------------------------


DEMANDING = [route for route in WITH_BODY if any(field.required for field in msgspec.structs.fields(route.body))]


@pytest.mark.parametrize("route", DEMANDING, ids=endpoint)
def test_an_empty_body_names_every_member_that_is_required(shop: Shop, goods: SampleObjects, route: Route) -> None:
    required = [camel(field.name) for field in msgspec.structs.fields(route.body) if field.required]
    bodies: tuple[object, ...] = ({}, b"")

    for body in bodies:
        answer = send(shop, goods, route, body)
        assert (*answer.verdict, answer.fields) == (400, -2, required)
        assert {one["message"] for one in answer.json["errors"]} == {"is required"}


def test_every_missing_unknown_and_wrong_member_is_named_at_once(shop: Shop) -> None:
    good = line(shop.card)
    body = {
        "basketData": [
            {"deliverId": 7, "quantity": 0},
            good,
            {**good, "deliverId": "3", "quantity": "2", "requireData": [{"identifier": 5}, {"value": ""}]},
            "x",
        ],
        "notifyUrl": [],
        "validateOnly": True,
    }

    answer = shop.reseller.post("/Orders/Create", body)

    assert answer.verdict == (400, -2)
    assert {one["field"]: one["message"] for one in answer.json["errors"]} == {
        "orderReference": "is required",
        "basketData[0].deliverId": "must be text, not a whole number",
        "basketData[0].customerStoreProductId": "is required",
        "basketData[0].quantity": "must be at least 1",
        "basketData[2].quantity": "must be a whole number, not text",
        "basketData[2].requireData[0].productRequireId": "is required",
        "basketData[2].requireData[0].value": "is required",
        "basketData[2].requireData[0].identifier": "must be text, not a whole number",
        "basketData[2].requireData[1].productRequireId": "is required",
        "basketData[2].requireData[1].value": "must not be blank",
        "basketData[3]": "must be an object, not text",
        "notifyUrl": "must be text, not a list",
        "validateOnly": NOT_KNOWN,
    }


def test_a_login_names_both_members_at_once(shop: Shop) -> None:
    for path in ("/Login/Customer/Api/Verify", "/Storefront/Customers/Login"):
        assert shop.client().post(path, {}).fields == ["email", "password"]
        assert shop.client().post(path, {"email": 1, "password": None}).fields == ["email", "password"]


def test_a_body_of_thousands_of_faults_names_the_first_hundred(shop: Shop) -> None:
    answer = shop.supplies.post("/Supplier/Stock/Upload", {"productId": shop.card, "codes": [7] * 1000})
    assert (*answer.verdict, len(answer.fields)) == (400, -2, MAX_FIELD_ERRORS)

    beyond = {f"m{number}": 1 for number in range(5000)}
    answer = shop.reseller.post("/Orders/Create", {**shop.order(), **beyond})
    assert (*answer.verdict, len(answer.fields)) == (400, -2, MAX_FIELD_ERRORS)


# --- null ---------------------------------------------------------------------------------------------------------------


def optional_members(route: Route, body: object, shape: Any, at: str = "") -> Iterator[str]:
    """The places of all optional members of a body."""
    if isinstance(shape, inspect.Metadata):
        yield from optional_members(route, body, shape.type, at)
    elif isinstance(shape, inspect.UnionType):
        for one in shape.types:
            yield from optional_members(route, body, one, at)
    elif isinstance(shape, inspect.ListType) and isinstance(body, list) and body:
        yield from optional_members(route, body[0], shape.item_type, f"{at}[0]")
    elif isinstance(shape, inspect.StructType) and isinstance(body, dict):
        for field in shape.fields:
            name = camel(field.name)
            if not field.required:
                yield f"{at}.{name}" if at else name
            yield from optional_members(route, body.get(name), field.type, f"{at}.{name}" if at else name)


def changed(body: dict[str, Any], place: str, value: object) -> dict[str, Any]:
    """A copy of the body with this value at the place; `UNSET` takes the member out."""
    copied = copy.deepcopy(body)
    *steps, last = place.replace("[0]", ".0").split(".")
    inner: Any = copied
    for step in steps:
        inner = inner[int(step)] if step == "0" else inner[step]
    if value is msgspec.UNSET:
        inner.pop(last, None)
    else:
        inner[last] = value
    return copied


@pytest.mark.parametrize("route", WITH_BODY, ids=endpoint)
def test_null_for_an_optional_member_counts_as_absent(shop: Shop, goods: SampleObjects, route: Route) -> None:
    shape = inspect.type_info(route.body)
    places = list(optional_members(route, sample(shop, goods, route), shape))

    for place in places:
        outcome = []
        for value in (None, msgspec.UNSET):
            answer = send(shop, goods, route, changed(sample(shop, goods, route), place, value))
            outcome.append((answer.status, answer.code, answer.fields))
            assert b"not null" not in answer.body, place
        assert outcome[0] == outcome[1], place
    assert places or all(field.required for field in msgspec.structs.fields(route.body))


# --- the OpenAPI documents --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("surface", Surface)
def test_the_document_says_which_members_accept_null_and_which_objects_accept_no_unknown_members(
    surface: Surface,
) -> None:
    made = document(ROUTES, surface, "https://api.shop.example", {})
    schemas = json.loads(msgspec.json.encode(made["components"]["schemas"]))
    own = [route for route in WITH_BODY if route.access.surface is surface]
    closed = {shape.__name__ for route in own if route.strict for shape in schemas_in(route.body)}

    for shape in {shape for route in own for shape in schemas_in(route.body)}:
        schema = schemas[shape.__name__]
        assert (schema.get("additionalProperties") is False) is (shape.__name__ in closed), shape
        for field in msgspec.structs.fields(shape):
            outcome = schema["properties"][camel(field.name)]
            takes_null = {"type": "null"} in outcome.get("anyOf", ()) or not outcome.keys() - {"description"}
            assert takes_null is not field.required, (shape, field.name)
    assert closed
