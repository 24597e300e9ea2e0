"""A surface as an OpenAPI 3.1 document."""

from collections.abc import Mapping, Sequence
from typing import Any

from bedesten import __version__
from bedesten.apidocs.openapi import error_responses, operations
from bedesten.apidocs.openapi.descriptions import describe
from bedesten.apidocs.openapi.error_responses import DETAILS
from bedesten.apidocs.openapi.schemas import Schema, schemas
from bedesten.apidocs.site.reference import OperationDocs
from bedesten.errors import ErrorCode
from bedesten.gate.scopes import Surface
from bedesten.http.refusals import refusals
from bedesten.http.route import Route

VERSION = "3.1.0"
_CALLERS = {
    Surface.RESELLER: "Partners' back ends order here, with a bearer token from *Generate Token*.",
    Surface.STOREFRONT: "Web shops and apps of end customers, with a bearer token from the customer login.",
    Surface.PAYMENT: "Trusted payment services and back offices, with an API key.",
    Surface.SUPPLIER: "Trusted suppliers of the goods, with an API key.",
}
_CONVENTIONS = """
Paths and member names are matched without regard to case. `null` for an optional member is the same as leaving it out.
Operations that change something refuse unknown members (`additionalProperties: false`); operations that only read ignore
them. Amounts are exact decimal numbers: read them into a decimal type. Times are UTC, written `yyyy-MM-ddTHH:mm:ssZ`.
Clients decide by `code`, never by the text of a message.
"""


def document(
    routes: Sequence[Route], surface: Surface, server_url: str, docs: Mapping[str, OperationDocs]
) -> dict[str, Any]:
    """The document of the routes of this surface, for a server at this URL (without a trailing slash).

    `docs` are the texts of the operations by endpoint. The document contains decimals, so `http.schemas.encode` encodes it.
    """
    own = [route for route in routes if route.access.surface is surface]
    codes = list(dict.fromkeys(code for route in own for code in refusals(route)))
    paths: dict[str, Schema] = {}
    bodies, components = _components(own, codes)
    for route, body in zip(own, bodies, strict=True):
        if own_docs := docs.get(route.endpoint):
            _describe(components, route, body, own_docs)
    for route, body in zip(own, bodies, strict=True):
        paths.setdefault(route.path, {})[route.method.lower()] = operations.operation(
            route, body, docs.get(route.endpoint)
        )
    scheme = operations.BEARER if surface.uses_tokens else operations.API_KEY
    return {
        "openapi": VERSION,
        "info": {
            "title": f"{surface.value.capitalize()} surface",
            "version": __version__,
            "description": _CALLERS[surface] + "\n" + _CONVENTIONS.rstrip(),
        },
        "servers": [{"url": server_url}],
        "externalDocs": {
            "description": "How to authenticate",
            "url": f"{server_url}/documentation/guides/authentication",
        },
        "tags": [{"name": name} for name in dict.fromkeys(map(operations.tag, own))],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": error_responses.response_components(map(refusals, own)),
            "headers": error_responses.HEADERS,
            "parameters": _parameters(own),
            "securitySchemes": {scheme: operations.SCHEMES[scheme]},
        },
    }


def _describe(components: dict[str, Schema], route: Route, body: Schema | None, docs: OperationDocs) -> None:
    if body is not None:
        describe(components, body, docs.request_fields)
    describe(components, components[operations.answer_name(route)]["properties"]["data"], docs.response_fields)


def _components(routes: Sequence[Route], codes: Sequence[ErrorCode]) -> tuple[list[Schema | None], dict[str, Schema]]:
    """The schema of each route's body, and all components."""
    details = [code for code in codes if code in DETAILS]
    takers = [route for route in routes if operations.takes_body(route)]
    types = [
        *(route.body for route in takers),
        *(route.response for route in routes),
        *(type(DETAILS[code]) for code in details),
    ]
    made, components = schemas(types, [route.body for route in takers if route.strict])
    bodies = iter(made[: len(takers)])
    answers = made[len(takers) : len(takers) + len(routes)]
    shown = dict(zip(details, made[len(takers) + len(routes) :], strict=True))
    for route, data in zip(routes, answers, strict=True):
        components[operations.answer_name(route)] = operations.answer(data)
    components.update(error_responses.components(codes, shown))
    return [next(bodies) if operations.takes_body(route) else None for route in routes], components


def _parameters(routes: Sequence[Route]) -> dict[str, Schema]:
    used = {
        "IdempotencyKey": any(route.repeatable for route in routes),
        "Region": any(route.regional for route in routes),
    }
    return {name: schema for name, schema in operations.PARAMETERS.items() if used[name]}
