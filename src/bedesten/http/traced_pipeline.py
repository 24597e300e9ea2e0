"""The pipeline with a span for each request. Replaces `Pipeline` where tracing is on."""

from bedesten.http.message import Request, Response
from bedesten.http.pipeline import Pipeline
from bedesten.http.route_map import RouteMap
from bedesten.http.services import Services
from bedesten.http.state import RequestState
from bedesten.telemetry.tracing import Tracing


class TracedPipeline(Pipeline):
    """Answers requests; the span of each has the request id, the route, the tenant and the number of the error."""

    def __init__(self, services: Services, routes: RouteMap, tracing: Tracing) -> None:
        super().__init__(services, routes)
        self._tracing = tracing

    async def handle(self, request: Request, state: RequestState | None = None) -> Response:
        """The answer to one request. Raises only `ClientGone`."""
        state = state or self.begin(request)
        span = self._tracing.start_server(request.method, request.headers)
        try:
            with self._tracing.serving(span):
                response = await super().handle(request, state)
            span.set_attribute("http.response.status_code", response.status)
            if response.status >= 500:
                self._tracing.failed(span, str(state.code))
            return response
        except BaseException as problem:
            self._tracing.failed(span, type(problem).__name__)
            raise
        finally:
            if state.endpoint:
                span.update_name(state.endpoint)
                span.set_attribute("http.route", state.endpoint.partition(" ")[2])
            for name, value in _attributes(state).items():
                span.set_attribute(name, value)
            span.end()


def _attributes(state: RequestState) -> dict[str, str | int]:
    found: dict[str, str | int] = {"bedesten.request.id": state.request_id, "bedesten.surface": state.surface}
    if state.tenant is not None:
        found["bedesten.tenant.id"] = state.tenant.id
    if state.error is not None:
        found["bedesten.error.number"] = state.code
    return found
