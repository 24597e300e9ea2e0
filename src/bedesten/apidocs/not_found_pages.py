"""Content negotiation of -3: a browser that asks for an unknown page gets a page, every other client the JSON answer."""

from bedesten import errors
from bedesten.apidocs import site_routes
from bedesten.http.message import Request, Response
from bedesten.http.pipeline import Pipeline
from bedesten.http.responses import preferences
from bedesten.http.state import RequestState


class NotFoundPages:
    """Wraps the pipeline. Where an operation was found, its callers get JSON whatever they prefer."""

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


def _page(request: Request, state: RequestState) -> Response | None:
    found, tenant = state.resource, state.tenant
    if tenant is None or (found is not None and found.access.surface is not None):
        return None
    if request.method not in ("GET", "HEAD") or not prefers_page(state.accept):
        return None
    return site_routes.missing(request, tenant, state.headers.host[0], state.request_id)


def prefers_page(accept: bytes) -> bool:
    """Whether `text/html` is preferred to JSON: a browser names it; a program that accepts anything gets JSON."""
    if b"text/html" not in accept.lower():
        return False
    named = preferences(accept)
    page = named.get("text/html", 0.0)
    json = max(named.get(kind, 0.0) for kind in ("application/json", "application/problem+json"))
    anything = max(named.get(kind, 0.0) for kind in ("application/*", "*/*"))
    return page > json and page >= anything
