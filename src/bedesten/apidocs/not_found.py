"""Content negotiation of -3: a browser that asks for an unknown page gets a page, every other client the JSON answer.

The page has the menu, and links to the pages that the address may have meant.
"""

from difflib import get_close_matches
from functools import lru_cache

from bedesten import errors
from bedesten.apidocs import site_routes
from bedesten.apidocs.markdown import Article
from bedesten.apidocs.site import layout
from bedesten.apidocs.site.layout import ERROR_PAGES, MenuItem, Site, menu_groups
from bedesten.apidocs.templating import HOME, render
from bedesten.http.message import Request, Response
from bedesten.http.pipeline import Pipeline
from bedesten.http.responses import preferences
from bedesten.http.state import RequestState

_MAX_NAME_LENGTH = 40
_MAX_SUGGESTIONS = 3
_MIN_SIMILARITY = 0.7
_NO_STORE = b"no-store"
_VARY = b"Host, Accept"


class NotFoundPages:
    """Wraps the pipeline. If an operation was found, the client gets JSON whatever it prefers."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def handle(self, request: Request) -> Response:
        """The pipeline's answer, or a page in its place. Raises `ClientGone`."""
        state = self._pipeline.begin(request)
        response = await self._pipeline.handle(request, state)
        if state.error is not errors.NOT_FOUND:
            return response
        page = _page(request, state)
        if page is None:
            return response
        page.headers += state.limit_headers
        return page


def prefers_page(accept: bytes) -> bool:
    """Whether `text/html` is preferred to JSON: a browser names it; a program that accepts anything gets JSON."""
    if b"text/html" not in accept.lower():
        return False
    named = preferences(accept)
    page = named.get("text/html", 0.0)
    json = max(named.get(kind, 0.0) for kind in ("application/json", "application/problem+json"))
    anything = max(named.get(kind, 0.0) for kind in ("application/*", "*/*"))
    return page > json and page >= anything


def suggestions(site: Site, path: str) -> tuple[MenuItem, ...]:
    """The pages that a client may have meant by a path, the likeliest first; often none."""
    name = path.lower().rstrip("/").rpartition("/")[2].removesuffix(".html").removesuffix(".md")
    pages = {item.address.rpartition("/")[2]: item for group in menu_groups(site.surfaces) for item in group.pages}
    numbers = {item.address.rpartition("/")[2]: item for item in ERROR_PAGES}
    exact = pages.get(name) or numbers.get(name) or numbers.get(f"-{name}")
    if exact is not None:
        return (exact,)
    if len(name) > _MAX_NAME_LENGTH:
        return ()
    return tuple(pages[one] for one in get_close_matches(name, pages, _MAX_SUGGESTIONS, _MIN_SIMILARITY))


def _page(request: Request, state: RequestState) -> Response | None:
    """The page for a browser; `/` redirects to the documentation. None for operations and for JSON documents."""
    found, tenant = state.resource, state.tenant
    if tenant is None or (found is not None and found.access.surface is not None):
        return None
    path = request.path.decode("ascii", "replace").lower()
    if request.method not in ("GET", "HEAD") or path.endswith(".json") or not prefers_page(state.accept):
        return None
    policy = layout.content_security_policy(connect=False)
    if path == "/":
        redirect = site_routes.response(
            state.request_id, b"", site_routes.HTML, policy, _NO_STORE, status=302, vary=_VARY
        )
        redirect.headers.append((b"location", HOME.encode()))
        return redirect
    site = site_routes.site_of(tenant, state.headers.host[0])
    body = _html(site, suggestions(site, path))
    return site_routes.response(state.request_id, body, site_routes.HTML, policy, _NO_STORE, status=404, vary=_VARY)


@lru_cache(256)
def _html(site: Site, suggested: tuple[MenuItem, ...]) -> bytes:
    """The whole page. It repeats nothing of what was asked for."""
    article = Article("There is no such page", render("not_found.html", suggestions=suggested), ())
    return layout.page(site, "", article)
