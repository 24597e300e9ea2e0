"""Responses: the envelope of success, and a refusal as an envelope or as a problem document."""

import hashlib
from functools import lru_cache

from bedesten.errors import ErrorCode, Refusal
from bedesten.http.message import Headers, Request, Response
from bedesten.http.schemas import encode

_OPEN, _CLOSE = b'{"success":true,"message":"OK","data":', b"}"
_JSON = (b"content-type", b"application/json")
_PROBLEM = (b"content-type", b"application/problem+json")
_NO_STORE = (b"cache-control", b"no-store")
_NO_SNIFF = (b"x-content-type-options", b"nosniff")


def success(data: bytes, request_id: str) -> Response:
    """200 with the encoded data in the envelope."""
    headers = [_JSON, _NO_STORE, _NO_SNIFF, (b"x-request-id", request_id.encode())]
    return Response(200, headers, _OPEN + data + _CLOSE)


def cacheable(response: Response) -> Response:
    """The response with an `ETag`: a cache may keep it but revalidates it at each use."""
    tag = b'"%s"' % hashlib.sha256(response.body).hexdigest()[:32].encode()
    headers = [line for line in response.headers if line != _NO_STORE]
    return Response(response.status, [*headers, (b"cache-control", b"no-cache"), (b"etag", tag)], response.body)


def error_response(refusal: Refusal, request_id: str, accept: bytes) -> Response:
    """The refusal as an envelope, or as an RFC 9457 document if the caller prefers one."""
    code = refusal.code
    problem = prefers_problem(accept)
    body: dict[str, object]
    if problem:
        body = {
            "type": f"/documentation/errors/{code.number}",
            "title": refusal.text,
            "status": code.status,
            "code": code.number,
            "requestId": request_id,
        }
        if refusal.data is not None:
            body["data"] = refusal.data
    elif refusal.data is None and not refusal.fields:
        made = b'%s%s"}' % (_envelope_start(code, refusal.text), request_id.encode())
        return Response(code.status, _failure_headers(_JSON, refusal, request_id), made)
    else:
        body = {
            "success": False,
            "message": refusal.text,
            "code": code.number,
            "errorCode": code.number,
            "data": refusal.data,
            "requestId": request_id,
        }
    if refusal.fields:
        body["errors"] = [{"field": name, "message": text} for name, text in refusal.fields.items()]
    headers = _failure_headers(_PROBLEM if problem else _JSON, refusal, request_id)
    return Response(code.status, headers, encode(body))


@lru_cache(256)
def _envelope_start(code: ErrorCode, text: str) -> bytes:
    """The envelope of a refusal without data and fields, up to the request id, which needs no escaping."""
    body = {"success": False, "message": text, "code": code.number, "errorCode": code.number, "data": None}
    return encode({**body, "requestId": ""})[:-2]


def _failure_headers(kind: tuple[bytes, bytes], refusal: Refusal, request_id: str) -> Headers:
    headers: Headers = [kind, _NO_STORE, _NO_SNIFF, (b"x-request-id", request_id.encode()), *refusal.headers]
    if refusal.retry_after is not None:
        headers.insert(4, (b"retry-after", b"%d" % max(1, refusal.retry_after)))
    return headers


def not_modified_or(shown: Response, request: Request) -> Response:
    """The response, or 304 if the client already has its `ETag` (RFC 9110 section 13.1.2, weak comparison)."""
    tag = next((value for name, value in shown.headers if name == b"etag"), None)
    named = b",".join(value for name, value in request.headers if name == b"if-none-match")
    if tag is None or tag not in (one.strip().removeprefix(b"W/") for one in named.split(b",")):
        return shown
    return Response(304, [line for line in shown.headers if line[0] != b"content-type"], b"")


def prefers_problem(accept: bytes) -> bool:
    """Whether `Accept` names `application/problem+json` with a quality no lower than JSON's (RFC 9110 section 12.5.1)."""
    if b"problem+json" not in accept.lower():
        return False
    named = preferences(accept)
    problem = named.get("application/problem+json", 0.0)
    json = next((named[kind] for kind in ("application/json", "application/*", "*/*") if kind in named), 0.0)
    return problem > 0 and problem >= json


def preferences(accept: bytes) -> dict[str, float]:
    """The quality of every media type that an `Accept` value names (RFC 9110 section 12.5.1)."""
    named: dict[str, float] = {}
    for part in accept.decode("latin-1").lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        named[kind] = _quality(parameters)
    return named


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                value = float(parameter[2:])
            except ValueError:
                return 0.0
            return value if 0.0 <= value <= 1.0 else 0.0
    return 1.0
