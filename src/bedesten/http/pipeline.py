"""The steps of a request, top to bottom. Their order is part of the contract; `http.steps` holds the list.

1. framing: the target is a path; headers that may appear once are not repeated
2. revision check: this process knows every change that was made before the request arrived
3. host: the canonical `Host` names a tenant
4. CORS preflight: Storefront only: a preflight is answered here, without a credential
5. route: path and method lead to an operation; below a surface of API keys an unknown one goes on
6. refused address: an address with too many refusals waits
7. address limit: the tenant's limit for one address
8. credential: the bearer token or the API key is valid for this tenant
9. rate limits: the tenant's limits for itself and for one credential
10. idle time-out: the bearer token was used recently; this use is recorded
11. access: surface, scope or grant, and what the operator switched off
12. key usage: the use of the API key is recorded; written first if the secret is new
13. region: `h-region-code` has a valid form
14. media type: JSON in UTF-8, without a content coding
15. body: the body arrives within its size limit and its deadline
16. schema: strict JSON, and every field is valid
17. idempotency: `Idempotency-Key`: a stored answer is given again
18. handler: the operation, in its transaction: object, state, money
19. conditional GET: documents and cacheable routes: 304 if the client has the current version
20. refusal records: a refusal is logged and audited, and counts against the address
21. response: the envelope of success after COMMIT, or of the refusal, with the nearest rate limit
22. CORS headers: Storefront only: the tenant's origins may read the answer
23. metrics: status, error code and duration are counted

There is no other middleware. A refusal that is raised rolls the operation back.
"""

from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

import structlog

from bedesten import errors
from bedesten.core import request_digest
from bedesten.errors import Refusal
from bedesten.gate.access import Anonymous, Open
from bedesten.gate.auth_cache import TenantEntry
from bedesten.http import cors, idempotency, responses
from bedesten.http.admission import Admission, Allowed
from bedesten.http.context import LoginServices, RequestContext
from bedesten.http.failures import FailureHandler
from bedesten.http.message import ClientGone, Request, Response
from bedesten.http.refusals import refusals
from bedesten.http.route import Async, Checks, Reads, Reveals, Route, Static, Writes
from bedesten.http.route_map import RouteMap
from bedesten.http.schemas import RequestModel, decode_body, encode, parse
from bedesten.http.services import Services
from bedesten.http.state import RequestHeaders, RequestState
from bedesten.store.store import Store
from bedesten.store.transaction import Transaction

log = structlog.get_logger("bedesten.http")
Result = TypeVar("Result")


class Pipeline:
    """Answers requests: admission, then the route's handler. Keeps no state of its own between them."""

    def __init__(self, services: Services, routes: RouteMap) -> None:
        self._admission = Admission(services, routes)
        self._failures = FailureHandler(services)
        self._routes = routes
        self._store = services.store
        self._gate = services.gate
        self._cipher = services.cipher
        self._checkout_ms = services.checkout_ms
        self._metrics = services.request_log.metrics
        self._logins = LoginServices(
            services.store,
            services.gate,
            services.passwords,
            services.request_log,
            services.clock,
            services.min_password_length,
            services.throttle,
            services.shared_limits,
        )

    def begin(self, request: Request) -> RequestState:
        """The state of a request that has just arrived, for a caller of `handle` that looks at it afterwards."""
        return self._admission.begin(request)

    async def handle(self, request: Request, state: RequestState | None = None) -> Response:
        """The answer to one request. Raises only `ClientGone`: then no client waits for an answer."""
        state = state or self._admission.begin(request)
        try:
            response = await self._answer(request, state)
        except ClientGone:
            raise
        except Exception as problem:
            response = self._failures.respond(problem, request, state)
            _check_declared(state)
        response.headers += state.limit_headers
        cors.apply_headers(response, request, state.tenant)
        self._metrics.observe_request(state.surface, response.status, state.code, perf_counter() - state.started)
        return response

    async def _answer(self, request: Request, state: RequestState) -> Response:
        tenant = await self._admission.tenant(request, state)
        if cors.is_preflight(request):
            return cors.preflight(request, tenant, self._routes.find(request.path)[0], state.request_id)
        allowed = await self._admission.admit(request, tenant, state)
        context, route, headers = self._context(allowed), allowed.resource, state.headers
        if isinstance(route.handler, Static):
            return responses.not_modified_or(route.handler.action(context), request)
        if request.method != "GET":
            check_media_type(headers)
            context.body = await request.body.read(route.limit)
            if context.body and not headers.content_type and isinstance(route.access, Open | Anonymous):
                raise Refusal(errors.NOT_JSON, "no Content-Type on a route without a credential")
        response = responses.success(await self._run(context, route, headers), state.request_id)
        return responses.not_modified_or(responses.cacheable(response), request) if route.cacheable else response

    def _context(self, allowed: Allowed[Route]) -> RequestContext:
        state = allowed.state
        headers = state.headers
        return RequestContext(
            tenant=allowed.tenant,
            principal=allowed.principal,
            endpoint=allowed.resource.endpoint,
            request_id=state.request_id,
            address=state.address,
            region=region_of(headers, allowed.tenant),
            argument=allowed.argument,
            authority=headers.host[0],
            user_agent=headers.user_agent[0] if headers.user_agent else b"",
            cipher=self._cipher,
            keyring=self._gate.keyring,
            checkout_ms=self._checkout_ms,
        )

    async def _run(self, context: RequestContext, route: Route, headers: RequestHeaders) -> bytes:
        """Runs the handler and encodes its result."""
        strict = route.strict and not context.tenant.lenient
        body = decode_body(parse(context.body), route.body, strict=strict, raw=context.body)
        store, tenant = self._store, context.tenant.id
        match route.handler:
            case Reads(action):
                return encode(await store.read(tenant, action, context, body))
            case Writes(action, reveals):
                key = None if reveals else idempotency_key(headers)
                if key is None:
                    return encode(_raise_refusal(await store.write(tenant, action, context, body)))
                content = request_digest.digest(context.endpoint, context.argument, body)

                def work(tx: Transaction) -> object:
                    return action(tx, context, body)

                return _raise_refusal(await idempotency.answer(store, tenant, context.who.owner, key, content, work))
            case Reveals(action):
                return encode(await store.write(tenant, action, context, body))
            case Checks(action):
                return encode(await _undone(store, tenant, action, context, body))
            case Async(run):
                return encode(await run(context, self._logins, body))
        raise AssertionError("a static route has no body")


