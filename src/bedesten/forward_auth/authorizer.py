"""Decides about requests to other services: one behind a proxy, or one with the Python middleware.

It composes the same `Admission` as the pipeline of the four surfaces: the same steps in the same order, with the same
refusals, counts and log lines. CORS is not among them: the service answers its own preflights.
"""

from time import perf_counter

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.forward_auth.identity_headers import Identity
from bedesten.forward_auth.rules import ProtectedRoute, RuleSet
from bedesten.http.admission import Admission, Allowed
from bedesten.http.failures import FailureHandler
from bedesten.http.message import ClientGone, Headers, Request, Response
from bedesten.http.proxies import Proxies
from bedesten.http.services import Services

_FORWARDED_HEADERS = frozenset(
    {b"authorization", b"apikey", b"accept", b"user-agent", b"x-forwarded-for", b"forwarded"}
)
_OVERRIDE_HEADERS = frozenset(
    {b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-original-url", b"x-rewrite-url"}
)
"""Headers with which some services replace the request's own method or path."""


class ForwardAuth:
    """Decides about the requests of one set of protected routes."""

    def __init__(self, services: Services, rules: RuleSet) -> None:
        self._services = services
        self._rules = rules
        self._failures = FailureHandler(services)
        self._metrics = services.request_log.metrics
        self._admission = Admission(services, rules)

    @property
    def proxies(self) -> Proxies:
        """The proxies that are trusted to say where a request came from."""
        return self._services.proxies

    def use_rules(self, rules: RuleSet) -> None:
        """Decides by these rules from the next request on."""
        if rules is not self._rules:
            self._rules = rules
            self._admission = Admission(self._services, rules)

    async def decide(self, request: Request) -> Allowed[ProtectedRoute] | Response:
        """The allowed request, or the answer that refuses it."""
        admission = self._admission
        state = admission.begin(request)
        decision: Allowed[ProtectedRoute] | Response
        try:
            decision = await admission.admit(request, await admission.tenant(request, state), state)
        except ClientGone:
            raise
        except Exception as problem:
            decision = self._failures.respond(problem, request, state)
            decision.headers += state.limit_headers
        status = decision.status if isinstance(decision, Response) else 200
        self._metrics.observe_request(state.surface, status, state.code, perf_counter() - state.started)
        return decision

    async def close(self) -> None:
        """Writes what is still in memory and closes the store."""
        await self._services.close()


def forwarded_headers(headers: Headers, host: list[bytes]) -> Headers:
    """Keeps the headers that the gate evaluates and puts the original `Host` in front.

    Raises `Refusal` (-2) for a header that could make the service do something other than what was decided about, or
    mistake a header of the caller for one of the gate's.
    """
    kept: Headers = [(b"host", line) for line in host]
    for name, value in headers:
        normalised = name.replace(b"_", b"-")  # as WSGI and CGI read it
        if name in _FORWARDED_HEADERS:
            kept.append((name, value))
        elif normalised in _OVERRIDE_HEADERS:
            raise Refusal(errors.BAD_REQUEST, "a header that names another method or path")
        elif normalised != name and normalised.startswith(b"x-bedesten-"):
            raise Refusal(errors.BAD_REQUEST, "a header that can be taken for one of the gate's")
    return kept


def identity_of(allowed: Allowed[ProtectedRoute]) -> Identity:
    """The caller of an allowed request, as the identity headers name it."""
    principal, request_id = allowed.principal, allowed.state.request_id
    if principal is None:
        return Identity(allowed.tenant.id, "", "", frozenset(), request_id)
    if principal.key is None:
        rights = principal.scopes
    else:
        rights = principal.grants if principal.grants is not None else frozenset({"*"})
    return Identity(allowed.tenant.id, principal.owner, principal.surface.value, rights, request_id)
