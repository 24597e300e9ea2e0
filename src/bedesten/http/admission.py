"""Admission: every step of a request up to the decision whether it may go on.

The pipeline of the four surfaces, forward-auth and the Python middleware compose this one object. It returns `Allowed`
or raises `Refusal` before any handler runs. `http.steps` names the steps in their order.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Generic, TypeVar

from bedesten import errors
from bedesten.audit.actions import Actor
from bedesten.core.ids import request_id
from bedesten.errors import Refusal
from bedesten.gate.access import AnyKey, Keyed
from bedesten.gate.api_keys import address_allowed
from bedesten.gate.auth_cache import CacheKey, CacheMiss, Entry, Fetched, KeyEntry, TenantEntry
from bedesten.gate.decide import Credentials, no_tenant
from bedesten.gate.decision_table import ABSENT, DecisionTable, LastingRefusal, RememberedRefusal, end_of
from bedesten.gate.principal import Principal
from bedesten.http.message import Request
from bedesten.http.route import Resource, ResourceT, Router
from bedesten.http.services import Services
from bedesten.http.state import RequestHeaders, RequestState, read_headers
from bedesten.ratelimit.limits import RateLimit
from bedesten.ratelimit.throttle import counting_unit
from bedesten.store import wait_budget

Decision = TypeVar("Decision")
_BY_KEY = (Keyed, AnyKey)
MAX_LOADS = 8
"""Maximum entries that one decision reads from the store: host and tenant, or two API keys and an account."""


@dataclass(slots=True)
class Allowed(Generic[ResourceT]):
    """A request that may go on: its resource and its caller. `principal` is None where no credential is needed."""

    resource: ResourceT
    argument: str
    tenant: TenantEntry
    principal: Principal | None
    state: RequestState


class Admission(Generic[ResourceT]):
    """Decides about requests. Keeps no state of its own between them."""

    def __init__(self, services: Services, router: Router[ResourceT]) -> None:
        self._services = services
        self._router = router
        self._gate = services.gate
        self._revision_check = services.revision_check
        self._clock = services.clock
        self._metrics = services.request_log.metrics

    def begin(self, request: Request) -> RequestState:
        """The state of a request that has just arrived, under a fresh request id. Starts its budget of store waits."""
        named = request_id()
        wait_budget.limit(request_id=named)
        return RequestState(named, self._services.proxies.client(request), read_headers(request), perf_counter())

    async def tenant(self, request: Request, state: RequestState) -> TenantEntry:
        """The tenant whose host the request names: framing, revision check, host. Raises `Refusal`."""
        check_framing(request, state.headers)
        started = perf_counter()
        if not self._revision_check.confirmed():
            await self._revision_check.confirm()
        self._metrics.observe_revision_check(started)
        decisions = state.decisions = self._gate.decisions()
        host = state.headers.host
        tenant = decisions.tenant(host[0]) if len(host) == 1 else None
        if tenant is None:
            tenant = await self._find_tenant(host, decisions)
        state.tenant = tenant
        return tenant

    async def _find_tenant(self, host: list[bytes], decisions: DecisionTable) -> TenantEntry:
        if len(host) == 1 and decisions.names_no_tenant(host[0]):
            raise no_tenant()
        try:
            try:
                tenant = self._gate.tenant(host)
            except CacheMiss as miss:
                tenant = await self._decide_with_store(miss.key, partial(self._gate.tenant, host))
        except LastingRefusal:
            decisions.put_unknown_host(host[0])
            raise
        decisions.put_tenant(host[0], tenant)
        return tenant

    async def admit(self, request: Request, tenant: TenantEntry, state: RequestState) -> Allowed[ResourceT]:
        """Decides about a tenant's request: route, limits, credential, access, key usage. Raises `Refusal`."""
        match = self._router.match(request, tenant)
        resource = state.resource = match.resource
        now = self._clock()
        self._check_address(state.address, now)
        if tenant.limits:
            await self._take(state, tenant, now, address=counting_unit(state.address))
        known = self._known(tenant, resource, state, now)
        refused = None if known is not None else self._refused(tenant, resource, state, now)
        if refused is not None and refused.principal is None:
            raise refused.refusal.copy()
        principal = known or (refused.principal if refused else await self._authenticate(tenant, resource, state, now))
        if principal is None:
            if tenant.limits:
                await self._take(state, tenant, now, tenant=tenant.id)
        else:
            state.owner = principal.owner
            if tenant.limits:
                await self._take(state, tenant, now, tenant=tenant.id, credential=principal.owner)
            if principal.token is not None and tenant.idle[principal.surface] is not None:
                await self._services.idle_timeout.record_use(tenant, principal.surface, principal.token)
        if refused is not None:
            raise refused.refusal.copy()
        if known is None:
            self._authorise(tenant, resource, principal, state, now)
        if principal is not None and principal.key is not None:
            principal = await self._record_key_use(principal, principal.key, state, now)
        return Allowed(resource, match.argument, tenant, principal, state)

    def _check_address(self, address: str, now: int) -> None:
        wait = self._services.throttle.admit(address, now)
        if wait is not None:
            raise Refusal(errors.TOO_MANY_REQUESTS, "too many refusals", retry_after=wait)

    async def _authenticate(
        self, tenant: TenantEntry, resource: ResourceT, state: RequestState, now: int
    ) -> Principal | None:
        credentials = Credentials(state.headers.authorization, state.headers.api_key, state.address)
        try:
            try:
                return self._gate.authenticate(tenant, resource.access, credentials, now)
            except CacheMiss as miss:
                ask = partial(self._gate.authenticate, tenant, resource.access, credentials, now)
                return await self._decide_with_store(miss.key, ask)
        except LastingRefusal as refusal:
            self._remember(tenant, resource, state, RememberedRefusal(refusal.copy(), None, now, refusal.ends))
            raise

    def _known(self, tenant: TenantEntry, resource: ResourceT, state: RequestState, now: int) -> Principal | None:
        """The cached principal of the same credential for this resource, if it still holds (`gate.decision_table`)."""
        credential = _credential(resource, state.headers)
        if credential is None or credential is ABSENT or state.decisions is None:
            return None
        principal = state.decisions.get(resource, tenant, credential, now)
        if principal is not None and principal.key is not None and principal.key.networks:
            return principal if address_allowed(principal.key.networks, state.address) else None
        return principal

    def _refused(
        self, tenant: TenantEntry, resource: ResourceT, state: RequestState, now: int
    ) -> RememberedRefusal | None:
        """The cached refusal of the same credential for this resource, if it still holds (`gate.decision_table`)."""
        credential = _credential(resource, state.headers)
        if credential is None or state.decisions is None:
            return None
        return state.decisions.refusal(resource, tenant, credential, _address(resource, state), now)

    def _remember(
        self, tenant: TenantEntry, resource: ResourceT, state: RequestState, refused: RememberedRefusal
    ) -> None:
        credential = _credential(resource, state.headers)
        if credential is not None and state.decisions is not None:
            state.decisions.put_refusal(resource, tenant, credential, _address(resource, state), refused)

    def _authorise(
        self, tenant: TenantEntry, resource: ResourceT, principal: Principal | None, state: RequestState, now: int
    ) -> None:
        """Checks every access that the resource demands, and caches the decision."""
        try:
            self._gate.authorise(tenant, resource.access, resource.endpoint, principal)
            for access in resource.further:
                self._gate.authorise(tenant, access, resource.endpoint, principal)
        except Refusal as refusal:
            if principal is not None:
                ends = end_of(principal)
                self._remember(tenant, resource, state, RememberedRefusal(refusal.copy(), principal, now, ends))
            raise
        credential = _credential(resource, state.headers)
        if principal is not None and credential is not None and state.decisions is not None:
            state.decisions.put(resource, tenant, credential, principal)

    async def _record_key_use(self, principal: Principal, key: KeyEntry, state: RequestState, now: int) -> Principal:
        key_usage, headers = self._services.key_usage, state.headers
        if key_usage.needs_write(key):
            actor = Actor(principal.owner, state.request_id)
            key = await key_usage.write_first_use(key, headers.api_key, actor)
            principal = replace(principal, key=key)
        key_usage.record_use(key, headers.user_agent, state.address, now)
        return principal

    async def _decide_with_store(self, key: CacheKey, decide: Callable[[Fetched], Decision]) -> Decision:
        """Loads the entries that the auth cache lacks and asks the gate again, until it can decide.

        It keeps no exception: one would hold this frame, and so the request and its connection, in a reference cycle.
        """
        fetched: dict[CacheKey, Entry | None] = {}
        for _ in range(MAX_LOADS):
            fetched[key] = await self._revision_check.load(key)
            try:
                return decide(fetched)
            except CacheMiss as miss:
                key = miss.key
        raise AssertionError(f"a decision needs more than {MAX_LOADS} entries")

    async def _take(self, state: RequestState, tenant: TenantEntry, now: int, /, **names: str) -> None:
        """Counts the request against all the tenant's limits of these kinds, or against none. Raises `Refusal` (-7)."""
        limits = tenant.limits
        asked = [
            RateLimit(kind, f"{tenant.id} {kind} {name}", limits[kind])
            for kind, name in names.items()
            if kind in limits
        ]
        if not asked:
            return
        found = self._services.rate_limiter.take(asked, now)
        shared = self._services.shared_limits
        if shared is not None and all(status.allowed for status in found):
            waiting = shared.note(asked, now)
            if waiting:
                found = await shared.confirm(asked, waiting, now)
        statuses = sorted(found, key=lambda status: status.retry)
        for status in statuses:
            state.show_limit(status)
        if not statuses[-1].allowed:
            raise Refusal(errors.TOO_MANY_REQUESTS, "over a rate limit", retry_after=statuses[-1].retry)


def _credential(resource: Resource, headers: RequestHeaders) -> bytes | None:
    """The only line of the credential header that the resource uses; `ABSENT` if there is none, None if several."""
    lines = headers.api_key if isinstance(resource.access, _BY_KEY) else headers.authorization
    if not lines:
        return ABSENT
    return lines[0] if len(lines) == 1 else None


def _address(resource: Resource, state: RequestState) -> str:
    """The caller's address if the decision about the credential depends on it, else empty."""
    return state.address if isinstance(resource.access, _BY_KEY) else ""


def check_framing(request: Request, headers: RequestHeaders) -> None:
    """Refuses a target that is not a path, and headers that may appear once and are repeated. Raises `Refusal` (-2)."""
    if not request.path.startswith(b"/"):
        raise Refusal(errors.BAD_REQUEST, "the request target is not a path")
    if (
        len(headers.content_type) > 1
        or len(headers.content_encoding) > 1
        or len(headers.region) > 1
        or len(headers.idempotency_key) > 1
    ):
        raise Refusal(errors.BAD_REQUEST, "a header that may appear once is repeated")