class _Undo(Exception):
    """Rolls a transaction back and carries what its action returned."""

    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result


async def _undone(
    store: Store, tenant: str, action: Callable[..., object], context: RequestContext, body: RequestModel
) -> object:
    """Runs the action, rolls its transaction back and returns its result."""

    def run(tx: Transaction) -> None:
        result = action(tx, context, body)
        tx.run_pending()
        raise _Undo(result)

    try:
        await store.write(tenant, run)
    except _Undo as undone:
        return undone.result
    raise AssertionError("the action's transaction is rolled back")


def check_media_type(headers: RequestHeaders) -> None:
    """Refuses a body that is not JSON in UTF-8 without a content coding; a missing type counts as JSON. Raises `Refusal`."""
    if headers.content_encoding and headers.content_encoding[0].strip().lower() not in (b"", b"identity"):
        raise Refusal(errors.NOT_JSON, "a Content-Encoding")
    if not headers.content_type:
        return
    kind, _, parameters = headers.content_type[0].lower().partition(b";")
    charset = parameters.strip().removeprefix(b"charset=").strip(b'"')
    if kind.strip() != b"application/json" or charset not in (b"", b"utf-8"):
        raise Refusal(errors.NOT_JSON, "another Content-Type")


def region_of(headers: RequestHeaders, tenant: TenantEntry) -> str:
    """The region that `h-region-code` names, or the tenant's own. Raises `Refusal` (-2)."""
    if not headers.region:
        return tenant.region
    code = headers.region[0].strip()
    if not 2 <= len(code) <= 16 or not code.replace(b"-", b"").isalnum():
        raise errors.bad_field("h-region-code", "2 to 16 letters, digits or hyphens")
    return code.decode("ascii").upper()


def idempotency_key(headers: RequestHeaders) -> str | None:
    """The `Idempotency-Key`, if one was sent. Raises `Refusal` (-2)."""
    if not headers.idempotency_key:
        return None
    key = headers.idempotency_key[0].strip()
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.decode("ascii").isprintable():
        raise errors.bad_field("Idempotency-Key", "1 to 255 printable ASCII characters")
    return key.decode("ascii")


def _raise_refusal(result: Result | Refusal) -> Result:
    """The result of an action. Raises a refusal that the action returned: its transaction has committed by then."""
    if isinstance(result, Refusal):
        raise result
    return result


def _check_declared(state: RequestState) -> None:
    """Logs a refusal that the route does not declare, so that the documents stay complete."""
    route = state.resource
    if isinstance(route, Route) and route.access.surface and state.error not in refusals(route):
        log.error("refusal-not-declared", endpoint=route.endpoint, code=state.code, request_id=state.request_id)
