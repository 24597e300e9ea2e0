"""Every field of every route with every wrong type, generated from the body types: 400, and the field is named."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from bedesten.gate.scopes import Surface
from bedesten.http.route import Route
from bedesten.server.build import ROUTES
from tests.support.client import encoded
from tests.support.expected_routes import EXPECTED_ROUTES
from tests.support.operator_actions import PASSWORD
from tests.support.sample_objects import SampleObjects, create_sample_objects
from tests.support.shop import Shop

Path = tuple[str | int, ...]
VALUES: dict[str, object] = {
    "null": None, "true": True, "a number": 7, "a fraction": 7.5, "a string": "7", "a list": [], "an object": {},
}  # fmt: skip
GREAT = 10**30
NO_TEXTS = {
    "blank": " ", "blanks": "\u00a0\t\n", "invisible": "\u200b", "invisible inside": "a\u2060b", "bidirectional": "a\u202eb",
    "an escape": "a\x1b[2Jb", "a line separator": "a\u2028b",
}  # fmt: skip
"""Values that every text field refuses."""


@dataclass(frozen=True)
class Fault:
    """One wrong value at one place of one route's body. `at` is in the wire's spelling."""

    route: Route
    at: Path
    value: object
    why: str

    @property
    def name(self) -> str:
        """The place as the response's `errors` names it."""
        text = ""
        for step in self.at:
            text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
        return text


def accepted(kind: inspect.Type) -> set[str]:
    """Names of the `VALUES` that a type accepts."""
    match kind:
        case inspect.Metadata(plain):
            return accepted(plain)
        case inspect.AnyType():
            return set(VALUES)
        case inspect.UnionType(types):
            return {name for one in types for name in accepted(one)}
        case inspect.NoneType():
            return {"null"}
        case inspect.BoolType():
            return {"true"}
        case inspect.IntType():
            return {"a number"}
        case inspect.DecimalType():
            return {"a number", "a fraction"}
        case inspect.StrType():
            return {"a string"}
        case inspect.LiteralType():
            return set()
        case inspect.ListType():
            return {"a list"}
        case inspect.StructType():
            return {"an object"}
    raise AssertionError(f"what does the wire take for {kind}?")


def beyond(kind: inspect.Type) -> Iterator[tuple[str, object]]:
    """Values of the right type that are out of bounds."""
    match kind:
        case inspect.Metadata(plain):
            yield from beyond(plain)
            if (kind.extra or {}).get("text"):
                yield from NO_TEXTS.items()
        case inspect.UnionType(types):
            for one in types:
                yield from beyond(one)
        case inspect.StrType():
            if kind.max_length is not None:
                yield "too long", "x" * (kind.max_length + 1)
            if kind.min_length:
                yield "too short", "x" * (kind.min_length - 1)
        case inspect.IntType():
            yield "too large", GREAT
            if kind.ge is not None:
                yield "too small", kind.ge - 1
            if kind.le is not None:
                yield "above the bound", kind.le + 1
        case inspect.ListType():
            if kind.min_length:
                yield "empty", []


def faults(route: Route, shape: inspect.StructType, sample: dict[str, Any], at: Path = ()) -> Iterator[Fault]:
    """Every fault of one object and of the objects inside it."""
    spelt = {name.lower(): name for name in sample}
    for field in shape.fields:
        name = spelt.get(field.encode_name)
        assert name is not None, f"the sample of {route.endpoint} lacks {field.name}"
        for fault in _of_value(route, field.type, sample[name], (*at, name)):
            if field.required or fault.at != (*at, name) or fault.why != "null":  # null counts as absent
                yield fault
        if field.required:
            yield Fault(route, (*at, name), msgspec.UNSET, "missing")


def _of_value(route: Route, kind: inspect.Type, sample: object, at: Path) -> Iterator[Fault]:
    takes = accepted(kind)
    if isinstance(kind, inspect.ListType) and kind.min_length:
        takes = takes | {"a list"}
    for why, value in VALUES.items():
        if why not in takes:
            yield Fault(route, at, value, why)
    for why, value in beyond(kind):
        yield Fault(route, at, value, why)
    inner = _inside(kind)
    if isinstance(inner, inspect.StructType) and isinstance(sample, dict):
        yield from faults(route, inner, sample, at)
    if isinstance(inner, inspect.ListType) and isinstance(sample, list):
        assert sample, f"the sample of {route.endpoint} has nothing in {at}"
        yield from _of_value(route, inner.item_type, sample[0], (*at, 0))
        if inner.max_length is not None:
            yield Fault(route, at, [sample[0]] * (inner.max_length + 1), "too many")


def _inside(kind: inspect.Type) -> inspect.Type:
    """The type without its documentation metadata and without null."""
    if isinstance(kind, inspect.Metadata):
        return _inside(kind.type)
    if isinstance(kind, inspect.UnionType):
        plain = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
        return plain[0] if len(plain) == 1 else kind
    return kind


@pytest.fixture(scope="module")
def goods(shop: Shop) -> SampleObjects:
    return create_sample_objects(shop)


WITH_BODY = [route for route in ROUTES if msgspec.structs.fields(route.body)]


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: route.endpoint)
def test_every_wrong_field_is_refused_and_named_as_the_wire_spells_it(
    shop: Shop, goods: SampleObjects, route: Route
) -> None:
    expected_route = EXPECTED_ROUTES[route.method, route.path]
    sample = expected_route.sample(shop, goods)
    assert isinstance(sample.body, dict)
    body: dict[str, Any] = sample.body
    shape = inspect.type_info(route.body)
    assert isinstance(shape, inspect.StructType)
    before = shop.site.rows(shop.id)
    client = shop.client(expected_route.demand.surface)

    outcome, expected = {}, {}
    for fault in faults(route, shape, body):
        answer = client.post(sample.path, _with(body, fault))
        outcome[f"{fault.name} {fault.why}"] = (*answer.verdict, answer.fields)
        expected[f"{fault.name} {fault.why}"] = (400, -2, [fault.name])

    assert len(outcome) >= 5
    assert outcome == expected
    assert shop.site.rows(shop.id) == before, "nothing of a refused request was done"


