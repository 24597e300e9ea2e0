"""A surface as a Postman collection (format v2.1), and as lines for a shell: what one sends to see that it works."""

import shlex
from collections.abc import Mapping, Sequence
from itertools import groupby, takewhile
from typing import Any

from bedesten.apidocs.openapi import operations
from bedesten.apidocs.openapi.operations import argument, sent, takes_body
from bedesten.apidocs.site.reference import OperationDocs
from bedesten.gate.access import Anonymous, Open
from bedesten.gate.scopes import Surface
from bedesten.http.route import Route
from bedesten.http.shapes import encode

FORMAT = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_JSON = {"key": "Content-Type", "value": "application/json"}
_KEEP_TOKEN = "pm.collectionVariables.set('token', pm.response.json().data.token);"  # noqa: S105
"""Runs in Postman after a login, so that what follows is sent with the token."""
_TOKEN_IN = """sed -n 's/.*"token":"\\([^"]*\\)".*/\\1/p'"""  # noqa: S105
"""Cuts the token out of the answer to a login."""


def collection(
    routes: Sequence[Route], surface: Surface, server_url: str, told: Mapping[str, OperationDocs]
) -> dict[str, Any]:
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
            {"name": name, "item": [_item(route, told.get(route.endpoint)) for route in group]}
            for name, group in groupby(own, key=operations.tag)
        ],
    }


def curl_lines(routes: Sequence[Route], surface: Surface, server_url: str) -> str:
    """A line for a shell for each of those routes that are the surface's, behind the variables that it needs.

    What the environment says of these counts. The credential is asked for where the first line needs it, so that what
    needs none works without.
    """
    own = [route for route in routes if route.access.surface is surface]
    free = list(takewhile(_needs_nothing, own))
    parts = [
        _preamble(surface, server_url),
        *map(_curl, free),
        _credential(own, surface),
        *map(_curl, own[len(free) :]),
    ]
    return "\n\n".join(parts) + "\n"


def _auth(surface: Surface) -> dict[str, Any]:
    if surface.uses_tokens:
        return {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}]}
    told = {"key": "ApiKey", "value": "{{apiKey}}", "in": "header"}
    return {"type": "apikey", "apikey": [{"key": key, "value": value, "type": "string"} for key, value in told.items()]}


def _item(route: Route, said: OperationDocs | None) -> dict[str, Any]:
    name = argument(route)
    path = [f":{name}" if part.startswith("{") else part for part in route.path.split("/")[1:]]
    url: dict[str, Any] = {"raw": "{{baseUrl}}/" + "/".join(path), "host": ["{{baseUrl}}"], "path": path}
    if name:
        url["variable"] = [{"key": name, "value": route.example.argument if route.example else ""}]
    request: dict[str, Any] = {
        "method": route.method,
        "header": [_JSON] if takes_body(route) else [],
        "url": url,
        "description": operations.description(route, said),
    }
    if takes_body(route):
        request["body"] = {"mode": "raw", "raw": _body(route), "options": {"raw": {"language": "json"}}}
    if _needs_nothing(route):
        request["auth"] = {"type": "noauth"}
    item: dict[str, Any] = {"name": route.summary, "request": request, "response": []}
    if _gives_token(route):
        item["event"] = [{"listen": "test", "script": {"type": "text/javascript", "exec": [_KEEP_TOKEN]}}]
    return item


def _needs_nothing(route: Route) -> bool:
    return isinstance(route.access, Anonymous | Open)


def _gives_token(route: Route) -> bool:
    return getattr(route.answers, "__name__", "") == "Token"


def _body(route: Route) -> str:
    return encode(sent(route)).decode()


def _preamble(surface: Surface, server_url: str) -> str:
    variables = "URL, TOKEN" if surface.uses_tokens else "URL, API_KEY"
    return f"""\
# The {surface.value.capitalize()} surface: a call for each operation. Paste these lines, then the call that you want.
# The environment counts where it has them: {variables}.

URL=${{URL:-{shlex.quote(server_url)}}}"""


def _credential(routes: Sequence[Route], surface: Surface) -> str:
    """The lines that say who one is."""
    if not surface.uses_tokens:
        return "API_KEY=${API_KEY:?the API key, as it was shown once}"
    login = next((route for route in routes if isinstance(route.access, Open) and _gives_token(route)), None)
    if login is None:
        return "TOKEN=${TOKEN:?a bearer token of this surface}"
    return f"""\
# The token of the calls below. Replace: {", ".join(_samples(login))}
TOKEN=${{TOKEN:-$({_call(login)} | {_TOKEN_IN})}}
TOKEN=${{TOKEN:?the login gave none}}"""


def _curl(route: Route) -> str:
    samples = _samples(route)
    told = f". Replace: {', '.join(samples)}" if samples else ""
    return f"# {route.summary}{told}\n{_call(route)}"


def _samples(route: Route) -> list[str]:
    """The names of what only stands for a value of the reader's own: every text."""
    found = [argument(route)] if argument(route) else []
    waiting: list[tuple[str, Any]] = [("", sent(route))] if takes_body(route) else []
    while waiting:
        name, value = waiting.pop(0)
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(name, part) for part in value]
        elif isinstance(value, str):
            found.append(name)
    return list(dict.fromkeys(found))


def _call(route: Route) -> str:
    path = route.path.partition("{")[0] + (route.example.argument if route.example and argument(route) else "")
    parts = ["curl -sS -w '\\n'", f'"$URL{path}"']
    if route.method != "GET" and not takes_body(route):
        parts.append(f"-X {route.method}")
    if not _needs_nothing(route):
        uses_tokens = route.access.surface is not None and route.access.surface.uses_tokens
        parts.append('-H "Authorization: Bearer $TOKEN"' if uses_tokens else '-H "ApiKey: $API_KEY"')
    if takes_body(route):
        parts += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(_body(route))}"]
    return " ".join(parts)
