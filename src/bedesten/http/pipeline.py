"""The way of a request, top to bottom. The order of the checks is part of the contract.

framing → revision check → Host → route → address limit → credential, scope or grant → media type and size → body → object,
state, money (the handler, in its transaction) → answer after COMMIT.

There is no other middleware. After a refusal nothing of the request was done.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeVar

import structlog

from bedesten import errors
from bedesten.core import request_digest
from bedesten.core.ids import request_id
from bedesten.errors import Refusal
from bedesten.gate.access import Anonymous, Open
from bedesten.gate.auth_cache import EMPTY, CacheKey, CacheMiss, Entry, Fetched, TenantEntry
from bedesten.gate.decide import Credentials
from bedesten.gate.principal import Principal
from bedesten.gate.scopes import Surface
from bedesten.http import cors, idempotency, responses
from bedesten.http.context import RequestContext, Services
from bedesten.http.message import BodyStalled, BodyTooLarge, ClientGone, Headers, Request, Response
from bedesten.http.refusals import refusals
from bedesten.http.route import Async, Match, Reads, Reveals, Route, RouteMap, Router, Static, Writes, keyed_surface
from bedesten.http.schemas import decode_body, encode, parse
from bedesten.ratelimit.limits import LimitStatus, RateLimit
from bedesten.ratelimit.throttle import counting_unit
from bedesten.store import wait_budget
from bedesten.store.transaction import StoreUnavailable, Transaction
from bedesten.telemetry.request_log import RequestInfo

log = structlog.get_logger("bedesten.http")
Decision = TypeVar("Decision")
Answered = TypeVar("Answered")

_STALLED = Refusal(errors.BAD_REQUEST, "the body stopped coming")
_COUNTED = frozenset({errors.LOGIN_REFUSED.number, errors.UNKNOWN_HOST.number})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What a resource could have. TRACE, CONNECT, and whatever is spelt otherwise are refused wherever they are sent."""
NotFoundPage = Callable[[Request, TenantEntry, bytes, str], Response | None]
"""A page for people in place of -3, where there is one: for a request, its tenant, its `Host` and its request id."""
MAX_LOADS = 8
"""A decision needs at most this many entries that the directory lacks: host and tenant, or two API keys and an account."""


@dataclass(slots=True)
class RequestHeaders:
    """The headers that mean something here, every line of them, so that a repeated one is seen."""

    host: list[bytes]
    authorization: list[bytes]
    api_key: list[bytes]
    content_type: list[bytes]
    content_encoding: list[bytes]
    accept: list[bytes]
    region: list[bytes]
    idempotency_key: list[bytes]
    user_agent: list[bytes]


