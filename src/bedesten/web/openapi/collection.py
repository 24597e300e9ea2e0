"""A surface as a Postman collection (format v2.1), and as lines for a shell: what one sends to see that it works."""

import shlex
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from bedesten.gate.access import Open
from bedesten.gate.scopes import Surface
from bedesten.web.openapi import operations
from bedesten.web.openapi.operations import argument, sent, takes_body
from bedesten.web.route import Route
from bedesten.web.shapes import encode

FORMAT = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_JSON = {"key": "Content-Type", "value": "application/json"}
_KEEP_TOKEN = "pm.collectionVariables.set('token', pm.response.json().data.token);"  # noqa: S105
"""Runs in Postman after a login, so that what follows is sent with the token."""


def collection(routes: Sequence[Route], surface: Surface, server_url: str) -> dict[str, Any]:
    """The Postman collection of those routes that are the surface's. Its one secret is an empty variable."""
    own = [route for route in routes if route.access.surface is surface]
    secret = "token" if surface.uses_tokens else "apiKey"
    return {
        "info": {
            "name": f"{surface.value.capitalize()} surface",
            "description": f"{server_url}/documentation/guides/authentication",
            "schema": FORMAT,
        },
        "auth": _auth(surface),
        "variable": [{"key": "baseUrl", "value": server_url}, {"key": secret, "value": ""}],
        "item": [
            {"name": name, "item": [_item(route) for route in group]}
            for name, group in groupby(own, key=operations.tag)
        ],
    }


def curl_lines(routes: Sequence[Route], surface: Surface, server_url: str) -> str:
    """A line for a shell for each of those routes that are the surface's, behind the variables that it needs."""
    own = [route for route in routes if route.access.surface is surface]
    return "\n".join([*_preamble(own, surface, server_url), *(_curl(route) for route in own)]) + "\n"


def _auth(surface: Surface) -> dict[str, Any]:
    if surface.uses_tokens:
        return {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]}
    told = {"key": "ApiKey", "value": "{{apiKey}}", "in": "header"}
    return {"type": "apikey", "apikey": [{"key": key, "value": value, "type": "string"} for key, value in told.items()]}


def _item(route: Route) -> dict[str, Any]:
    name = argument(route)
    path = [f":{name}" if part.startswith("{") else part for part in route.path.split("/")[1:]]
    url: dict[str, Any] = {"raw": "{{baseUrl}}/" + "/".join(path), "host": ["{{baseUrl}}"], "path": path}
    if name:
        url["variable"] = [{"key": name, "value": route.example.argument if route.example else ""}]
    request: dict[str, Any] = {
        "method": route.method,
        "header": [_JSON] if takes_body(route) else [],
        "url": url,
        "description": operations.description(route),
    }
    if takes_body(route):
        request["body"] = {"mode": "raw", "raw": _body(route), "options": {"raw": {"language": "json"}}}
    if isinstance(route.access, Open):
        request["auth"] = {"type": "noauth"}
    item: dict[str, Any] = {"name": route.summary, "request": request, "response": []}
    if _gives_token(route):
        item["event"] = [{"listen": "test", "script": {"type": "text/javascript", "exec": [_KEEP_TOKEN]}}]
    return item


def _gives_token(route: Route) -> bool:
    return getattr(route.answers, "__name__", "") == "Token"


def _body(route: Route) -> str:
    return encode(sent(route)).decode()


def _preamble(routes: Sequence[Route], surface: Surface, server_url: str) -> Iterator[str]:
    yield f"# The {surface.value.capitalize()} surface. Say where it is and who you are, then send a line."
    yield f"URL={shlex.quote(server_url)}"
    if surface.uses_tokens:
        login = next((route.path for route in routes if isinstance(route.access, Open)), "")
        yield f"TOKEN='data.token of {login}'"
    else:
        yield "API_KEY='the API key, as it was shown once'"


def _curl(route: Route) -> str:
    path = route.path.partition("{")[0] + (route.example.argument if route.example and argument(route) else "")
    parts = [f'curl -sS "$URL{path}"']
    if route.method != "GET" and not takes_body(route):
        parts.append(f"-X {route.method}")
    if not isinstance(route.access, Open):
        uses_tokens = route.access.surface is not None and route.access.surface.uses_tokens
        parts.append('-H "Authorization: Bearer $TOKEN"' if uses_tokens else '-H "ApiKey: $API_KEY"')
    if takes_body(route):
        parts += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(_body(route))}"]
    return f"\n# {route.summary}\n{' '.join(parts)}"
