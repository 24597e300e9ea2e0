"""Cross-origin requests (Fetch standard): for the Storefront only, from the tenant's own origins, never with cookies.

The other surfaces send no CORS header at all: a browser has no business there.
"""

from bedesten.gate.directory import TenantEntry
from bedesten.web.message import Headers, Request, Response

_PREFIX = b"/storefront/"
_ALLOWED_HEADERS = b"Authorization, Content-Type, h-region-code, Idempotency-Key"
_EXPOSED_HEADERS = b"X-Request-Id, WWW-Authenticate, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
_MAX_AGE = b"600"


def concerns(request: Request) -> bool:
    """Whether the path is one where CORS is spoken."""
    return request.path[: len(_PREFIX)].lower() == _PREFIX


def preflight(request: Request, tenant: TenantEntry, methods: list[str]) -> Response | None:
    """The answer to a preflight, or None if the request is none. Asks for no credential and does nothing."""
    if request.method != "OPTIONS" or not concerns(request):
        return None
    if not any(name == b"access-control-request-method" for name, _ in request.headers):
        return None
    headers: Headers = [(b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers")]
    origin = _listed(request, tenant)
    if origin is not None:
        headers += [
            (b"access-control-allow-origin", origin),
            (b"access-control-allow-methods", ", ".join(sorted(methods)).encode()),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", _MAX_AGE),
        ]
    return Response(204, headers, b"")


def dress(response: Response, request: Request, tenant: TenantEntry | None) -> None:
    """Lets the tenant's own origins read an answer of the Storefront, refusals included."""
    if tenant is None or not concerns(request):
        return
    response.headers.append((b"vary", b"Origin"))
    origin = _listed(request, tenant)
    if origin is not None:
        response.headers += [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED_HEADERS),
        ]


def _listed(request: Request, tenant: TenantEntry) -> bytes | None:
    """The one `Origin` line, if it is, byte for byte, an origin of the tenant."""
    lines = [value for name, value in request.headers if name == b"origin"]
    if len(lines) == 1 and tenant.origins and lines[0].decode("latin-1") in tenant.origins:
        return lines[0]
    return None