def _with(body: dict[str, Any], fault: Fault) -> bytes:
    """The body with the fault in it."""
    changed = copy.deepcopy(body)
    place: Any = changed
    for step in fault.at[:-1]:
        place = place[step]
    if fault.value is msgspec.UNSET:
        del place[fault.at[-1]]
    else:
        place[fault.at[-1]] = fault.value
    return encoded(changed)


@pytest.mark.parametrize("route", WITH_BODY, ids=lambda route: route.endpoint)
def test_a_body_that_is_not_an_object_is_refused(shop: Shop, route: Route) -> None:
    expected_route = EXPECTED_ROUTES[route.method, route.path]
    client = shop.client(expected_route.demand.surface)

    for raw in (b"[]", b"null", b"true", b"7", b'"x"', b"[{}]"):
        assert client.post(expected_route.path.replace("{productId}", "x"), raw).verdict == (400, -2), raw


def test_faults_that_types_cannot_express_are_refused_and_named_too(shop: Shop, goods: SampleObjects) -> None:
    twice = {"deliverId": "1", "customerStoreProductId": shop.card, "quantity": 1}
    said = {"productRequireId": "player", "value": "p"}
    cases: list[tuple[Surface, str, dict[str, object], str]] = [
        (Surface.RESELLER, "/Orders/Create", {"orderReference": "x", "basketData": [twice, twice]}, "basketData"),
        (Surface.RESELLER, "/Orders/Create",
         {"orderReference": "x", "basketData": [{**twice, "maxUnitPrice": 1.001}]}, "basketData[0].maxUnitPrice"),
        (Surface.RESELLER, "/Orders/Create",
         {"orderReference": "x", "basketData": [{**twice, "requireData": [said, said]}]}, "basketData[0].requireData"),
        (Surface.RESELLER, "/Orders/Create",
         {"orderReference": "x", "basketData": [twice], "notifyUrl": "ftp://x.example"}, "notifyUrl"),
        (Surface.RESELLER, "/Orders/Get", {}, "orderId"),
        (Surface.RESELLER, "/Orders/Get", {"orderId": "x", "orderReference": "y"}, "orderId"),
        (Surface.STOREFRONT, "/Storefront/Checkout/Create",
         {"items": [{"productId": shop.card, "quantity": 1, "requireData": [said, said]}]}, "items[0].requireData"),
        (Surface.PAYMENT, "/Payment/Deposits/Create",
         {"partner": shop.partner, "amount": 1, "reference": "x", "currency": "EUR"}, "currency"),
        (Surface.SUPPLIER, "/Supplier/Products/Upsert",
         {"products": [{"sku": "a", "name": "A", "cost": 1}, {"sku": "a", "name": "A", "cost": 1}]}, "products"),
        (Surface.SUPPLIER, "/Supplier/Products/Upsert",
         {"products": [{"sku": "a", "name": "A", "cost": -1}]}, "products[0].cost"),
        (Surface.SUPPLIER, "/Supplier/Products/Upsert",
         {"products": [{"sku": "a", "name": "A", "cost": 1}, {"sku": "b", "name": "B", "cost": 0.001}]},
         "products[1].cost"),
        (Surface.SUPPLIER, "/Supplier/Stock/Upload", {"productId": shop.topup, "codes": ["x"]}, "productId"),
        (Surface.SUPPLIER, "/Supplier/Orders/Deliver",
         {"orderDetailId": goods.awaiting_id, "deliveryData": ["x", "x"]}, "deliveryData"),
        (Surface.SUPPLIER, "/Supplier/Orders/Deliver", {"orderDetailId": goods.awaiting_id}, "deliveryData"),
    ]  # fmt: skip

    for surface, path, body, field in cases:
        answer = shop.client(surface).post(path, body)
        assert (*answer.verdict, answer.fields) == (400, -2, [field]), path
    wrong_count = {"orderDetailId": goods.awaiting_id, "deliveryData": ["x", "y", "z"]}
    refused = shop.supplies.post("/Supplier/Orders/Deliver", wrong_count)
    assert (*refused.verdict, refused.fields) == (409, -500, ["deliveryData"])


@pytest.mark.parametrize(
    "url",
    ["", "hooks.example", "//hooks.example/x", "http:///x", "https://user:secret@hooks.example/", "https://h ooks/x",
     "javascript:alert(1)", "file:///etc/passwd", "https://h\u00f6oks.example/", "https://hooks.example:0/",
     "https://hooks.example:99999/", "https://[::1/", "https://hooks.example/\\x", "h" * 2001],
)  # fmt: skip
def test_a_webhook_url_that_cannot_be_reached_is_refused_at_once(shop: Shop, url: str) -> None:
    answer = shop.reseller.post("/Orders/Create", {**shop.order(), "notifyUrl": url})

    assert (*answer.verdict, answer.fields) == (400, -2, ["notifyUrl"])


def test_a_login_takes_its_fields_in_any_case_and_no_other_spelling(shop: Shop) -> None:
    body = {"EMAIL": shop.partner_email, "PassWord": PASSWORD}

    assert shop.client().post("/Login/Customer/Api/Verify", body).status == 200
    for wrong in ({**body, "email": "x"}, {"e_mail": "x", "PassWord": "y"}, {"email ": "x", "PassWord": "y"}):
        assert shop.client().post("/Login/Customer/Api/Verify", wrong).verdict == (400, -2)
