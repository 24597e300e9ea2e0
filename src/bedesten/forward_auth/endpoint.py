"""How proxies ask about requests of a service that stands behind them, and what they are told.

| asked by | how |
|---|---|
| nginx `auth_request`, Caddy `forward_auth` | `GET /gate/decide`; the request is in `X-Forwarded-Method`, `-Uri`, `-Host` |
| Envoy `ext_authz` over HTTP | the request's own method, `Host` and headers, its target behind `/gate/envoy` |

One form reads one set of headers, each exactly once: what a client sends of another set can never take the place of what
its proxy says. Only a trusted proxy is answered, and it has to say who its client is.
"""

from typing import Any

import structlog

from bedesten import errors
from bedesten.core.ids import request_id
from bedesten.core.secret import Secret
from bedesten.errors import Refusal
from bedesten.forward_auth.authorizer import ForwardAuth, forwarded_headers, identity
from bedesten.forward_auth.rules import Allowed, check_target
from bedesten.http import responses
from bedesten.http.message import EmptyRequestBody, Headers, Request, Response, peer_of

FORWARDED, ENVOY = b"/gate/decide", b"/gate/envoy"
MAX_DOCUMENT_LENGTH = 2048
"""Bytes of a refusal that are repeated in a header, for proxies that drop the body."""

_ASKED = (b"x-forwarded-method", b"x-forwarded-uri", b"x-forwarded-host")
_DOCUMENT = b"x-bedesten-document"

log = structlog.get_logger("bedesten.gate")


def request_of(scope: Any) -> tuple[Request, bytes]:
    """The request that is asked about, and its target as it was sent. Raises `Refusal` (-2)."""
    raw, headers = scope["raw_path"], scope["headers"]
    if raw == FORWARDED:
        method, target, host = (_once(headers, name) for name in _ASKED)
        path, _, query = target.partition(b"?")
        hosts = [host]
    else:
        path, query = raw.removeprefix(ENVOY), scope["query_string"]
        method = scope["method"].encode("latin-1")
        target = path + b"?" + query if query else path
        hosts = [value for name, value in headers if name == b"host"]
    check_target(path, query)
    lines = forwarded_headers(headers, hosts)
    return Request(method.decode("latin-1"), path, query, lines, peer_of(scope), EmptyRequestBody()), target


def _once(headers: Headers, name: bytes) -> bytes:
    lines = [value for known, value in headers if known == name]
    if len(lines) != 1 or not lines[0]:
        raise Refusal(errors.BAD_REQUEST, f"the proxy has to send {name.decode()} exactly once")
    return lines[0]


async def decide(forward_auth: ForwardAuth, scope: Any, secret: Secret[str], now: int) -> Response:
    """200 with the identity headers, or the refusal for the caller."""
    try:
        request, target = request_of(scope)
        if not forward_auth.proxies.has_forwarded_header(request):
            raise Refusal(errors.BAD_REQUEST, "the proxy has to say who its client is")
    except Refusal as refusal:
        named = request_id()
        log.warning("not-asked-right", cause=refusal.cause, request_id=named)
        response = responses.error_response(refusal, named, b"")
    else:
        response = await forward_auth.handle(request)
        if isinstance(response, Allowed):
            assert response.context is not None
            lines = identity(response.context).signed(secret, request.method, target.decode("latin-1"), now)
            spelt = [(name.lower().encode(), value.encode("latin-1")) for name, value in lines]
            return Response(200, [*response.headers, (b"cache-control", b"no-store"), *spelt], b"")
    if b"document=header" in scope["query_string"].split(b"&") and scope["raw_path"] == FORWARDED:
        _repeat(response)
    return response


def unavailable(cause: str) -> Response:
    """503: the gate cannot know."""
    named = request_id()
    log.warning("gate-unavailable", cause=cause, request_id=named)
    return responses.error_response(Refusal(errors.UNAVAILABLE, cause, retry_after=1), named, b"")


def not_a_proxy(peer: str) -> Response:
    """403 for whoever is not among the trusted proxies: its word on who calls whom would count for nothing."""
    named = request_id()
    log.warning("not-a-proxy", peer=peer, request_id=named)
    return responses.error_response(Refusal(errors.PATH_NOT_ALLOWED, "not a trusted proxy"), named, b"")


def _repeat(response: Response) -> None:
    """Puts the refusal's document into a header as well."""
    if len(response.body) <= MAX_DOCUMENT_LENGTH and response.body.isascii() and b"\n" not in response.body:
        response.headers.append((_DOCUMENT, response.body))
