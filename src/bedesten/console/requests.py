"""Requests of staff: the body, the session's token, and the check that a form comes from the console."""

import hmac
from collections.abc import Awaitable, Callable
from functools import wraps
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from bedesten import errors
from bedesten.console.runner import Caller
from bedesten.core.ids import request_id
from bedesten.errors import Refusal, bad_field
from bedesten.gate.decide import challenge
from bedesten.http.message import BodyTooLarge, Request, Response
from bedesten.http.proxies import Proxies
from bedesten.store import wait_budget
from bedesten.store.transaction import StoreUnavailable

COOKIE = "bedesten_staff"
MAX_BODY, MAX_FIELDS = 64 * 1024, 50
_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"

Handler = Callable[[Request], Awaitable[Response]]


def guarded(handler: Handler) -> Handler:
    """Wraps a handler: sets the deadline of its store calls, and turns failures into refusals."""

    @wraps(handler)
    async def handle(request: Request) -> Response:
        wait_budget.limit()
        try:
            return await handler(request)
        except StoreUnavailable as problem:
            raise Refusal(errors.UNAVAILABLE, str(problem), retry_after=1) from problem
        except BodyTooLarge:
            raise Refusal(errors.TOO_LARGE, "the body is too long") from None

    return handle


def bearer_caller(request: Request, proxies: Proxies) -> Caller:
    """The caller of the API: the token is in `Authorization`; cookies are ignored. Raises `Refusal` (-20)."""
    lines = values(request, b"authorization")
    scheme, _, token = lines[0].strip().partition(" ") if len(lines) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refusal(errors.TOKEN_MISSING, "no bearer token", headers=challenge(errors.TOKEN_MISSING))
    return Caller(token.strip(), proxies.client(request), request_id())


def cookie_caller(request: Request, proxies: Proxies) -> Caller:
    """The caller of a page: the token is in a cookie. With no such cookie, or several, there is no session."""
    pairs = [pair.strip().partition("=") for line in values(request, b"cookie") for pair in line.split(";")]
    tokens = [value for name, _, value in pairs if name == COOKIE]
    return Caller(tokens[0] if len(tokens) == 1 else "", proxies.client(request), request_id())


async def json_body(request: Request) -> bytes:
    """The body of an API call. Raises `Refusal` (-6), `BodyTooLarge`."""
    kinds = values(request, b"content-type")
    if len(kinds) > 1 or (kinds and kinds[0].partition(";")[0].strip().lower() != _JSON):
        raise Refusal(errors.NOT_JSON, "another media type")
    return await request.body.read(MAX_BODY)


async def form_body(request: Request) -> dict[str, list[str]]:
    """The fields of a form, each with its values. Raises `Refusal` (-2), `BodyTooLarge`."""
    kinds = values(request, b"content-type")
    if len(kinds) != 1 or kinds[0].partition(";")[0].strip().lower() != _FORM:
        raise bad_field("content-type", f"must be {_FORM}")
    return _fields(await request.body.read(MAX_BODY))


def query_of(request: Request) -> dict[str, list[str]]:
    """The fields of a query, each with its values; omits empty fields. Raises `Refusal` (-2)."""
    return {name: found for name, found in _fields(request.query).items() if any(found)}


def _fields(raw: bytes) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:  # also for text that is not UTF-8
        raise bad_field("form", "is malformed") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def one(fields: dict[str, list[str]], name: str) -> str:
    """The only value of a field; empty if there is none. Raises `Refusal` (-2) for several."""
    found = fields.get(name, [])
    if len(found) > 1:
        raise bad_field(name, "is there twice")
    return found[0] if found else ""


def csrf_token(session_token: str) -> str:
    """The CSRF token of a session's forms, derived from the session's token. Another site knows neither."""
    return hmac.digest(session_token.encode(), b"csrf", "sha256").hex()


def check_form(request: Request, fields: dict[str, list[str]], caller: Caller) -> None:
    """Raises `Refusal` (-2) unless the form comes from a page of this session."""
    check_origin(request)
    given = one(fields, "csrf").encode()
    wanted = csrf_token(caller.token).encode()
    if not hmac.compare_digest(sha256(given).digest(), sha256(wanted).digest()):
        raise bad_field("csrf", "the form is another session's: open the page again")


def check_origin(request: Request) -> None:
    """Raises `Refusal` (-2) for a form that a browser sends from another site."""
    host = "".join(values(request, b"host")).lower()
    foreign = any(urlsplit(origin.lower()).netloc != host for origin in values(request, b"origin"))
    if foreign or any(site not in ("same-origin", "none") for site in values(request, b"sec-fetch-site")):
        raise bad_field("origin", "a form is only accepted from a page of the console")


def needs_https(request: Request) -> bool:
    """Whether the session's cookie is `Secure`: for every host except loopback."""
    host = "".join(values(request, b"host")).lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name.rstrip(".") == "localhost":
        return False
    try:
        return not ip_address(name).is_loopback
    except ValueError:
        return True


def values(request: Request, wanted: bytes) -> list[str]:
    """The values of a header."""
    return [value.decode("latin-1") for name, value in request.headers if name == wanted]
