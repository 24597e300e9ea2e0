"""The documents are valid OpenAPI 3.1, agree with the routes, and keep operation names."""

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from bedesten import errors
from bedesten.apidocs.openapi.error_responses import name_of
from bedesten.errors import CATALOGUE
from bedesten.gate.access import Anonymous, Keyed, Open, Scoped, SignedIn
from bedesten.gate.scopes import Surface
from bedesten.http.body_fields import camel
from bedesten.http.refusals import refusals
from bedesten.http.route import Route
from bedesten.http.schemas import EmptyBody, decode_body, parse
from bedesten.surfaces.operations import ROUTES
from tests.support.documents import DOCS, section
from tests.support.schema import DOCUMENTS, JSON, PROBLEM, Described, Document

GOLDEN = Path(__file__).parent / "golden" / "operations.txt"
SURFACES = list(Surface)
by_endpoint = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.endpoint)


def described(route: Route) -> Described:
    assert route.access.surface is not None
    return DOCUMENTS[route.access.surface].operations[route.method, route.path]


@pytest.mark.parametrize("surface", SURFACES)
def test_the_document_is_valid(surface: Surface) -> None:
    text = json.loads(json.dumps(DOCUMENTS[surface].value, default=float))
    assert [error.message for error in OpenAPIV31SpecValidator(text).iter_errors()] == []
    assert text["openapi"] == "3.1.0"
    assert text["servers"] == [{"url": "https://api.shop.example"}]


def test_the_documents_have_exactly_the_operations_of_the_tables() -> None:
    outcome = [name for document in DOCUMENTS.values() for name in document.operations]
    assert sorted(outcome) == sorted((route.method, route.path) for route in ROUTES)


def test_operation_names_are_permanent() -> None:
    named = "".join(f"{route.access.surface} {route.operation} {route.endpoint}\n" for route in ROUTES)
    assert named == GOLDEN.read_text("utf-8"), "clients are generated with these names: only add to them"
    for surface in SURFACES:
        names = [route.operation for route in ROUTES if route.access.surface is surface]
        assert len({name.lower() for name in names}) == len(names)


@by_endpoint
def test_the_security_of_an_operation_is_the_access_of_its_route(route: Route) -> None:
    outcome: list[dict[str, list[str]]] = list(described(route).operation["security"])
    match route.access:
        case Scoped(_, right):
            assert outcome == [{"bearerToken": [right]}]
        case SignedIn():
            assert outcome == [{"bearerToken": []}]
        case Keyed(_, right):
            assert outcome == [{"apiKey": [right]}]
        case Anonymous():
            assert outcome == [{}, {"bearerToken": []}]
        case Open():
            assert outcome == []


