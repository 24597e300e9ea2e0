"""CORS (Fetch standard) and security headers, on the Storefront only.

Only the tenant's own origins are allowed, byte for byte; never with cookies, since a bearer token needs none. The other
surfaces send no CORS header: they are not for browsers.

A preflight needs no credential, changes nothing and counts against no limit. An unknown path gets one too: a browser shows
the real answer, a 404 or a 429, only after a successful preflight.
"""

from collections.abc import Iterable

from bedesten.gate.auth_cache import TenantEntry
from bedesten.http.message import Headers, Request, Response

_PREFIX = b"/storefront/"
_USUAL_METHODS = (b"GET", b"POST")
_ALLOWED_HEADERS = b"Authorization, Content-Type, h-region-code, Idempotency-Key"
_EXPOSED_HEADERS = b"X-Request-Id, WWW-Authenticate, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
_MAX_AGE = b"600"
_VARY = (b"vary", b"Origin")
_VARY_PREFLIGHT = (b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
_SECURITY: Headers = [
    (b"strict-transport-security", b"max-age=31536000"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
"""On every answer of the Storefront. TLS is a proxy's work, so the server always sends `Strict-Transport-Security`; over
plain HTTP browsers ignore it (RFC 6797 section 8.1)."""


def is_storefront(request: Request) -> bool:
    """Whether the path belongs to the Storefront."""
    return request.path[: len(_PREFIX)].lower() == _PREFIX


def is_preflight(request: Request) -> bool:
    """Whether this is a CORS preflight (Fetch standard) to the Storefront."""
    return (
        request.method == "OPTIONS"
        and is_storefront(request)
        and any(name == b"access-control-request-method" for name, _ in request.headers)
    )


def preflight(request: Request, tenant: TenantEntry, methods: Iterable[str], request_id: str) -> Response:
    """The answer to a preflight; `methods` are those of the path, none for an unknown path."""
    headers: Headers = [(b"x-request-id", request_id.encode()), (b"cache-control", b"no-store"), _VARY_PREFLIGHT]
    if _allowed_origin(request, tenant) is not None:
        allowed = sorted(method.encode() for method in methods) or _USUAL_METHODS
        headers += [
            (b"access-control-allow-methods", b", ".join(allowed)),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", _MAX_AGE),
        ]
    return Response(204, headers, b"")


def apply_headers(response: Response, request: Request, tenant: TenantEntry | None) -> None:
    """Lets the tenant's origins read an answer of the Storefront, refusals and preflights included."""
    if not is_storefront(request):
        return
    headers = response.headers
    headers += _SECURITY
    if _VARY_PREFLIGHT not in headers:
        headers.append(_VARY)
    origin = _allowed_origin(request, tenant) if tenant is not None else None
    if origin is not None:
        headers += [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", _EXPOSED_HEADERS)]


def _allowed_origin(request: Request, tenant: TenantEntry) -> bytes | None:
    """The one `Origin` line, if it is an origin of the tenant, byte for byte."""
    lines = [value for name, value in request.headers if name == b"origin"]
    if len(lines) == 1 and tenant.origins and lines[0].decode("latin-1") in tenant.origins:
        return lines[0]
    return None
