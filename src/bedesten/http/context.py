"""What a handler is handed besides its transaction: who calls, for which tenant, and the house's services."""

from dataclasses import dataclass

from bedesten.audit.actions import Actor
from bedesten.core.clock import MINUTE, Clock
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.decide import Gate
from bedesten.gate.keyring import Keyring
from bedesten.gate.principal import Principal
from bedesten.http.idle_timeout import IdleTimeout
from bedesten.http.key_usage import KeyUsageRecorder
from bedesten.http.password_hash_pool import PasswordHashPool
from bedesten.http.proxies import Proxies
from bedesten.http.revision_check import RevisionCheck
from bedesten.ratelimit.limits import RateLimiter
from bedesten.ratelimit.throttle import AddressThrottle
from bedesten.store.store import Store
from bedesten.telemetry.request_log import RequestLog
from bedesten.tenants.vault import Vault


@dataclass(slots=True)
class Services:
    """The services of one process, put together in `server.build`. `checkout_time` in milliseconds."""

    store: Store
    gate: Gate
    revision_check: RevisionCheck
    vault: Vault
    passwords: PasswordHashPool
    idle: IdleTimeout
    key_usage: KeyUsageRecorder
    throttle: AddressThrottle
    limits: RateLimiter
    proxies: Proxies
    clock: Clock
    request_log: RequestLog
    checkout_time: int = 15 * MINUTE
    password_minimum: int = 15

    @property
    def keyring(self) -> Keyring:
        """The master secrets, as new as the last revision check."""
        return self.gate.keyring

    async def close(self) -> None:
        """Writes what was noted and lets go of the store."""
        await self.key_usage.stop()
        await self.request_log.stop()
        self.store.close()


@dataclass(slots=True)
class RequestContext:
    """One request after the gate. `argument` is the path's last segment where the route has one; `body` the raw bytes;
    `authority` the `Host` header as it was sent, of which the gate has made sure that it is a well-formed one; `user_agent`
    the header of that name, as it was sent."""

    services: Services
    tenant: TenantEntry
    principal: Principal | None
    endpoint: str
    request_id: str
    address: str
    region: str
    argument: str
    body: bytes = b""
    authority: bytes = b""
    user_agent: bytes = b""

    @property
    def who(self) -> Principal:
        """The principal of a route that demands one."""
        assert self.principal is not None, "the route demands a credential"
        return self.principal

    @property
    def actor(self) -> Actor:
        """Who the trail names."""
        return Actor(self.principal.owner if self.principal else "anonymous", self.request_id)
