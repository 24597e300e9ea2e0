"""The page of a surface: every operation with what it takes, answers and refuses, from the surface's OpenAPI document."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bedesten.apidocs import markdown
from bedesten.apidocs.markdown import Article, Heading, anchor_of
from bedesten.apidocs.site import request_builder
from bedesten.apidocs.site.guides import EXAMPLE_URL
from bedesten.apidocs.site.layout import HOME
from bedesten.apidocs.site.markup import Markup, block, code, el, join, link, table
from bedesten.apidocs.site.reference import OperationDocs
from bedesten.apidocs.site.schema import Schemas
from bedesten.errors import ErrorRow
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
_GUIDE = f"{HOME}/guides/authentication"
_MEDIA = "application/json"


def article(
    surface: Surface,
    routes: Sequence[Route],
    document: Mapping[str, Any],
    told: Mapping[str, OperationDocs],
    sandbox: bool,
) -> Article:
    """The page. `routes` are those that the tenant has, all of them in the document; `told` is the hand-written part."""
    title = f"{surface.value.title()} operations"
    schemas = Schemas(document["components"]["schemas"])
    chapters = tuple(Heading(2, route.summary, anchor_of(route.endpoint)) for route in routes)
    body = join(
        [
            el("h1", title),
            el("p", SURFACE_SUMMARIES[surface], class_="lead"),
            _credential(surface),
            _overview(surface, routes),
            _common(surface),
            request_builder.credential(surface) if sandbox else None,
            [_operation(route, document, schemas, told, sandbox) for route in routes],
        ]
    )
    return Article(title, body, chapters)


def _credential(surface: Surface) -> Markup:
    if surface.uses_tokens:
        return el(
            "p",
            "Send ", code("Authorization: Bearer …"), " with every call that needs a scope. ",
            link(f"{_GUIDE}#getting-a-bearer-token", "Getting a bearer token"), ".",
        )  # fmt: skip
    return el(
        "p",
        "Send ", code("ApiKey: …"), " with every call. ", link(f"{_GUIDE}#getting-an-api-key", "Getting an API key"), ".",
    )  # fmt: skip


def _overview(surface: Surface, routes: Sequence[Route]) -> Markup:
    rows = [
        (link(f"#{anchor_of(route.endpoint)}", route.summary), code(route.endpoint), _needs(route)) for route in routes
    ]
    return table(("what it does", "operation", "scope" if surface.uses_tokens else "grant"), rows, "Operations")


def _common(surface: Surface) -> Markup:
    """What every operation can be answered with, said once."""
    return el(
        "p",
        "Whatever is called, the answer can be ", _listed(ALWAYS), ". Names, times, amounts, pages and repetitions are the "
        "same everywhere: ", link(f"{HOME}/guides/conventions", "conventions"), ". The same as a document for tools: ",
        link(f"/openapi/{surface.value}.json", f"{surface.value}.json"), ".",
    )  # fmt: skip


def _operation(
    route: Route, document: Mapping[str, Any], schemas: Schemas, told: Mapping[str, OperationDocs], sandbox: bool
) -> Markup:
    operation = _described(document, route)
    anchor = anchor_of(route.endpoint)
    said = told.get(route.endpoint)
    content = operation.get("requestBody", {}).get("content", {}).get(_MEDIA)
    answer = operation["responses"]["200"]["content"][_MEDIA]
    data = answered(document, route)
    takes = schemas.fields(content["schema"], said.taken if said else {}, sent=True) if content else None
    given = schemas.fields(data, said.given if said else {}, sent=False)
    sent = _sent(content, schemas)
    sample = answer.get("example") or {"success": True, "message": "OK", "data": schemas.sample(data)}
    return el(
        "section",
        el("h2", route.summary, id=anchor),
        el("p", el("span", route.method, class_="method"), code(route.path), class_="endpoint"),
        markdown.fragment("", said.text, lambda _: None) if said else None,
        _facts(route),
        [el("h3", "It takes"), _path(route), takes] if takes or "{" in route.path else None,
        block(_curl(route, sent), f"{route.summary} with curl"),
        [el("h3", "It answers"), el("p", "In ", code("data"), ":"), given] if given else None,
        el("details", el("summary", "A sample"), block(_written(sample), "A sample of the answer"), class_="sample"),
        el("h3", "It refuses"),
        _refused(route),
        request_builder.form(
            route, _argument(route), _written(request_builder.shortest(sent)) if sent is not None else ""
        )
        if sandbox
        else None,
        aria_labelledby=anchor,
    )


def _described(document: Mapping[str, Any], route: Route) -> Mapping[str, Any]:
    found: Mapping[str, Any] = document["paths"][route.path][route.method.lower()]
    return found


def taken(document: Mapping[str, Any], route: Route) -> Mapping[str, Any] | None:
    """The schema of the body that the route takes, if it takes one."""
    content = _described(document, route).get("requestBody", {}).get("content", {}).get(_MEDIA)
    found: Mapping[str, Any] | None = content["schema"] if content else None
    return found


def answered(document: Mapping[str, Any], route: Route) -> Mapping[str, Any]:
    """The schema of what the route answers in `data`."""
    name = _described(document, route)["responses"]["200"]["content"][_MEDIA]["schema"]["$ref"]
    data: Mapping[str, Any] = document["components"]["schemas"][name.rpartition("/")[2]]["properties"]["data"]
    return data


def _path(route: Route) -> Markup | None:
    """What ends the path, where something does."""
    name = route.path.partition("{")[2].rstrip("}")
    return el("p", "In the path: ", code(name), ", the id of what is asked for.") if name else None


def _facts(route: Route) -> Markup:
    facts: list[tuple[str, Markup | str]] = [("Needs", _demanded(route))]
    if route.aliases:
        facts.append(("Older names", join([[code(f"{route.method} {one}"), " "] for one in route.aliases])))
    if route.repeatable:
        facts.append(("Repeating", join([code("Idempotency-Key"), " gets the first answer again"])))
    if route.regional:
        facts.append(("Region", join([code("h-region-code"), " chooses it; without it the shop's own"])))
    return el("dl", [[el("dt", name), el("dd", fact)] for name, fact in facts], class_="facts")


def _demanded(route: Route) -> Markup:
    match route.access:
        case Scoped(_, scope):
            return join(["a bearer token with the scope ", code(scope)])
        case Keyed(_, grant):
            return join(["an API key with the grant ", code(grant), ", or one that was not narrowed"])
        case Anonymous():
            return join("nothing; a bearer token that is sent all the same must be valid")
        case Open():
            return join(["nothing; ", code("Authorization"), " is not looked at"])
        case _:
            return join("a bearer token, whatever its scopes")


def _needs(route: Route) -> Markup:
    match route.access:
        case Scoped(_, right) | Keyed(_, right):
            return code(right)
        case Anonymous() | Open():
            return join("none")
        case _:
            return join("any")


def _refused(route: Route) -> Markup:
    rows = [row for row in refusals(route) if row not in ALWAYS]
    cells = [(_named(row), str(row.status), row.text) for row in rows]
    return table(("code", "status", "what it means"), cells, "Refusals") if cells else el("p", "Nothing of its own.")


def _listed(rows: Sequence[ErrorRow]) -> Markup:
    last = len(rows) - 1
    return join(
        [[_named(row), "" if at == last else " or " if at == last - 1 else ", "] for at, row in enumerate(rows)]
    )


def _named(row: ErrorRow) -> Markup:
    return link(f"{HOME}/errors/{row.number}", f"{row.number} {row.name}")


def _argument(route: Route) -> str:
    return route.example.argument if route.example else ""


def _sent(content: Mapping[str, Any] | None, schemas: Schemas) -> object:
    if content is None:
        return None
    if "example" in content:
        return content["example"]
    found, _ = schemas.resolved(content["schema"])
    required = found.get("required", ())
    return {name: schemas.sample(one) for name, one in found["properties"].items() if name in required}


def _curl(route: Route, sent: object) -> str:
    """The call as lines for a shell."""
    path = route.path.partition("{")[0]
    if "{" in route.path:
        path += _argument(route) or route.path.partition("{")[2].rstrip("}").upper()
    lines = [f"curl -s {shlex.quote(EXAMPLE_URL + path)}"]
    if route.method == "POST" and sent is None:
        lines[0] = lines[0].replace("curl -s", "curl -s -X POST")
    if isinstance(route.access, Keyed):
        lines.append('-H "ApiKey: $API_KEY"')
    elif not isinstance(route.access, Open | Anonymous):
        lines.append('-H "Authorization: Bearer $TOKEN"')
    if sent is not None:
        lines += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(_written(sent))}"]
    return " \\\n  ".join(lines)


def _written(value: object) -> str:
    return msgspec.json.format(encode(value), indent=2).decode()
