"""What a handler receives besides its transaction and the body: the request, and the services that handlers use."""

from dataclasses import dataclass

from bedesten.audit.actions import Actor
from bedesten.core.clock import Clock
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.decide import Gate
from bedesten.gate.keyring import Keyring
from bedesten.gate.principal import Principal
from bedesten.http.password_hash_pool import PasswordHashPool
from bedesten.ratelimit.shared import SharedLimits
from bedesten.ratelimit.throttle import AddressThrottle
from bedesten.store.store import Store
from bedesten.telemetry.request_log import RequestLog
from bedesten.tenants.cipher import TenantCipher


@dataclass(slots=True)
class RequestContext:
    """One request that was allowed, as its handler sees it.

    `argument` is the last segment of the path where the route has one, `body` the raw bytes, `authority` the `Host`
    header as it was sent (the gate has checked its form), `user_agent` the header of that name. `cipher` encrypts for
    the tenant, `keyring` holds the master secrets as of the last revision check, and `checkout_ms` is how long a
    checkout reserves its goods.
    """

    tenant: TenantEntry
    principal: Principal | None
    endpoint: str
    request_id: str
    address: str
    region: str
    argument: str
    authority: bytes
    user_agent: bytes
    cipher: TenantCipher
    keyring: Keyring
    checkout_ms: int
    body: bytes = b""

    @property
    def who(self) -> Principal:
        """The principal of a route that demands one."""
        assert self.principal is not None, "the route demands a credential"
        return self.principal

    @property
    def actor(self) -> Actor:
        """The actor for the audit trail."""
        return Actor(self.principal.owner if self.principal else "anonymous", self.request_id)


@dataclass(frozen=True, slots=True)
class LoginServices:
    """The services of logins, registrations and password changes, which hash and need more than one transaction."""

    store: Store
    gate: Gate
    passwords: PasswordHashPool
    request_log: RequestLog
    clock: Clock
    min_password_length: int
    throttle: AddressThrottle
    shared_limits: SharedLimits | None

    @property
    def keyring(self) -> Keyring:
        """The master secrets as of the last revision check."""
        return self.gate.keyring
