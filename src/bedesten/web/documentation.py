"""Public pages on every tenant's host: guides, errors, and each error as JSON. Rendered once from the Markdown in `docs`."""

from functools import cache
from importlib import resources
from pathlib import Path

from markdown_it import MarkdownIt

from bedesten import errors
from bedesten.errors import CATALOGUE, Refusal
from bedesten.gate.access import Open
from bedesten.web.call import Call
from bedesten.web.message import Response
from bedesten.web.route import Route, Shows
from bedesten.web.shapes import encode

GUIDES = ("authentication", "errors")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }}
pre {{ overflow-x: auto; padding: .75rem 1rem; background: color-mix(in srgb, currentColor 8%, transparent) }}
code {{ font-family: ui-monospace, monospace; font-size: .9em }}
table {{ border-collapse: collapse; display: block; overflow-x: auto }}
th, td {{ border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); padding: .35rem .6rem;
  text-align: left; vertical-align: top }}
</style></head><body><main>
{body}</main></body></html>
"""
_SECURITY = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")


def _folder() -> Path:
    """Where the Markdown is: inside the installed package, or in the source tree beside it."""
    packaged = Path(str(resources.files("bedesten"))) / "_docs"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "docs"


@cache
def _html(name: str) -> bytes | None:
    source = _folder() / f"{name}.md"
    if not source.is_file():
        return None
    text = source.read_text("utf-8")
    title = text.partition("\n")[0].lstrip("# ")
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    return _PAGE.format(title=title, body=body).encode()


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
    page = _html(f"guides/{call.argument}") if call.argument in GUIDES else None
    if page is None:
        raise Refusal(errors.NOT_FOUND, "no such guide")
    return _shown(call, page, b"text/html; charset=utf-8")


def error(call: Call) -> Response:
    """One error: as a page, or as JSON where the name ends in `.json`."""
    number, dot, _ = call.argument.partition(".json")
    row = CATALOGUE.get(int(number)) if number.lstrip("-").isdigit() and len(number) < 8 else None
    if row is None:
        raise Refusal(errors.NOT_FOUND, "no such error")
    if dot:
        return _shown(call, encode(_as_json(row)), b"application/json")
    page = _html(f"errors/{-row.number}")
    if page is None:
        raise Refusal(errors.NOT_FOUND, "the page is missing")
    return _shown(call, page, b"text/html; charset=utf-8")


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
