"""The services of one web process. `server.build` makes them; `Admission` and `Pipeline` take what they need.

No handler sees this: `http.context` has what handlers get.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bedesten.core.clock import MINUTE, Clock
from bedesten.gate.decide import Gate
from bedesten.gate.keyring import Keyring
from bedesten.http.idle_timeout import IdleTimeout
from bedesten.http.key_usage import KeyUsageRecorder
from bedesten.http.password_hash_pool import PasswordHashPool
from bedesten.http.proxies import Proxies
from bedesten.http.revision_check import RevisionCheck
from bedesten.ratelimit.limits import RateLimiter
from bedesten.ratelimit.shared import SharedLimits
from bedesten.ratelimit.throttle import AddressThrottle
from bedesten.store.store import Store
from bedesten.telemetry.metrics import Series
from bedesten.telemetry.process_metrics import web_process_metrics
from bedesten.telemetry.request_log import RequestLog
from bedesten.tenants.cipher import TenantCipher


@dataclass(slots=True)
class Services:
    """What one process needs to answer requests. Lives on the event loop. `checkout_ms` is how long goods stay reserved."""

    store: Store
    gate: Gate
    revision_check: RevisionCheck
    cipher: TenantCipher
    passwords: PasswordHashPool
    idle_timeout: IdleTimeout
    key_usage: KeyUsageRecorder
    throttle: AddressThrottle
    rate_limiter: RateLimiter
    proxies: Proxies
    clock: Clock
    request_log: RequestLog
    shared_limits: SharedLimits | None = None
    checkout_ms: int = 15 * MINUTE
    min_password_length: int = 15

    @property
    def keyring(self) -> Keyring:
        """The master secrets as of the last revision check."""
        return self.gate.keyring

    def start(self, kind: str) -> None:
        """Starts the background tasks of a process of this kind. Once, on the running event loop."""
        self.request_log.start(kind, self.gauges)
        self.key_usage.start()

    async def close(self) -> None:
        """Writes what is still in memory and closes the store."""
        await self.key_usage.stop()
        await self.request_log.stop()
        if self.shared_limits is not None:
            await self.shared_limits.close()
        self.store.close()

    def gauges(self) -> Iterator[tuple[Series, float]]:
        """Gauges of a web process, sampled at scrape time."""
        return web_process_metrics(
            self.request_log.metrics,
            self.gate.auth_cache.sizes,
            lambda: self.passwords.in_progress,
            self.store.load,
            lambda: self.shared_limits.shared if self.shared_limits else None,
        )
