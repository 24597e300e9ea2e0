"""The way of a request, top to bottom. The order of the checks is part of the contract.

framing → fence → Host → route → address limit → credential, scope or grant → media type and size → body → object,
state, money (the handler, in its transaction) → answer after COMMIT.

There is no other middleware. After a refusal nothing of the request was done.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypeVar

import structlog

from bedesten import errors
from bedesten.core import meaning
from bedesten.core.ids import request_id
from bedesten.errors import Refusal
from bedesten.gate.access import Anonymous, Open
from bedesten.gate.decide import Credentials
from bedesten.gate.directory import NOTHING, Entry, Loaded, TenantEntry, Unloaded, Want
from bedesten.gate.principal import Principal
from bedesten.gate.scopes import Surface
from bedesten.http import answer, cors, idempotency
from bedesten.http.call import Call, House
from bedesten.http.message import BodyStalled, BodyTooLarge, ClientGone, Headers, Request, Response
from bedesten.http.refusals import refusals
from bedesten.http.route import Finds, Match, Reads, Reveals, Route, RouteMap, Runs, Shows, Writes, keyed_surface
from bedesten.http.shapes import encode, parse, understand
from bedesten.ratelimit.limits import Ask, Verdict
from bedesten.ratelimit.throttle import counting_unit
from bedesten.store import patience
from bedesten.store.transaction import StoreUnavailable, Transaction
from bedesten.telemetry.observer import Seen

log = structlog.get_logger("bedesten.http")
Decision = TypeVar("Decision")
Answered = TypeVar("Answered")

_STALLED = Refusal(errors.BAD_REQUEST, "the body stopped coming")
_COUNTED = frozenset({errors.LOGIN_REFUSED.number, errors.UNKNOWN_HOST.number})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""What a resource could have. TRACE, CONNECT, and whatever is spelt otherwise are refused wherever they are sent."""
Explains = Callable[[Request, TenantEntry, bytes, str], Response | None]
"""A page for people in place of -3, where there is one: for a request, its tenant, its `Host` and its request id."""
MOST_LOADS = 8
"""A decision needs at most this many entries that the directory lacks: host and tenant, or two API keys and an account."""


@dataclass(slots=True)
class Head:
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


def read_head(request: Request) -> Head:
    """Sorts out the headers in one pass."""
    lines: tuple[list[bytes], ...] = ([], [], [], [], [], [], [], [], [])
    for name, value in request.headers:
        place = _NAMES.get(name)
        if place is not None:
            lines[place].append(value)
    return Head(*lines)


