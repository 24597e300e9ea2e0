"""The OpenAPI documents of the four surfaces, on every tenant's host.

They are made from the route tables once per process. Between tenants they differ in the server's URL and in the
operations that are switched on.
"""

import hashlib
import re
from functools import lru_cache
from typing import Any

from bedesten import errors
from bedesten.apidocs.openapi.document import document as document_of
from bedesten.apidocs.site import guides, reference
from bedesten.apidocs.site.reference import OperationDocs
from bedesten.errors import Refusal
from bedesten.gate.access import Open
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.hosts import canonical_host
from bedesten.gate.scopes import Surface
from bedesten.http.context import RequestContext
from bedesten.http.message import Response
from bedesten.http.route import Route, Static
from bedesten.http.schemas import encode
from bedesten.surfaces.operations import ROUTES as OPERATIONS

_HERE = "https://server.invalid"
"""The placeholder for the server's URL in cached documents."""
_LOOPBACK = re.compile(r"(?:.+\.)?localhost|127(?:\.[0-9]+){3}|\[::1\]")
_SURFACES = {surface.value: surface for surface in Surface}


def document(surface: Surface, server_url: str) -> dict[str, Any]:
    """The complete OpenAPI document of a surface, for a server at this URL."""
    return document_of(OPERATIONS, surface, server_url, _operation_docs(surface, server_url, frozenset()))


def _operation_docs(surface: Surface, server_url: str, hidden: frozenset[str]) -> dict[str, OperationDocs]:
    """The texts of the operations, with absolute links."""

    def address_of(name: str) -> str | None:
        address = guides.address_of(name, hidden)
        return server_url + address if address else None

    return reference.operation_docs(surface, address_of, hidden)


def operations_of(tenant: TenantEntry, surface: Surface) -> list[Route]:
    """The operations of the surface that are switched on for the tenant."""
    return [route for route in OPERATIONS if route.access.surface is surface and tenant.allows(surface, route.endpoint)]


def server_url(authority: bytes) -> str:
    """The server's URL for a client that sent this `Host`. The gate has found it among the tenant's hosts.

    The name is in its configured spelling and has no port: a client can send any port, and a shop uses `https` on the
    standard port. On loopback, which only the machine itself can use, the URL is `http` with the port.
    """
    name = canonical_host(authority) or ""
    if not _LOOPBACK.fullmatch(name):
        return f"https://{name}"
    port = authority.decode("ascii").rpartition(":")[2]
    return f"http://{name}:{port}" if port.isdecimal() else f"http://{name}"


@lru_cache(maxsize=256)
def _encoded(surface: Surface, off: frozenset[str], hidden: frozenset[str]) -> bytes:
    """The document without the endpoints in `off` and without links to the surfaces in `hidden`."""
    routes = [route for route in OPERATIONS if route.endpoint not in off]
    return encode(document_of(routes, surface, _HERE, _operation_docs(surface, _HERE, hidden)))


def _response(context: RequestContext, body: bytes) -> Response:
    body = body.replace(_HERE.encode(), server_url(context.authority).encode())
    headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"public, max-age=300"),
        (b"vary", b"Host"),
        (b"etag", b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", context.request_id.encode()),
    ]
    return Response(200, headers, body)


def show(context: RequestContext) -> Response:
    """The document that the path names. A surface without any operation for the tenant has none."""
    name, _, suffix = context.argument.lower().partition(".")
    surface = _SURFACES.get(name)
    if surface is None or suffix != "json":
        raise Refusal(errors.NOT_FOUND, "no such document")
    tenant = context.tenant
    on = {one: operations_of(tenant, one) for one in Surface}
    if not on[surface]:
        raise Refusal(errors.NOT_FOUND, "the surface is switched off for the tenant")
    off = frozenset(r.endpoint for r in OPERATIONS if r.access.surface is surface and r not in on[surface])
    hidden = frozenset(one.value for one in Surface if not on[one])
    return _response(context, _encoded(surface, off, hidden))


ROUTES = (
    Route(
        method="GET",
        path="/openapi/{document}",
        access=Open(None),
        handler=Static(show),
        errors=(errors.NOT_FOUND,),
        summary="Read a surface's operations as OpenAPI",
    ),
)
