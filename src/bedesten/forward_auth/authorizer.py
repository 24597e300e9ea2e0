"""The same gate for requests that somebody else answers: a service behind a proxy, or one with our middleware.

It *is* the pipeline, up to the handler: framing, revision check, Host, rule, limits, credential, scopes or grants, in
the same order and with the same refusals, counts and notes. In place of an answer it gives `Allowed`.
"""

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.forward_auth.identity_headers import Identity
from bedesten.forward_auth.rules import ProtectedRoute, RuleSet
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.principal import Principal
from bedesten.gate.scopes import Surface
from bedesten.http.context import RequestContext, Services
from bedesten.http.message import Headers, Request
from bedesten.http.pipeline import Pipeline
from bedesten.http.proxies import Proxies
from bedesten.http.route import Match, Route

_FORWARDED_HEADERS = frozenset(
    {b"authorization", b"apikey", b"accept", b"user-agent", b"x-forwarded-for", b"forwarded"}
)
_OVERRIDE_HEADERS = frozenset(
    {b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-original-url", b"x-rewrite-url"}
)
"""Headers by which some services are told another method or path than the request's own."""


class ForwardAuth(Pipeline):
    """Decides about requests of one service. `handle` answers an `Allowed`, or a refusal for the caller."""

    def __init__(self, services: Services, routes: RuleSet) -> None:
        super().__init__(services, routes)

    @property
    def proxies(self) -> Proxies:
        """Whose word counts about where a request came from."""
        return self._services.proxies

    def turn(self, routes: RuleSet) -> None:
        """Goes on with other rules."""
        self._routes = routes

    async def close(self) -> None:
        """Writes what was noted, and lets go of the store."""
        await self._services.close()

    def _chosen(self, request: Request, match: Match | None) -> Route | Surface:
        route = match.routes.get(request.method) if match else None
        if route is None:
            raise Refusal(
                errors.PATH_NOT_ALLOWED, "no rule is for this path" if match is None else "no rule for the method"
            )
        return route

    def _authorise(self, tenant: TenantEntry, route: Route, principal: Principal | None) -> None:
        assert isinstance(route, ProtectedRoute)
        for access in route.demands(principal):
            self._services.gate.authorise(tenant, access, route.endpoint, principal)


def forwarded_headers(headers: Headers, host: list[bytes]) -> Headers:
    """What of a foreign request's headers the gate looks at, and the `Host` that it was sent to.

    Raises `Refusal` (-2) for a header by which the service behind could be made to do something else than was judged,
    or to take the caller's word for the gate's.
    """
    kept: Headers = [(b"host", line) for line in host]
    for name, value in headers:
        meant = name.replace(b"_", b"-")  # as WSGI and CGI read it
        if name in _FORWARDED_HEADERS:
            kept.append((name, value))
        elif meant in _OVERRIDE_HEADERS:
            raise Refusal(errors.BAD_REQUEST, "a header that names another method or path")
        elif meant != name and meant.startswith(b"x-bedesten-"):
            raise Refusal(errors.BAD_REQUEST, "a header that can be taken for one of the gate's")
    return kept


def identity(context: RequestContext) -> Identity:
    """Who was admitted, in the words of the identity headers."""
    who = context.principal
    if who is None:
        return Identity(context.tenant.id, "", "", frozenset(), context.request_id)
    rights = who.scopes if who.key is None else who.grants if who.grants is not None else frozenset({"*"})
    return Identity(context.tenant.id, who.owner, who.surface.value, rights, context.request_id)
