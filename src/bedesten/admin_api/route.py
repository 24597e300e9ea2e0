"""Routes of the admin listener as data: method and path, the access that it demands, and its handler.

A route cannot be made without its access. No route here knows a tenant, so the kinds of access for tenants
(`gate.access`) are not used.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.http.message import Request, Response
from bedesten.http.path_table import PathTable

ANY_METHOD = "*"
"""The method of a route that answers every method."""


@dataclass(frozen=True, slots=True)
class OwnHost:
    """No credential. The request's `Host` must be one of the listener's own, so that no web page can read it."""


@dataclass(frozen=True, slots=True)
class ScannerSecret:
    """A bearer secret that the operator shares with secret scanners, under one of the listener's own hosts."""


@dataclass(frozen=True, slots=True)
class TrustedProxy:
    """The peer must be a trusted proxy. With `client_host` the `Host` is the one that the proxy's client sent."""

    client_host: bool = False


@dataclass(frozen=True, slots=True)
class StaffSession:
    """A staff member's session, under one of the listener's own hosts. The handler reads it in the transaction of its
    action, so that an ended session changes nothing."""


AdminAccess = OwnHost | ScannerSecret | TrustedProxy | StaffSession


@dataclass(frozen=True, slots=True)
class AdminRoute:
    """One operation. `path` may end in `{name*}`, which matches any rest; the method may be `ANY_METHOD`.

    The handler may raise `Refusal`.
    """

    method: str
    path: str
    access: AdminAccess
    handler: Callable[[Request], Awaitable[Response]]


def found_route(table: PathTable[AdminRoute], request: Request) -> AdminRoute:
    """The route of a request. Raises `Refusal`: -3, or -4 with the methods that the path has."""
    routes, _ = table.find(request.path)
    method = "GET" if request.method == "HEAD" else request.method
    route = routes.get(method) or routes.get(ANY_METHOD)
    if route is not None:
        return route
    if not routes:
        raise Refusal(errors.NOT_FOUND, "no such path")
    allowed = ", ".join(sorted({*routes, "HEAD"} if "GET" in routes else routes))
    raise Refusal(errors.METHOD_NOT_ALLOWED, "no such method here", headers=((b"allow", allowed.encode()),))
