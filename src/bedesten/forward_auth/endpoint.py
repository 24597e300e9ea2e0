"""The endpoint that proxies ask whether a request to the service behind them may go on.

| proxy | how it asks |
|---|---|
| nginx, Caddy, Traefik | `GET /gate/decide`; the request is in `X-Forwarded-Method`, `-Uri`, `-Host` |
| Envoy `ext_authz` | the request's own method, `Host` and headers, its target after `/gate/envoy` |

Each form reads one set of headers, each exactly once, so a header that the client sent can never replace one that its
proxy writes. Only a trusted proxy is answered, and it has to send the client's address.
"""

import structlog

from bedesten import errors
from bedesten.core.ids import request_id
from bedesten.core.secret import Secret
from bedesten.errors import Refusal
from bedesten.forward_auth import identity_headers
from bedesten.forward_auth.authorizer import ForwardAuth, forwarded_headers, identity_of
from bedesten.forward_auth.rules import check_target
from bedesten.http import responses
from bedesten.http.message import EmptyRequestBody, Headers, Request, Response

FORWARDED, ENVOY = b"/gate/decide", b"/gate/envoy"
MAX_DOCUMENT_LENGTH = 2048
"""Bytes of a refusal that are repeated in a header, for proxies that drop the body."""

_REQUEST_HEADERS = _METHOD, _TARGET, _HOST = b"x-forwarded-method", b"x-forwarded-uri", b"x-forwarded-host"
_DOCUMENT = b"x-bedesten-document"
_ON_WIRE = {name: name.lower().encode() for name in identity_headers.NAMES}

log = structlog.get_logger("bedesten.forward_auth")


def original_request(asked: Request) -> tuple[Request, bytes]:
    """The request that a proxy asks about, and its target as it was sent. Raises `Refusal` (-2)."""
    if asked.path == FORWARDED:
        method, target, host = _described(asked.headers)
        path, _, query = target.partition(b"?")
        hosts = [host]
    else:
        path, query = asked.path.removeprefix(ENVOY), asked.query
        method = asked.method.encode("latin-1")
        target = path + b"?" + query if query else path
        hosts = [value for name, value in asked.headers if name == b"host"]
    check_target(path, query)
    headers = forwarded_headers(asked.headers, hosts)
    return Request(method.decode("latin-1"), path, query, headers, asked.peer, EmptyRequestBody()), target


def _described(headers: Headers) -> tuple[bytes, bytes, bytes]:
    """Method, target and host of the request that the proxy asks about. Raises `Refusal` (-2)."""
    lines = [line for line in headers if line[0] in _REQUEST_HEADERS]
    values = dict(lines)
    if len(lines) == len(values) == len(_REQUEST_HEADERS) and all(values.values()):
        return values[_METHOD], values[_TARGET], values[_HOST]
    names = [name for name, _ in lines]
    wrong = next(name for name in _REQUEST_HEADERS if names.count(name) != 1 or not values[name])
    raise Refusal(errors.BAD_REQUEST, f"the proxy has to send {wrong.decode()} exactly once")


async def decide(forward_auth: ForwardAuth, asked: Request, secret: Secret[str], now: int) -> Response:
    """200 with the signed identity headers, or the refusal for the client."""
    try:
        request, target = original_request(asked)
        if not forward_auth.proxies.has_forwarded_header(request):
            raise Refusal(errors.BAD_REQUEST, "the proxy has to send the client's address")
    except Refusal as refusal:
        named = request_id()
        log.warning("invalid-proxy-request", cause=refusal.cause, request_id=named)
        response = responses.error_response(refusal, named, b"")
    else:
        decision = await forward_auth.decide(request)
        if not isinstance(decision, Response):
            signed = identity_of(decision).signed(secret, request.method, target.decode("latin-1"), now)
            identity = [(_ON_WIRE[name], value.encode("latin-1")) for name, value in signed]
            return Response(200, [*decision.state.limit_headers, (b"cache-control", b"no-store"), *identity], b"")
        response = decision
    if asked.path == FORWARDED and b"document=header" in asked.query.split(b"&"):
        _repeat_document(response)
    return response


def unavailable(cause: str) -> Response:
    """503: the gate cannot decide."""
    named = request_id()
    log.warning("gate-unavailable", cause=cause, request_id=named)
    return responses.error_response(Refusal(errors.UNAVAILABLE, cause, retry_after=1), named, b"")


def _repeat_document(response: Response) -> None:
    if len(response.body) <= MAX_DOCUMENT_LENGTH and response.body.isascii() and b"\n" not in response.body:
        response.headers.append((_DOCUMENT, response.body))
