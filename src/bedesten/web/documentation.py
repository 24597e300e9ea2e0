"""Public pages on every tenant's host: guides, errors, and each error as JSON. Rendered once from the Markdown in `docs`."""

from functools import cache

from bedesten import errors
from bedesten.errors import CATALOGUE, Refusal
from bedesten.gate.access import Open
from bedesten.web import page
from bedesten.web.call import Call
from bedesten.web.message import Response
from bedesten.web.route import Route, Shows
from bedesten.web.shapes import encode

GUIDES = ("authentication", "errors")
PAGES = {f"guides/{name}": f"/documentation/guides/{name}" for name in GUIDES} | {
    f"errors/{-number}": f"/documentation/errors/{number}" for number in CATALOGUE
}
"""Every page that is shown: its path below `docs`, and its address."""

_ROWS = {str(number): row for number, row in CATALOGUE.items()}
_SECURITY = (
    b"content-security-policy",
    b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)


@cache
def _html(name: str) -> bytes | None:
    text = page.read(name)
    return page.render(name, text, PAGES.get) if text is not None else None


def _shown(call: Call, body: bytes, kind: bytes) -> Response:
    headers = [
        (b"content-type", kind),
        (b"cache-control", b"public, max-age=300"),
        (b"vary", b"Host"),
        (b"x-content-type-options", b"nosniff"),
        _SECURITY,
        (b"x-request-id", call.request_id.encode()),
    ]
    return Response(200, headers, body)


def guide(call: Call) -> Response:
    """One guide as a page."""
    shown = _html(f"guides/{call.argument}") if call.argument in GUIDES else None
    if shown is None:
        raise Refusal(errors.NOT_FOUND, "no such guide")
    return _shown(call, shown, b"text/html; charset=utf-8")


def error(call: Call) -> Response:
    """One error: as a page, or as JSON where the name ends in `.json`."""
    number = call.argument.removesuffix(".json")
    row = _ROWS.get(number)
    if row is None:
        raise Refusal(errors.NOT_FOUND, "no such error")
    if number != call.argument:
        return _shown(call, encode(_as_json(row)), b"application/json")
    shown = _html(f"errors/{-row.number}")
    if shown is None:
        raise Refusal(errors.NOT_FOUND, "the page is missing")
    return _shown(call, shown, b"text/html; charset=utf-8")


def _as_json(row: errors.ErrorRow) -> dict[str, object]:
    return {
        "code": row.number,
        "name": row.name,
        "status": row.status,
        "message": row.text,
        "remedy": row.remedy,
        "documentation": f"/documentation/errors/{row.number}",
    }


def _public(path: str, handler: Shows, summary: str) -> Route:
    return Route(method="GET", path=path, access=Open(None), handler=handler, summary=summary)


ROUTES = (
    _public("/documentation/guides/{name}", Shows(guide), "Read a guide"),
    _public("/documentation/errors/{code}", Shows(error), "Read about an error"),
)
