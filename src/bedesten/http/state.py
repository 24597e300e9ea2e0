"""The state of one request: its headers, and the results of the steps so far."""

from dataclasses import dataclass, field

from bedesten.errors import ErrorCode
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.decision_table import DecisionTable
from bedesten.http.message import Headers, Request
from bedesten.http.route import Resource
from bedesten.ratelimit.limits import LimitStatus


@dataclass(slots=True)
class RequestHeaders:
    """The headers that the pipeline evaluates, every line of each, so that a repeated one is seen."""

    host: list[bytes]
    authorization: list[bytes]
    api_key: list[bytes]
    content_type: list[bytes]
    content_encoding: list[bytes]
    accept: list[bytes]
    region: list[bytes]
    idempotency_key: list[bytes]
    user_agent: list[bytes]


_POSITIONS = {
    b"host": 0,
    b"authorization": 1,
    b"apikey": 2,
    b"content-type": 3,
    b"content-encoding": 4,
    b"accept": 5,
    b"h-region-code": 6,
    b"idempotency-key": 7,
    b"user-agent": 8,
}


def read_headers(request: Request) -> RequestHeaders:
    """Sorts the headers in one pass."""
    lines: tuple[list[bytes], ...] = ([], [], [], [], [], [], [], [], [])
    for name, value in request.headers:
        position = _POSITIONS.get(name)
        if position is not None:
            lines[position].append(value)
    return RequestHeaders(*lines)


@dataclass(slots=True)
class RequestState:
    """The results of the steps so far: enough to answer and to log the request at whichever step it ends.

    `started` is the arrival by `perf_counter`, `owner` the principal's account, `error` set once the request is refused.
    `decisions` is the decision table as of the revision check, for the whole request.
    """

    request_id: str
    address: str
    headers: RequestHeaders
    started: float
    decisions: DecisionTable | None = None
    tenant: TenantEntry | None = None
    resource: Resource | None = None
    owner: str = ""
    error: ErrorCode | None = None
    limit_headers: Headers = field(default_factory=list)
    _nearest_limit: int | None = None

    @property
    def code(self) -> int:
        """The number of the error that the request ends with; 0 for a success."""
        return self.error.number if self.error else 0

    @property
    def surface(self) -> str:
        """The surface that the request is for: `public` for documentation pages, `unknown` before a route is found."""
        return "unknown" if self.resource is None else self.resource.label

    @property
    def endpoint(self) -> str:
        """The endpoint that the request is for; empty until a route is found."""
        return self.resource.endpoint if self.resource else ""

    @property
    def accept(self) -> bytes:
        """Every `Accept` line as one."""
        return b",".join(self.headers.accept)

    def show_limit(self, status: LimitStatus) -> None:
        """Puts a limit into the answer's headers if it is the nearest one so far, or the one that refuses."""
        if self._nearest_limit is None or not status.allowed or status.remaining < self._nearest_limit:
            self._nearest_limit = status.remaining
            self.limit_headers = [
                (b"ratelimit-limit", b"%d" % status.limit),
                (b"ratelimit-remaining", b"%d" % status.remaining),
                (b"ratelimit-reset", b"%d" % status.reset),
            ]