@dataclass(slots=True)
class Progress:
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

    def show(self, verdict: Verdict) -> None:
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

    def __init__(self, house: House, routes: Finds, explains: Explains | None = None) -> None:
        self._house = house
        self._routes = routes
        self._explains = explains

    async def handle(self, request: Request) -> Response:
        """The answer to one request. Raises only `ClientGone`: then there is nobody to answer."""
        begun = perf_counter()
        patience.limit()
        progress = Progress(request_id(), self._house.proxies.client(request))
        head = read_head(request)
        response = await self._answered(request, head, progress)
        response.headers += progress.headers
        cors.dress(response, request, progress.tenant)
        meter = self._house.observer.meter
        meter.answered(progress.surface, response.status, progress.code, perf_counter() - begun)
        return response

    async def _answered(self, request: Request, head: Head, progress: Progress) -> Response:
        try:
            return await self._answer(request, head, progress)
        except Refusal as refusal:
            refused = refusal
        except (StoreUnavailable, BodyTooLarge, BodyStalled) as problem:
            refused = _as_refusal(problem)
            if refused.row is errors.UNAVAILABLE:
                self._house.observer.meter.count("store_unavailable")
        except ClientGone:
            raise
        except Exception:
            log.exception("internal-error", request_id=progress.request_id, method=request.method[:16])
            refused = Refusal(errors.INTERNAL, "an exception")
        self._note(refused, request, progress)
        page = self._explained(refused, request, head, progress)
        if page is not None:
            return page
        response = answer.failure(refused, progress.request_id, b",".join(head.accept))
        response.close = refused is _STALLED
        return response

    def _explained(self, refused: Refusal, request: Request, head: Head, progress: Progress) -> Response | None:
        """What is not there, as a page, if a browser asks where pages are."""
        tenant = progress.tenant
        if self._explains is None or tenant is None or refused.row is not errors.NOT_FOUND:
            return None
        if isinstance(progress.route, Route) and progress.route.access.surface is not None:
            return None  # an operation was found: its callers get JSON
        if request.method not in ("GET", "HEAD") or not answer.prefers_page(b",".join(head.accept)):
            return None
        return self._explains(request, tenant, head.host[0], progress.request_id)

    async def _answer(self, request: Request, head: Head, progress: Progress) -> Response:
        house = self._house
        _check_framing(request, head)
        waits = perf_counter()
        await house.fence.passed()
        house.observer.meter.passed(waits)
        tenant = await self._decided(lambda loaded: house.gate.tenant(head.host, loaded))
        progress.tenant = tenant
        match = self._routes.find(request.path)
        if cors.is_preflight(request):
            return cors.preflight(request, tenant, match.routes if match else (), progress.request_id)
        route = progress.route = self._chosen(request, match)
        if route is None:
            raise self._no_route(request, match, tenant, None)
        now = house.clock()
        wait = house.throttle.admit(progress.address, now)
        if wait is not None:
            raise Refusal(errors.TOO_MANY_REQUESTS, "too many refusals", retry_after=wait)
        self._take(progress, tenant, now, address=counting_unit(progress.address))
        presented = Credentials(head.authorization, head.api_key, progress.address)
        if isinstance(route, Surface):
            surface = route
            await self._decided(lambda loaded: house.gate.knocks(tenant, surface, presented, now, loaded))
            raise self._no_route(request, match, tenant, surface)
        principal = await self._decided(
            lambda loaded: house.gate.authenticate(tenant, route.access, presented, now, loaded)
        )
        if principal is None:
            self._take(progress, tenant, now, tenant=tenant.id)
        else:
            progress.who = principal.owner
            self._take(progress, tenant, now, tenant=tenant.id, credential=principal.owner)
        if principal is not None and principal.token is not None:
            await house.idle.used(tenant, principal.surface, principal.token)
        self._authorise(tenant, route, principal)
        call = Call(
            house=house,
            tenant=tenant,
            principal=principal,
            endpoint=route.endpoint,
            request_id=progress.request_id,
            address=progress.address,
            region=_region(head, tenant),
            argument=match.argument if match else "",
            authority=head.host[0],
            user_agent=head.user_agent[0] if head.user_agent else b"",
        )
        await house.key_watch.used(call, head.api_key, head.user_agent, now)
        if isinstance(route.handler, Shows):
            return answer.unless_known(route.handler.action(call), request)
        if request.method != "GET":
            _check_media_type(head)
            call.body = await request.body.read(route.limit)
            if call.body and not head.content_type and isinstance(route.access, Open | Anonymous):
                raise Refusal(errors.NOT_JSON, "no Content-Type on a route without a credential")
        return answer.success(await self._handled(call, route, head), progress.request_id)

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
        self._house.gate.authorise(tenant, route.access, route.endpoint, principal)

    async def _handled(self, call: Call, route: Route, head: Head) -> bytes:
        body = understand(parse(call.body), route.body, strict=route.strict and not call.tenant.lenient, raw=call.body)
        store, tenant = self._house.store, call.tenant.id
        match route.handler:
            case Reads(action):
                return encode(await store.read(tenant, action, call, body))
            case Writes(action, reveals):
                key = None if reveals else _idempotency_key(head)
                if key is None:
                    return encode(_kept(await store.write(tenant, action, call, body)))
                content = meaning.digest(call.endpoint, call.argument, body)

                def once(tx: Transaction) -> bytes | Refusal:
                    return idempotency.once(tx, call.who.owner, key, content, lambda: action(tx, call, body))

                return _kept(await store.write(tenant, once))
            case Reveals(action):
                return encode(await store.write(tenant, action, call, body))
            case Runs(run):
                return encode(await run(call, body))
        raise AssertionError("a page has no body")

    async def _decided(self, decide: Callable[[Loaded], Decision]) -> Decision:
        """Asks the gate, and reads what the directory lacks until it can tell."""
        try:
            return decide(NOTHING)
        except Unloaded as unloaded:
            want = unloaded.want
        loaded: dict[Want, Entry | None] = {}
        for _ in range(MOST_LOADS):
            loaded[want] = await self._house.fence.load(want)
            try:
                return decide(loaded)
            except Unloaded as unloaded:
                want = unloaded.want
        raise AssertionError("a decision that never ends")

    def _take(self, progress: Progress, tenant: TenantEntry, now: int, /, **names: str) -> None:
        """Takes the request out of the limits that the operator set for the tenant, out of all of these or of none."""
        limits = tenant.limits
        asks = [Ask(kind, f"{tenant.id} {kind} {name}", limits[kind]) for kind, name in names.items() if kind in limits]
        if not asks:
            return
        verdicts = sorted(self._house.limits.take(asks, now), key=lambda verdict: verdict.retry)
        for verdict in verdicts:
            progress.show(verdict)
        if not verdicts[-1].allowed:
            raise Refusal(errors.TOO_MANY_REQUESTS, "over a rate limit", retry_after=verdicts[-1].retry)

    def _note(self, refusal: Refusal, request: Request, progress: Progress) -> None:
        """The precise cause goes to log and trail, and what smells of guessing is counted against the address."""
        row, route, now = refusal.row, progress.route, self._house.clock()
        progress.code = row.number
        if row.status in (401, 403) or row.number in _COUNTED:
            self._house.throttle.refused(progress.address, now)
        seen = Seen(
            request_id=progress.request_id,
            method=request.method,
            address=progress.address,
            tenant=progress.tenant.id if progress.tenant else "",
            surface=progress.surface,
            endpoint=route.endpoint if isinstance(route, Route) else "",
            who=progress.who,
        )
        self._house.observer.refused(refusal, seen, now)
        if isinstance(route, Route) and route.access.surface and row not in refusals(route):
            log.error("refusal-not-declared", endpoint=route.endpoint, code=row.number, request_id=progress.request_id)


