"""One route as an OpenAPI operation."""

import inspect
from typing import Any

import msgspec

from bedesten.apidocs.openapi import error_responses
from bedesten.apidocs.openapi.schemas import PREFIX, Schema
from bedesten.apidocs.site.reference import OperationDocs
from bedesten.gate.access import Access, Anonymous, AnyKey, Keyed, Open, Scoped, SignedIn
from bedesten.http.refusals import refusals
from bedesten.http.route import Route
from bedesten.http.schemas import EmptyBody, as_wire

BEARER, API_KEY = "bearerToken", "apiKey"
SCHEMES: dict[str, Schema] = {
    BEARER: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "`Authorization: Bearer <token>`, with the token of a login.",
    },
    API_KEY: {
        "type": "apiKey",
        "in": "header",
        "name": "ApiKey",
        "description": "The API key alone: no signature, no time stamp. It is shown once, when the operator creates it.",
    },
}
PARAMETERS: dict[str, Schema] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes it safe to repeat the request: for 30 days, the same content with the same value gets the "
        "first answer, byte for byte.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~](?:[ -~]*[!-~])?$"},
    },
    "Region": {
        "name": "h-region-code",
        "in": "header",
        "description": "The region whose products are shown and sold; the shop's own region by default.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9](?:[A-Za-z0-9-]{0,14}[A-Za-z0-9])$"},
    },
}
_ARGUMENT = "the id of the object"
_ID = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}


def operation(route: Route, body: Schema | None, docs: OperationDocs | None) -> Schema:
    """The operation. `body` is the schema of its request body; `answer_name` names the component of its answer."""
    made: Schema = {
        "operationId": route.operation,
        "tags": [tag(route)],
        "summary": route.summary,
        "description": description(route, docs),
        "security": security(route.access),
    }
    if taken := _parameters(route):
        made["parameters"] = taken
    if body is not None:
        made["requestBody"] = _request_body(route, body)
    made["responses"] = {"200": _success(route), **error_responses.responses(refusals(route))}
    return made


def tag(route: Route) -> str:
    """The group of the operation: the first segment of its path."""
    return route.words[0]


def answer_name(route: Route) -> str:
    """The name of the component with the whole successful answer."""
    return f"{route.operation[0].upper()}{route.operation[1:]}Answer"


def answer(data: Schema) -> Schema:
    """The envelope of success."""
    properties: Schema = {
        "success": {"type": "boolean", "const": True, "description": "true: the operation succeeded"},
        "message": {"type": "string", "description": "always `OK`"},
        "data": {"description": "the result of the operation", **data},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def security(access: Access) -> list[dict[str, list[str]]]:
    """The required scheme, with the scope or grant as its role. With `{}` among them, no credential is needed."""
    match access:
        case Scoped(_, scope):
            return [{BEARER: [scope]}]
        case SignedIn():
            return [{BEARER: []}]
        case Keyed(_, grant):
            return [{API_KEY: [grant]}]
        case AnyKey():
            return [{API_KEY: []}]
        case Anonymous():
            return [{}, {BEARER: []}]
        case Open():
            return []


def takes_body(route: Route) -> bool:
    """Whether the operation has a request body."""
    return route.method != "GET" and route.body is not EmptyBody


def argument(route: Route) -> str:
    """The name of the path's last segment if it is a parameter, or nothing."""
    return route.path.partition("{")[2].rstrip("}")


def description(route: Route, docs: OperationDocs | None) -> str:
    """The operation's text, required credential, older names, and largest body."""
    text = docs.text if docs else ""
    parts = [text or inspect.getdoc(route.handler.action) or "", _demand(route.access)]
    if route.aliases:
        older = ", ".join(f"`{route.method} {alias}`" for alias in route.aliases)
        parts.append(f"Older name, with the same credential: {older}.")
    if takes_body(route):
        parts.append(f"The body is at most {route.limit // 1024} KiB.")
    return "\n\n".join(part for part in parts if part)


def _demand(access: Access) -> str:
    match access:
        case Scoped(_, scope):
            return f"Requires a bearer token with the scope `{scope}`."
        case SignedIn():
            return "Requires a bearer token with any scopes."
        case AnyKey():
            return "Requires an API key with any grants."
        case Keyed(_, grant):
            return f"Requires an API key with the grant `{grant}`, or without any grants set."
        case Anonymous():
            return "Requires no credential, but a bearer token that is sent must be valid."
        case Open():
            return "Requires no credential and ignores `Authorization`."


def _parameters(route: Route) -> list[Schema]:
    made: list[Schema] = []
    if name := argument(route):
        path: Schema = {"name": name, "in": "path", "required": True, "description": _ARGUMENT, "schema": _ID}
        made.append(path | ({"example": route.example.argument} if route.example else {}))
    if route.repeatable:
        made.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if route.regional:
        made.append({"$ref": "#/components/parameters/Region"})
    return made


def _request_body(route: Route, schema: Schema) -> Schema:
    content: Schema = {"schema": schema}
    if route.example and route.example.body is not None:
        content["example"] = example_body(route)
    return {"required": _has_required(route), "content": {"application/json": content}}


def _has_required(route: Route) -> bool:
    return any(field.required for field in msgspec.structs.fields(route.body))


def _success(route: Route) -> Schema:
    content: Schema = {"schema": {"$ref": PREFIX + answer_name(route)}}
    if route.example:
        content["example"] = {"success": True, "message": "OK", "data": route.example.data}
    return {"description": "Success.", "headers": error_responses.headers(), "content": {"application/json": content}}


def example_body(route: Route) -> Any:
    """The example's body as a client sends it: in wire spelling, without fields at their defaults."""
    assert route.example is not None
    assert route.example.body is not None
    return as_wire(route.example.body)
