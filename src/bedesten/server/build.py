"""The composition root: turns settings into a store, a gate, a pipeline and an application."""

import asyncio
from dataclasses import replace

import structlog

from bedesten.admin.master_secrets import incompatibility
from bedesten.apidocs import openapi_routes, site_routes
from bedesten.apidocs.not_found import NotFoundPages
from bedesten.core.clock import MINUTE, SECOND, Clock, system_clock
from bedesten.gate.auth_cache import AuthCache
from bedesten.gate.decide import Gate
from bedesten.http.asgi import Adapter
from bedesten.http.idle_timeout import IdleTimeout
from bedesten.http.key_usage import KeyUsageRecorder
from bedesten.http.password_hash_pool import PasswordHashPool
from bedesten.http.pipeline import Pipeline
from bedesten.http.proxies import Proxies
from bedesten.http.revision_check import RevisionCheck
from bedesten.http.route import Route
from bedesten.http.route_map import RouteMap
from bedesten.http.services import Services
from bedesten.ratelimit.limits import Counters, RateLimiter
from bedesten.ratelimit.shared import SharedLimits
from bedesten.ratelimit.throttle import AddressThrottle
from bedesten.server.installation import Installation, open_for_server
from bedesten.server.logs import configure
from bedesten.server.settings import Settings
from bedesten.server.shared_limits import open_buckets
from bedesten.store import wait_budget
from bedesten.store.tables import InstallationSettings
from bedesten.store.transaction import StoreUnavailable
from bedesten.surfaces import operations
from bedesten.telemetry import tracing
from bedesten.telemetry.request_log import RequestLog

log = structlog.get_logger("bedesten.server")

OPEN_TIMEOUT_S = 10.0
"""Longest wait for a silent store when a process starts."""

ROUTES: tuple[Route, ...] = (
    *operations.ROUTES,
    *site_routes.ROUTES,
    *openapi_routes.ROUTES,
)
"""Every operation that answers on a tenant's host."""


def open_services(installation: Installation, clock: Clock = system_clock) -> Services:
    """The services of one web process."""
    auth_cache = AuthCache()
    gate = Gate(auth_cache, installation.keyring, installation.issuer)

    async def know(installed: InstallationSettings) -> None:
        if installed.issuer != installation.issuer:
            raise StoreUnavailable("the store is another installation's: start the server again")
        if incompatibility(installed, gate.keyring):
            fresh = await asyncio.to_thread(installation.master_secrets.for_store, installed)
            gate.use_keyring(fresh)
            installation.cipher.use_keyring(fresh)

    counters = Counters(installation.settings.limits_file)
    if not counters.shared:
        log.warning("limits-not-shared", file=str(installation.settings.limits_file))

    rate_limiter, throttle = RateLimiter(counters), AddressThrottle(counters, limit=600, window_ms=MINUTE)
    buckets = open_buckets(installation.settings, installation.issuer) if clock is system_clock else None
    return Services(
        store=installation.store,
        gate=gate,
        revision_check=RevisionCheck(installation.store, auth_cache, know),
        cipher=installation.cipher,
        passwords=PasswordHashPool(lambda: gate.keyring),
        idle_timeout=IdleTimeout(installation.store, clock),
        key_usage=KeyUsageRecorder(installation.store, lambda: gate.keyring, clock),
        throttle=throttle,
        rate_limiter=rate_limiter,
        shared_limits=SharedLimits(buckets, rate_limiter, throttle) if buckets else None,
        proxies=Proxies(installation.settings.trusted_proxies, installation.settings.proxy_header),
        clock=clock,
        request_log=RequestLog(installation.store, clock, installation.settings.metrics_directory),
        checkout_ms=installation.settings.checkout_seconds * SECOND,
        min_password_length=installation.settings.password_minimum,
    )


def web_application(settings_json: str) -> Adapter:
    """The ASGI application of one web process."""
    settings = Settings.model_validate_json(settings_json)
    configure(settings.log_level)
    traces = tracing.start("web")
    with wait_budget.limited(OPEN_TIMEOUT_S):
        installation = open_for_server(settings)
        if traces is not None:
            from bedesten.telemetry.traced_store import TracedStore

            installation = replace(installation, store=TracedStore(installation.store, traces))
        services = open_services(installation)

    async def started() -> None:
        await services.revision_check.confirm()  # a process that cannot answer does not listen
        services.start("web")

    async def stopped() -> None:
        await services.close()
        await asyncio.to_thread(tracing.stop)

    routes = RouteMap.of(ROUTES)
    pipeline = Pipeline(services, routes)
    if traces is not None:
        from bedesten.http.traced_pipeline import TracedPipeline

        pipeline = TracedPipeline(services, routes, traces)
    return Adapter(NotFoundPages(pipeline).handle, started, stopped)
