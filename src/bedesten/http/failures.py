"""Handles requests that fail: answers, logs and counts their refusals."""

import structlog

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.http import responses
from bedesten.http.message import BodyStalled, BodyTooLarge, Request, Response
from bedesten.http.services import Services
from bedesten.http.state import RequestState
from bedesten.store.transaction import StoreUnavailable
from bedesten.telemetry.request_log import RequestInfo

log = structlog.get_logger("bedesten.http")
_STALLED = Refusal(errors.BAD_REQUEST, "the body stopped coming")
_COUNTED = frozenset({errors.LOGIN_REFUSED, errors.UNKNOWN_HOST})
"""Refusals that count against the address besides 401 and 403."""


class FailureHandler:
    """Turns what a request raised into its answer. Logs and audits the exact cause; counts 401, 403, failed logins and
    unknown hosts against the client's address."""

    def __init__(self, services: Services) -> None:
        self._throttle = services.throttle
        self._request_log = services.request_log
        self._clock = services.clock

    def respond(self, problem: Exception, request: Request, state: RequestState) -> Response:
        """The answer to a request that raised `problem`. Sets `state.error`."""
        refusal = self._refusal_of(problem, request, state)
        self.record(refusal, request, state)
        response = responses.error_response(refusal, state.request_id, state.accept)
        response.close = refusal is _STALLED
        return response

    def record(self, refusal: Refusal, request: Request, state: RequestState) -> None:
        """Logs and audits the refusal, and counts it against the address if it suggests guessing."""
        code, now = refusal.code, self._clock()
        state.error = code
        if code.status in (401, 403) or code in _COUNTED:
            self._throttle.refused(state.address, now)
        self._request_log.log_refusal(
            refusal,
            RequestInfo(
                state.request_id,
                request.method,
                state.address,
                state.tenant.id if state.tenant else "",
                state.surface,
                state.endpoint,
                state.owner,
            ),
            now,
        )

    def _refusal_of(self, problem: Exception, request: Request, state: RequestState) -> Refusal:
        match problem:
            case Refusal():
                return problem
            case StoreUnavailable():
                self._request_log.metrics.count("store_unavailable")
                refusal = Refusal(errors.UNAVAILABLE, str(problem), retry_after=1)
                refusal.__cause__ = problem
                return refusal
            case BodyTooLarge():
                return Refusal(errors.TOO_LARGE, "the body is too long")
            case BodyStalled():
                return _STALLED
        log.error("internal-error", request_id=state.request_id, method=request.method[:16], exc_info=problem)
        return Refusal(errors.INTERNAL, "an exception")
