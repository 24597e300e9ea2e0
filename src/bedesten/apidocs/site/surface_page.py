"""The page of a surface, made from its route table, its OpenAPI document and the texts of the reference."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from markupsafe import Markup

from bedesten.apidocs import markdown
from bedesten.apidocs.markdown import Article, Heading, anchor_of
from bedesten.apidocs.site.guides import EXAMPLE_URL
from bedesten.apidocs.site.reference import OperationDocs
from bedesten.apidocs.site.request_builder import RequestForm, request_form, shortest
from bedesten.apidocs.site.schema import Field, Schemas
from bedesten.apidocs.templating import render
from bedesten.errors import ErrorCode
from bedesten.gate.access import Anonymous, Keyed, Open, Scoped
from bedesten.gate.scopes import Surface
from bedesten.http.refusals import ALWAYS, refusals
from bedesten.http.route import Route
from bedesten.http.schemas import encode

SURFACE_SUMMARIES = {
    Surface.RESELLER: "For partners' back ends: browse, order, read the codes.",
    Surface.STOREFRONT: "For web shops and apps of end customers: register, check out, read the codes.",
    Surface.PAYMENT: "For payment services and back offices: deposits of partners, payments of customers.",
    Surface.SUPPLIER: "For suppliers of the goods: products, stock codes, deliveries.",
}
_MEDIA_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as the page shows it. `right` is the scope or grant that it needs; `form` is there in a sandbox only."""

    route: Route
    anchor: str
    right: str
    no_right: str
    text: Markup
    argument_name: str
    request_fields: tuple[Field, ...]
    response_fields: tuple[Field, ...]
    curl: str
    response_example: str
    errors: tuple[ErrorCode, ...]
    form: RequestForm | None


def article(
    surface: Surface,
    routes: Sequence[Route],
    document: Mapping[str, Any],
    docs: Mapping[str, OperationDocs],
    sandbox: bool,
) -> Article:
    """The page. `routes` are the tenant's, all of them in the document; `docs` are the reference's texts by endpoint."""
    operations = [_operation(route, document, docs.get(route.endpoint), sandbox) for route in routes]
    body = render(
        "surface.html",
        surface=surface,
        summary=SURFACE_SUMMARIES[surface],
        operations=operations,
        common_errors=ALWAYS,
        sandbox=sandbox,
    )
    chapters = tuple(Heading(2, one.route.summary, one.anchor) for one in operations)
    return Article(f"{surface.value.title()} operations", body, chapters)


def request_schema(document: Mapping[str, Any], route: Route) -> Mapping[str, Any] | None:
    """The schema of the route's request body, or None."""
    content = _request_content(document, route)
    schema: Mapping[str, Any] | None = content["schema"] if content else None
    return schema


def response_schema(document: Mapping[str, Any], route: Route) -> Mapping[str, Any]:
    """The schema of `data` in the route's answer."""
    name = _response_content(document, route)["schema"]["$ref"]
    data: Mapping[str, Any] = document["components"]["schemas"][name.rpartition("/")[2]]["properties"]["data"]
    return data


def _operation(route: Route, document: Mapping[str, Any], docs: OperationDocs | None, sandbox: bool) -> Operation:
    schemas = Schemas(document["components"]["schemas"])
    request, response = request_schema(document, route), response_schema(document, route)
    example = _request_example(_request_content(document, route), schemas)
    answer = _response_content(document, route).get("example")
    argument = route.example.argument if route.example else ""
    body = "" if example is None else _json(shortest(example))
    right, no_right = _right(route)
    return Operation(
        route=route,
        anchor=anchor_of(route.endpoint),
        right=right,
        no_right=no_right,
        text=markdown.fragment("", docs.text, lambda _: None) if docs else Markup(),
        argument_name=route.path.partition("{")[2].rstrip("}"),
        request_fields=schemas.fields(request, docs.request_fields if docs else {}, in_request=True) if request else (),
        response_fields=schemas.fields(response, docs.response_fields if docs else {}, in_request=False),
        curl=_curl(route, argument, example),
        response_example=_json(answer or {"success": True, "message": "OK", "data": schemas.example(response)}),
        errors=tuple(error for error in refusals(route) if error not in ALWAYS),
        form=request_form(route, argument, body) if sandbox else None,
    )


def _described(document: Mapping[str, Any], route: Route) -> Mapping[str, Any]:
    found: Mapping[str, Any] = document["paths"][route.path][route.method.lower()]
    return found


def _request_content(document: Mapping[str, Any], route: Route) -> Mapping[str, Any] | None:
    content: Mapping[str, Any] | None = (
        _described(document, route).get("requestBody", {}).get("content", {}).get(_MEDIA_TYPE)
    )
    return content


def _response_content(document: Mapping[str, Any], route: Route) -> Mapping[str, Any]:
    content: Mapping[str, Any] = _described(document, route)["responses"]["200"]["content"][_MEDIA_TYPE]
    return content


def _right(route: Route) -> tuple[str, str]:
    """The scope or grant that the route needs; else the words in its place."""
    match route.access:
        case Scoped(_, right) | Keyed(_, right):
            return right, ""
        case Anonymous() | Open():
            return "", "none"
        case _:
            return "", "any"


def _request_example(content: Mapping[str, Any] | None, schemas: Schemas) -> object:
    if content is None:
        return None
    if "example" in content:
        return content["example"]
    found, _ = schemas.resolved(content["schema"])
    required = found.get("required", ())
    return {name: schemas.example(one) for name, one in found["properties"].items() if name in required}


def _curl(route: Route, argument: str, example: object) -> str:
    """The example as a command for a shell."""
    path, brace, name = route.path.partition("{")
    if brace:
        path += argument or name.rstrip("}").upper()
    lines = [f"curl -s {shlex.quote(EXAMPLE_URL + path)}"]
    if route.method == "POST" and example is None:
        lines[0] = lines[0].replace("curl -s", "curl -s -X POST")
    if isinstance(route.access, Keyed):
        lines.append('-H "ApiKey: $API_KEY"')
    elif not isinstance(route.access, Open | Anonymous):
        lines.append('-H "Authorization: Bearer $TOKEN"')
    if example is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(_json(example))}"]
    return " \\\n  ".join(lines)


def _json(value: object) -> str:
    return msgspec.json.format(encode(value), indent=2).decode()