_NAMES = {
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
    """Sorts out the headers in one pass."""
    lines: tuple[list[bytes], ...] = ([], [], [], [], [], [], [], [], [])
    for name, value in request.headers:
        place = _NAMES.get(name)
        if place is not None:
            lines[place].append(value)
    return RequestHeaders(*lines)


@dataclass(slots=True)
class RequestState:
    """What has become known of a request on its way: enough to answer it whatever happens next."""

    request_id: str
    address: str
    tenant: TenantEntry | None = None
    route: Route | Surface | None = None
    who: str = ""
    code: int = 0
    headers: Headers = field(default_factory=list)
    tightest: int | None = None

    @property
    def surface(self) -> str:
        """The surface that the request is for, as far as it is known: a documentation page is of none."""
        if self.route is None:
            return "unknown"
        surface = self.route if isinstance(self.route, Surface) else self.route.access.surface
        return surface.value if surface else "public"

    def show(self, verdict: LimitStatus) -> None:
        """Puts a limit's state into the answer, if it is the tightest one so far or the one that refuses."""
        if self.tightest is None or not verdict.allowed or verdict.remaining < self.tightest:
            self.tightest = verdict.remaining
            self.headers = [
                (b"ratelimit-limit", b"%d" % verdict.limit),
                (b"ratelimit-remaining", b"%d" % verdict.remaining),
                (b"ratelimit-reset", b"%d" % verdict.reset),
            ]


class Pipeline:
    """Answers requests. Holds no state of its own between two of them."""

    def __init__(self, services: Services, routes: Router, explains: NotFoundPage | None = None) -> None:
        self._services = services
        self._routes = routes
        self._explains = explains

    async def handle(self, request: Request) -> Response:
        """The answer to one request. Raises only `ClientGone`: then there is nobody to answer."""
        begun = perf_counter()
        wait_budget.limit()
        state = RequestState(request_id(), self._services.proxies.client(request))
        headers = read_headers(request)
        response = await self._answered(request, headers, state)
        response.headers += state.headers
        cors.apply_headers(response, request, state.tenant)
        metrics = self._services.request_log.metrics
        metrics.observe_request(state.surface, response.status, state.code, perf_counter() - begun)
        return response

    async def _answered(self, request: Request, headers: RequestHeaders, state: RequestState) -> Response:
        try:
            return await self._answer(request, headers, state)
        except Refusal as refusal:
            refused = refusal
        except (StoreUnavailable, BodyTooLarge, BodyStalled) as problem:
            refused = _as_refusal(problem)
            if refused.code is errors.UNAVAILABLE:
                self._services.request_log.metrics.count("store_unavailable")
        except ClientGone:
            raise
        except Exception:
            log.exception("internal-error", request_id=state.request_id, method=request.method[:16])
            refused = Refusal(errors.INTERNAL, "an exception")
        self._note(refused, request, state)
        page = self._explained(refused, request, headers, state)
        if page is not None:
            return page
        response = responses.error_response(refused, state.request_id, b",".join(headers.accept))
        response.close = refused is _STALLED
        return response

    def _explained(
        self, refused: Refusal, request: Request, headers: RequestHeaders, state: RequestState
    ) -> Response | None:
        """What is not there, as a page, if a browser asks where pages are."""
        tenant = state.tenant
        if self._explains is None or tenant is None or refused.code is not errors.NOT_FOUND:
            return None
        if isinstance(state.route, Route) and state.route.access.surface is not None:
            return None  # an operation was found: its callers get JSON
        if request.method not in ("GET", "HEAD") or not responses.prefers_page(b",".join(headers.accept)):
            return None
        return self._explains(request, tenant, headers.host[0], state.request_id)

    async def _answer(self, request: Request, headers: RequestHeaders, state: RequestState) -> Response:
        services = self._services
        _check_framing(request, headers)
        waits = perf_counter()
        await services.revision_check.confirm()
        services.request_log.metrics.observe_revision_check(waits)
        tenant = await self._decided(lambda fetched: services.gate.tenant(headers.host, fetched))
        state.tenant = tenant
        match = self._routes.find(request.path)
        if cors.is_preflight(request):
            return cors.preflight(request, tenant, match.routes if match else (), state.request_id)
        route = state.route = self._chosen(request, match)
        if route is None:
            raise self._no_route(request, match, tenant, None)
        now = services.clock()
        wait = services.throttle.admit(state.address, now)
        if wait is not None:
            raise Refusal(errors.TOO_MANY_REQUESTS, "too many refusals", retry_after=wait)
        self._take(state, tenant, now, address=counting_unit(state.address))
        credentials = Credentials(headers.authorization, headers.api_key, state.address)
        if isinstance(route, Surface):
            surface = route
            await self._decided(
                lambda fetched: services.gate.require_key_of_surface(tenant, surface, credentials, now, fetched)
            )
            raise self._no_route(request, match, tenant, surface)
        principal = await self._decided(
            lambda fetched: services.gate.authenticate(tenant, route.access, credentials, now, fetched)
        )
        if principal is None:
            self._take(state, tenant, now, tenant=tenant.id)
        else:
            state.who = principal.owner
            self._take(state, tenant, now, tenant=tenant.id, credential=principal.owner)
        if principal is not None and principal.token is not None:
            await services.idle.record_use(tenant, principal.surface, principal.token)
        self._authorise(tenant, route, principal)
        context = RequestContext(
            services=services,
            tenant=tenant,
            principal=principal,
            endpoint=route.endpoint,
            request_id=state.request_id,
            address=state.address,
            region=_region(headers, tenant),
            argument=match.argument if match else "",
            authority=headers.host[0],
            user_agent=headers.user_agent[0] if headers.user_agent else b"",
        )
        await services.key_usage.record_use(context, headers.api_key, headers.user_agent, now)
        if isinstance(route.handler, Static):
            return responses.not_modified_or(route.handler.action(context), request)
        if request.method != "GET":
            _check_media_type(headers)
            context.body = await request.body.read(route.limit)
            if context.body and not headers.content_type and isinstance(route.access, Open | Anonymous):
                raise Refusal(errors.NOT_JSON, "no Content-Type on a route without a credential")
        return responses.success(await self._handled(context, route, headers), state.request_id)

    def _chosen(self, request: Request, match: Match | None) -> Route | Surface | None:
        """What a request asks for: a route, or a surface of API keys, whose own callers only may learn that there is none,
        or nothing. Raises `Refusal` for a method that there is nowhere."""
        route = match.routes.get(request.method) if match else None
        found = route or keyed_surface(request.path, match)
        if request.method not in METHODS and match is None and found is None:
            raise Refusal(errors.METHOD_NOT_ALLOWED, "a method of no use here", headers=((b"allow", b"GET, POST"),))
        return found

    def _no_route(self, request: Request, match: Match | None, tenant: TenantEntry, surface: Surface | None) -> Refusal:
        """The refusal of a path or a method that there is not, with the nearest operation that the caller may know."""
        if match is not None:
            allow = ", ".join(sorted(match.routes)).encode()
            return Refusal(errors.METHOD_NOT_ALLOWED, "no such method here", headers=((b"allow", allow),))

        def allows(route: Route) -> bool:
            return route.access.surface is not None and tenant.allows(route.access.surface, route.endpoint)

        near = self._routes.nearest(request.path, surface, allows) if isinstance(self._routes, RouteMap) else ""
        fields = {"path": f"the nearest operation is {near}"} if near else None
        return Refusal(errors.NOT_FOUND, "no such path", fields=fields, missing="operation")

    def _authorise(self, tenant: TenantEntry, route: Route, principal: Principal | None) -> None:
        """Whether the caller may have it. Raises `Refusal`."""
        self._services.gate.authorise(tenant, route.access, route.endpoint, principal)

    async def _handled(self, context: RequestContext, route: Route, headers: RequestHeaders) -> bytes:
        strict = route.strict and not context.tenant.lenient
        body = decode_body(parse(context.body), route.body, strict=strict, raw=context.body)
        store, tenant = self._services.store, context.tenant.id
        match route.handler:
            case Reads(action):
                return encode(await store.read(tenant, action, context, body))
            case Writes(action, reveals):
                key = None if reveals else _idempotency_key(headers)
                if key is None:
                    return encode(_kept(await store.write(tenant, action, context, body)))
                content = request_digest.digest(context.endpoint, context.argument, body)

                def once(tx: Transaction) -> bytes | Refusal:
                    return idempotency.once(tx, context.who.owner, key, content, lambda: action(tx, context, body))

                return _kept(await store.write(tenant, once))
            case Reveals(action):
                return encode(await store.write(tenant, action, context, body))
            case Async(run):
                return encode(await run(context, body))
        raise AssertionError("a page has no body")

    async def _decided(self, decide: Callable[[Fetched], Decision]) -> Decision:
        """Asks the gate, and reads what the directory lacks until it can tell."""
        try:
            return decide(EMPTY)
        except CacheMiss as miss:
            key = miss.key
        fetched: dict[CacheKey, Entry | None] = {}
        for _ in range(MAX_LOADS):
            fetched[key] = await self._services.revision_check.load(key)
            try:
                return decide(fetched)
            except CacheMiss as miss:
                key = miss.key
        raise AssertionError("a decision that never ends")

    def _take(self, state: RequestState, tenant: TenantEntry, now: int, /, **names: str) -> None:
        """Takes the request out of the limits that the operator set for the tenant, out of all of these or of none."""
        limits = tenant.limits
        asks = [
            RateLimit(kind, f"{tenant.id} {kind} {name}", limits[kind])
            for kind, name in names.items()
            if kind in limits
        ]
        if not asks:
            return
        verdicts = sorted(self._services.limits.take(asks, now), key=lambda verdict: verdict.retry)
        for verdict in verdicts:
            state.show(verdict)
        if not verdicts[-1].allowed:
            raise Refusal(errors.TOO_MANY_REQUESTS, "over a rate limit", retry_after=verdicts[-1].retry)

    def _note(self, refusal: Refusal, request: Request, state: RequestState) -> None:
        """The precise cause goes to log and trail, and what smells of guessing is counted against the address."""
        code, route, now = refusal.code, state.route, self._services.clock()
        state.code = code.number
        if code.status in (401, 403) or code.number in _COUNTED:
            self._services.throttle.refused(state.address, now)
        request_info = RequestInfo(
            request_id=state.request_id,
            method=request.method,
            address=state.address,
            tenant=state.tenant.id if state.tenant else "",
            surface=state.surface,
            endpoint=route.endpoint if isinstance(route, Route) else "",
            who=state.who,
        )
        self._services.request_log.log_refusal(refusal, request_info, now)
        if isinstance(route, Route) and route.access.surface and code not in refusals(route):
            log.error("refusal-not-declared", endpoint=route.endpoint, code=code.number, request_id=state.request_id)


def _kept(answered: Answered | Refusal) -> Answered:
    """What an action answered. A refusal that it answers, and does not raise, is raised after COMMIT: what it did stays."""
    if isinstance(answered, Refusal):
        raise answered
    return answered


def _check_framing(request: Request, headers: RequestHeaders) -> None:
    if not request.path.startswith(b"/"):
        raise Refusal(errors.BAD_REQUEST, "the request's target is no path")
    for lines in (headers.content_type, headers.content_encoding, headers.region, headers.idempotency_key):
        if len(lines) > 1:
            raise Refusal(errors.BAD_REQUEST, "a header that may stand once was repeated")


def _check_media_type(headers: RequestHeaders) -> None:
    if headers.content_encoding and headers.content_encoding[0].strip().lower() not in (b"", b"identity"):
        raise Refusal(errors.NOT_JSON, "a Content-Encoding")
    if not headers.content_type:
        return
    kind, _, parameters = headers.content_type[0].lower().partition(b";")
    charset = parameters.strip().removeprefix(b"charset=").strip(b'"')
    if kind.strip() != b"application/json" or charset not in (b"", b"utf-8"):
        raise Refusal(errors.NOT_JSON, "another Content-Type")


def _region(headers: RequestHeaders, tenant: TenantEntry) -> str:
    if not headers.region:
        return tenant.region
    code = headers.region[0].strip()
    if not 2 <= len(code) <= 16 or not code.replace(b"-", b"").isalnum():
        raise errors.bad_field("h-region-code", "2 to 16 letters, digits or hyphens")
    return code.decode("ascii").upper()


def _idempotency_key(headers: RequestHeaders) -> str | None:
    if not headers.idempotency_key:
        return None
    key = headers.idempotency_key[0].strip()
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.decode("ascii").isprintable():
        raise errors.bad_field("Idempotency-Key", "1 to 255 printable ASCII characters")
    return key.decode("ascii")


def _as_refusal(problem: Exception) -> Refusal:
    if isinstance(problem, StoreUnavailable):
        refusal = Refusal(errors.UNAVAILABLE, str(problem), retry_after=1)
        refusal.__cause__ = problem
        return refusal
    if isinstance(problem, BodyTooLarge):
        return Refusal(errors.TOO_LARGE, "the body is too long")
    return _STALLED
