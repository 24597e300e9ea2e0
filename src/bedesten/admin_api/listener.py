"""The admin listener: a separate application on a separate address. It knows no tenant.

| path | access | answer |
|---|---|---|
| `GET /health/live` | `OwnHost` | 200: the process runs |
| `GET /health/ready` | `OwnHost` | 200: this machine can answer requests; otherwise 503 with the reason |
| `GET /metrics` | `OwnHost` | the counts of this machine's processes, in the text format of Prometheus |
| `POST /leaks` | `ScannerSecret` | which texts that a secret scanner found are live keys (`scanners`) |
| `POST /operator/…` | `StaffSession` | what staff do, for programs (`console.api`) |
| `/console…` | `StaffSession` | the same as pages for people (`console.pages`) |
| `GET /gate/decide` | `TrustedProxy` | whether a request to another service is allowed (`forward_auth.endpoint`) |
| `/gate/envoy/…` | `TrustedProxy(client_host=True)` | the same, as Envoy asks |

It speaks HTTP through the same adapter as the surfaces, finds its routes in the same kind of table and answers errors
from the same catalogue. Many routes demand no credential, so it listens on loopback by default. DNS rebinding must not
let a web page in the operator's browser read it: the `Host` of a request has to be an address, `localhost` or a
configured name; any other is refused with 421. A client without a `Host` (HTTP/1.0) is not a browser and is answered.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import Protocol

import structlog

from bedesten import errors
from bedesten.admin_api.health import Health
from bedesten.admin_api.route import (
    ANY_METHOD,
    AdminRoute,
    OwnHost,
    ScannerSecret,
    StaffSession,
    TrustedProxy,
    found_route,
)
from bedesten.admin_api.scanners import Scanners
from bedesten.core.ids import request_id
from bedesten.errors import Refusal
from bedesten.forward_auth import endpoint
from bedesten.http.message import Request, Response
from bedesten.http.path_table import PathTable
from bedesten.http.responses import error_response
from bedesten.telemetry.request_log import LineRateLimit

MAX_HOST_LENGTH = 256
"""Longest accepted `Host`, in bytes."""

log = structlog.get_logger("bedesten.admin_api")
Handler = Callable[[Request], Awaitable[Response]]


class Authorizer(Protocol):
    """Decides about requests to other services."""

    async def start(self) -> None:
        """Runs before the first request."""

    async def stop(self) -> None:
        """Runs after the last request."""

    def trusts(self, peer: str) -> bool:
        """Whether the peer is a trusted proxy."""

    async def decide(self, request: Request) -> Response:
        """The answer to a proxy's request."""


def admin_routes(
    health: Health, scanners: Scanners, authorizer: Authorizer | None, staff: Handler | None = None
) -> tuple[AdminRoute, ...]:
    """Every route of the listener. Without an authorizer there are no routes for proxies, without `staff` none for staff.

    `staff` finds its own routes below these paths, so that its modules are loaded at the first request of a staff
    member.
    """
    routes: tuple[AdminRoute, ...] = (
        AdminRoute("GET", "/health/live", OwnHost(), health.live),
        AdminRoute("GET", "/health/ready", OwnHost(), health.ready),
        AdminRoute("GET", "/metrics", OwnHost(), health.metrics),
        AdminRoute("POST", "/leaks", ScannerSecret(), scanners.take_report),
    )
    if staff is not None:
        paths = ("/console", "/console/{path*}", "/operator/{path*}")
        routes += tuple(AdminRoute(ANY_METHOD, path, StaffSession(), staff) for path in paths)
    if authorizer is None:
        return routes
    envoy = endpoint.ENVOY.decode() + "/{target*}"
    return (
        *routes,
        AdminRoute(ANY_METHOD, endpoint.FORWARDED.decode(), TrustedProxy(), authorizer.decide),
        AdminRoute(ANY_METHOD, envoy, TrustedProxy(client_host=True), authorizer.decide),
    )


class AdminListener:
    """Answers requests. `names` are its own host names besides addresses and `localhost`."""

    def __init__(
        self,
        routes: Iterable[AdminRoute],
        scanners: Scanners,
        authorizer: Authorizer | None = None,
        names: Collection[str] = (),
    ) -> None:
        self._table: PathTable[AdminRoute] = PathTable()
        for route in routes:
            self._table.add(route.method, route.path, route)
        self._scanners = scanners
        self._authorizer = authorizer
        self._names = frozenset(name.lower().rstrip(".") for name in names) | {"localhost"}
        self._lines = LineRateLimit()

    async def handle(self, request: Request) -> Response:
        """Returns the answer to one request. Raises what the adapter answers: a body that stalls or is malformed."""
        try:
            route = self._route_of(request)
            await self._check_access(route, request)
            return await route.handler(request)
        except Refusal as refusal:
            return self._refuse(refusal, request)

    def _route_of(self, request: Request) -> AdminRoute:
        """The route of a request. Raises `Refusal` (-3, -4), or -10 before either for a host that is not its own."""
        try:
            return found_route(self._table, request)
        except Refusal:
            self._check_host(request)
            raise

    async def _check_access(self, route: AdminRoute, request: Request) -> None:
        match route.access:
            case OwnHost() | StaffSession():
                self._check_host(request)
            case ScannerSecret():
                self._check_host(request)
                await self._scanners.authenticate(request)
            case TrustedProxy(client_host):
                if not client_host:
                    self._check_host(request)
                if not request.path.startswith((endpoint.FORWARDED, endpoint.ENVOY)):
                    raise Refusal(errors.NOT_FOUND, "the path in another case")  # the endpoint compares paths exactly
                assert self._authorizer is not None, "there is one where there are routes for proxies"
                if not self._authorizer.trusts(request.peer):
                    raise Refusal(errors.PATH_NOT_ALLOWED, f"{request.peer} is not a trusted proxy")

    def _check_host(self, request: Request) -> None:
        hosts = [value for name, value in request.headers if name == b"host" and value]
        if not all(len(host) <= MAX_HOST_LENGTH and is_own(host, self._names) for host in hosts):
            raise Refusal(errors.UNKNOWN_HOST, "not a host of the admin listener")

    def _refuse(self, refusal: Refusal, request: Request) -> Response:
        named = request_id()
        if self._lines.take():
            log.info(
                "refused",
                code=refusal.code.number,
                cause=refusal.cause,
                request_id=named,
                method=request.method[:16],
                path=request.path.decode("latin-1")[:200],
                address=request.peer,
            )
        accept = b",".join(value for name, value in request.headers if name == b"accept")
        return error_response(refusal, named, accept)


@lru_cache(256)
def is_own(host: bytes, names: frozenset[str]) -> bool:
    """Whether a `Host` means this listener: an address or one of the names, with or without a port."""
    text = host.decode("latin-1").strip().lower()
    if text.startswith("["):
        name, bracket, port = text[1:].partition("]")
        port = port.removeprefix(":") if bracket else "?"
    else:
        name, _, port = text.partition(":")
    if port and not (port.isascii() and port.isdigit()):
        return False
    if name.rstrip(".") in names:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