def test_each_document_defines_only_the_scheme_of_its_surface() -> None:
    for surface, document in DOCUMENTS.items():
        (scheme,) = document.value["components"]["securitySchemes"].items()
        outcome = {key: value for key, value in scheme[1].items() if key != "description"}
        if surface.uses_tokens:
            assert (scheme[0], outcome) == ("bearerToken", {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"})
        else:
            assert (scheme[0], outcome) == ("apiKey", {"type": "apiKey", "in": "header", "name": "ApiKey"})


@by_endpoint
def test_every_refusal_of_a_route_has_a_valid_example(route: Route) -> None:
    operation = described(route)
    for status in {code.status for code in refusals(route)}:
        rows = [code for code in refusals(route) if code.status == status]
        content = operation.response(status)["content"]
        for kind in (JSON, PROBLEM):
            assert list(content[kind]["examples"]) == [code.name for code in rows]
            for code in rows:
                value = content[kind]["examples"][code.name]["value"]
                assert operation.document.faults(content[kind]["schema"], value) == []
                assert value["code"] == code.number
    assert set(operation.operation["responses"]) == {"200", *(str(code.status) for code in refusals(route))}


def test_a_failure_matches_exactly_one_schema() -> None:
    """Clients tell failures apart by `code`: no two schemas accept the same document."""
    for document in DOCUMENTS.values():
        names = [
            name_of(code) for code in CATALOGUE.values() if name_of(code) in document.value["components"]["schemas"]
        ]
        for operation in document.operations.values():
            for status, response in operation.operation["responses"].items():
                if status != "200":
                    for example in document.resolved(response)["content"][JSON]["examples"].values():
                        fitting = [
                            name
                            for name in names
                            if not document.faults({"$ref": f"#/components/schemas/{name}"}, example["value"])
                        ]
                        assert len(fitting) == 1


PROVING_A_PASSWORD = ("/Storefront/Customers/Password", "/Storefront/Customers/Email/Change")
"""Operations that ask for the password although the caller has a token."""


@by_endpoint
def test_credential_refusals_are_listed_only_where_one_is_required(route: Route) -> None:
    outcome = {code.number for code in refusals(route)}
    bearer = isinstance(route.access, Scoped | SignedIn | Anonymous)
    assert ({-20, -21, -22} <= outcome) is bearer
    assert (-24 in outcome) is isinstance(route.access, Scoped | SignedIn)
    assert ({-23, -25} <= outcome) is isinstance(route.access, Keyed)
    assert ({-26, -27} <= outcome) is (isinstance(route.access, Open) or route.path in PROVING_A_PASSWORD)
    assert {-1, -2, -7, -9, -10} <= outcome
    assert ({-5, -6} <= outcome) is (route.method != "GET")


@by_endpoint
def test_examples_match_the_schemas_and_the_server(route: Route) -> None:
    operation = described(route)
    document = operation.document
    assert route.example is not None
    content = operation.response(200)["content"][JSON]
    assert document.faults(content["schema"], content["example"]) == []
    if route.body is EmptyBody:
        assert operation.body is None
    else:
        assert operation.body is not None
        assert document.faults(operation.body["schema"], operation.body["example"]) == []
        sent = json.dumps(operation.body["example"], default=float).encode()
        assert decode_body(parse(sent), route.body) == route.example.body
    assert bool(route.example.argument) is ("{" in route.path)


@by_endpoint
def test_request_headers_are_listed_where_the_server_evaluates_them(route: Route) -> None:
    names = {
        outcome.get("name", outcome.get("$ref", "")).rpartition("/")[2]
        for outcome in described(route).operation.get("parameters", ())
    }
    assert ("IdempotencyKey" in names) is route.repeatable
    assert ("Region" in names) is ("context.region" in inspect.getsource(route.handler.action))


@by_endpoint
def test_every_answer_lists_its_headers(route: Route) -> None:
    operation = described(route)
    for status in operation.operation["responses"]:
        names = set(operation.response(int(status))["headers"])
        assert {"X-Request-Id", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"} <= names
        assert ("Retry-After" in names) is (status in ("429", "503"))
        assert ("WWW-Authenticate" in names) is (status == "401" or (status == "403" and operation_is_bearer(route)))


def operation_is_bearer(route: Route) -> bool:
    return route.access.surface is not None and route.access.surface.uses_tokens


@by_endpoint
def test_all_members_of_an_answer_are_required(route: Route) -> None:
    """The server omits no member, so generated clients need no check for a missing one."""
    document = described(route).document
    waiting: list[Any] = [described(route).response(200)["content"][JSON]["schema"]]
    while waiting:
        schema = document.resolved(waiting.pop())
        assert set(schema.get("properties", {})) == set(schema.get("required", []))
        waiting += [*schema.get("properties", {}).values(), *schema.get("anyOf", ())]
        if "items" in schema:
            waiting.append(schema["items"])


def members(document: Document) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every member of every schema by its path."""
    for name, schema in document.value["components"]["schemas"].items():
        for member, outcome in schema.get("properties", {}).items():
            yield f"{name}.{member}", outcome


@pytest.mark.parametrize("surface", SURFACES)
def test_every_member_of_every_schema_has_a_description(surface: Surface) -> None:
    document = DOCUMENTS[surface]
    outcome = {name: {**document.resolved(one), **one}.get("description", "") for name, one in members(document)}

    assert [name for name, text in outcome.items() if not text.strip()] == []
    assert [name for name, text in outcome.items() if "](" in text] == [], "generators take it for no Markdown"


@by_endpoint
def test_operations_and_fields_have_the_texts_of_the_reference(route: Route) -> None:
    operation = described(route)
    text = section(DOCS / "reference" / f"{route.access.surface}.md", f"## {route.endpoint}")
    first = text.strip().partition("\n\n")[0]
    fields = text.partition("| field | meaning |")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `(\w+)(?:\[\])?` \| (.+) \|$", fields, re.MULTILINE))

    assert first.startswith("| ") or without_links(first) in without_links(operation.operation["description"])
    if operation.body is not None:
        schema = operation.document.resolved(operation.body["schema"])
        assert {name: one["description"] for name, one in schema["properties"].items()} == rows


def without_links(text: str) -> str:
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)


@by_endpoint
def test_a_default_value_is_named_in_the_description(route: Route) -> None:
    operation = described(route)
    schema = operation.document.resolved(operation.body["schema"]) if operation.body else {"properties": {}}
    for field in msgspec.structs.fields(route.body):
        outcome = schema["properties"].get(camel(field.name), {})
        assert "default" not in outcome, "generators of TypeScript take it for one that must be sent"
        if field.default not in (msgspec.NODEFAULT, None, ""):
            written = f"{field.default:,}" if type(field.default) is int else json.dumps(field.default)
            assert written in outcome["description"]


def test_links_in_descriptions_point_to_the_same_host() -> None:
    text = str(DOCUMENTS[Surface.RESELLER].operations["POST", "/Orders/Create"].operation["description"])
    assert "[webhook](https://api.shop.example/documentation/guides/webhooks)" in text


@pytest.mark.parametrize("surface", SURFACES)
def test_every_enumeration_has_a_type(surface: Surface) -> None:
    waiting: list[Any] = [DOCUMENTS[surface].value["components"]["schemas"]]
    found = 0
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            waiting += part.values()
            if isinstance(part.get("enum"), list):
                kind = {str: "string", int: "integer"}[type(part["enum"][0])]
                assert part["type"] == kind, part
                found += 1
    assert found > 2


def test_every_schema_is_used() -> None:
    for document in DOCUMENTS.values():
        text = json.dumps(document.value, default=float)
        unused = [name for name in document.value["components"]["schemas"] if f'schemas/{name}"' not in text]
        assert unused == []


def test_the_data_of_a_refused_order_has_a_schema() -> None:
    document = DOCUMENTS[Surface.RESELLER]
    schema = document.value["components"]["schemas"][name_of(errors.NOT_ORDERABLE)]
    assert schema["properties"]["data"]["$ref"] == "#/components/schemas/NotOrdered"
    (reason,) = [document.value["components"]["schemas"]["NotOrderableReason"]["enum"]]
    assert "outOfStock" in reason
