"""One route as an operation."""

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
        "description": "The API key, alone: no signature, no time stamp. It is shown once, when the operator makes it.",
    },
}
PARAMETERS: dict[str, Schema] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes it safe to send the call again: the same content under the same key gets the first answer, "
        "byte for byte, for 30 days.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~](?:[ -~]*[!-~])?$"},
    },
    "Region": {
        "name": "h-region-code",
        "in": "header",
        "description": "Which regional products are shown and sold; without it the shop's own region.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9](?:[A-Za-z0-9-]{0,14}[A-Za-z0-9])$"},
    },
}
_ARGUMENT = "the id of what is asked for"
_ID = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}


def operation(route: Route, body: Schema | None, docs: OperationDocs | None) -> Schema:
    """The operation. `body` is the schema of what it takes; its answer's is the component `answer_name` names."""
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
    """What the operation is about."""
    return route.words[0]


def answer_name(route: Route) -> str:
    """The component with the whole of a successful answer."""
    return f"{route.operation[0].upper()}{route.operation[1:]}Answer"


def answer(data: Schema) -> Schema:
    """The envelope of success."""
    properties: Schema = {
        "success": {"type": "boolean", "const": True, "description": "true: it was done"},
        "message": {"type": "string", "description": "always `OK`"},
        "data": {"description": "what the operation answers", **data},
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def security(access: Access) -> list[dict[str, list[str]]]:
    """What is asked for, with the scope or grant as its role; with `{}` among them, nothing will do as well."""
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
    """Whether there is anything to send."""
    return route.method != "GET" and route.body is not EmptyBody


def argument(route: Route) -> str:
    """The name of what ends the path, or nothing."""
    return route.path.partition("{")[2].rstrip("}")


def description(route: Route, docs: OperationDocs | None) -> str:
    """What it does, what it asks for, its older names, and how much it takes."""
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
            return f"Asks for a bearer token with the scope `{scope}`."
        case SignedIn():
            return "Asks for a bearer token, whatever its scopes."
        case AnyKey():
            return "Asks for an API key, whatever its grants."
        case Keyed(_, grant):
            return f"Asks for an API key with the grant `{grant}`, or one that was not narrowed."
        case Anonymous():
            return "Asks for no credential; a bearer token that is sent all the same must be valid."
        case Open():
            return "Asks for no credential; an `Authorization` header is not looked at."


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
        content["example"] = sent(route)
    return {"required": _has_required(route), "content": {"application/json": content}}


def _has_required(route: Route) -> bool:
    return any(field.required for field in msgspec.structs.fields(route.body))


def _success(route: Route) -> Schema:
    content: Schema = {"schema": {"$ref": PREFIX + answer_name(route)}}
    if route.example:
        content["example"] = {"success": True, "message": "OK", "data": route.example.data}
    return {"description": "Done.", "headers": error_responses.headers(), "content": {"application/json": content}}


def sent(route: Route) -> Any:
    """The example's body as a client writes it: in the wire's spelling, without what is left at its default."""
    assert route.example is not None
    assert route.example.body is not None
    return as_wire(route.example.body)