def _kept(answered: Answered | Refusal) -> Answered:
    """What an action answered. A refusal that it answers, and does not raise, is raised after COMMIT: what it did stays."""
    if isinstance(answered, Refusal):
        raise answered
    return answered


def _check_framing(request: Request, head: Head) -> None:
    if not request.path.startswith(b"/"):
        raise Refusal(errors.BAD_REQUEST, "the request's target is no path")
    for lines in (head.content_type, head.content_encoding, head.region, head.idempotency_key):
        if len(lines) > 1:
            raise Refusal(errors.BAD_REQUEST, "a header that may stand once was repeated")


def _check_media_type(head: Head) -> None:
    if head.content_encoding and head.content_encoding[0].strip().lower() not in (b"", b"identity"):
        raise Refusal(errors.NOT_JSON, "a Content-Encoding")
    if not head.content_type:
        return
    kind, _, parameters = head.content_type[0].lower().partition(b";")
    charset = parameters.strip().removeprefix(b"charset=").strip(b'"')
    if kind.strip() != b"application/json" or charset not in (b"", b"utf-8"):
        raise Refusal(errors.NOT_JSON, "another Content-Type")


def _region(head: Head, tenant: TenantEntry) -> str:
    if not head.region:
        return tenant.region
    code = head.region[0].strip()
    if not 2 <= len(code) <= 16 or not code.replace(b"-", b"").isalnum():
        raise errors.bad_field("h-region-code", "2 to 16 letters, digits or hyphens")
    return code.decode("ascii").upper()


def _idempotency_key(head: Head) -> str | None:
    if not head.idempotency_key:
        return None
    key = head.idempotency_key[0].strip()
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
