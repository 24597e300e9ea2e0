"""Caches decisions: each one holds until the revision moves.

**The invariant.** A table belongs to one revision of the auth cache and to one keyring. The full checks decided each of
its acceptances at that state or a later one, for the same bytes of the credential, the same tenant and the same
resource. `Gate.decisions` returns the table of the present state, and a new, empty one once the revision or the keyring
differs. A request takes its table once, after its revision check, and both reads from it and adds to it. So a request
during which the state moves adds to a table that no new request reads: a stale acceptance cannot enter the present
table, however long the request waits.

An acceptance does not cover what depends on the time or origin of a request. Every request checks that again: the
expiry of the credential (`ends`), the address of an API key with an allow-list, the idle time-out, limits, throttling,
and the key's usage.

Refusals are cached under the same invariant, each for the period in which its cause stays the same: from the decision
until another cause would take precedence (`LastingRefusal.ends`). A refusal is not a `LastingRefusal` if time lifts it
(a token from the future), or a change that does not move the revision (a customer who does not exist yet). All other
steps run for every refused request: limits, throttling, counts, log, audit.

Strangers choose what is refused. So refusals and unknown hosts have their own dictionaries, smaller and with bounded
keys: a flood of them takes a fixed amount of memory and displaces no acceptance. All causes of -23 are cached alike, so
that response times reveal none; the address is part of the key, because an allow-list is one of the causes.
"""

from collections.abc import Hashable
from typing import NamedTuple

from bedesten.core.revision import Revision
from bedesten.errors import Refusal
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.keyring import Keyring
from bedesten.gate.principal import Principal

MAX_DECISIONS = 16_384
"""Acceptances in one table. A full table is cleared, which costs each credential one full decision."""
MAX_HOSTS = 16_384
MAX_REFUSALS, MAX_UNKNOWN_HOSTS = 4_096, 1_024
MAX_REFUSED_LENGTH = 1_024
"""Bytes of a credential or a host whose refusal is cached; `bearer.mint` writes no longer tokens."""
ABSENT = b"\n"
"""Stands for a credential that was not sent: no header line has a line break."""
NEVER = 1 << 62
"""The end, in epoch milliseconds, of a credential that does not expire."""


class Acceptance(NamedTuple):
    """A principal that may use a resource, until `ends` (epoch ms)."""

    principal: Principal
    ends: int


class LastingRefusal(Refusal):
    """A refusal of a credential or host that only a change of the revision or of the keyring lifts.

    `ends` is the moment (epoch ms) from which the same bytes may be refused for another cause.
    """

    ends: int = NEVER


class RememberedRefusal(NamedTuple):
    """A refusal that holds from `since` until `ends` (epoch ms). `principal` lacks the access; None: it is unknown."""

    refusal: Refusal
    principal: Principal | None
    since: int
    ends: int


class DecisionTable:
    """The acceptances, refusals and hosts of one state. For one thread (the event loop).

    The keys hold live credentials, so `repr` does not show them.
    """

    __slots__ = ("_acceptances", "_refusals", "_tenants", "_unknown_hosts", "keyring", "revision")

    def __init__(self, revision: Revision | None, keyring: Keyring) -> None:
        self.revision = revision
        self.keyring = keyring
        self._acceptances: dict[tuple[Hashable, str, bytes], Acceptance] = {}
        self._tenants: dict[bytes, TenantEntry] = {}
        self._refusals: dict[tuple[Hashable, str, bytes, str], RememberedRefusal] = {}
        self._unknown_hosts: set[bytes] = set()

    def tenant(self, host: bytes) -> TenantEntry | None:
        """The cached tenant of a `Host` line, by its exact bytes. None means only that it is not cached."""
        return self._tenants.get(host)

    def put_tenant(self, host: bytes, tenant: TenantEntry) -> None:
        """Caches which tenant a `Host` line names."""
        if len(self._tenants) >= MAX_HOSTS:
            self._tenants.clear()
        self._tenants[host] = tenant

    def names_no_tenant(self, host: bytes) -> bool:
        """Whether a `Host` line is cached as naming no tenant. False means only that it is not cached."""
        return host in self._unknown_hosts

    def put_unknown_host(self, host: bytes) -> None:
        """Caches that a well-formed `Host` line names no tenant."""
        if len(host) > MAX_REFUSED_LENGTH:
            return
        if len(self._unknown_hosts) >= MAX_UNKNOWN_HOSTS:
            self._unknown_hosts.clear()
        self._unknown_hosts.add(host)

    def get(self, resource: Hashable, tenant: TenantEntry, credential: bytes, now: int) -> Principal | None:
        """The principal accepted with these bytes for this resource; None if they are not cached, or have expired."""
        acceptance = self._acceptances.get((resource, tenant.id, credential))
        return acceptance.principal if acceptance is not None and now < acceptance.ends else None

    def put(self, resource: Hashable, tenant: TenantEntry, credential: bytes, principal: Principal) -> None:
        """Caches that every check of the credential for this resource passed."""
        if len(self._acceptances) >= MAX_DECISIONS:
            self._acceptances.clear()
        self._acceptances[resource, tenant.id, credential] = Acceptance(principal, end_of(principal))

    def refusal(
        self, resource: Hashable, tenant: TenantEntry, credential: bytes, address: str, now: int
    ) -> RememberedRefusal | None:
        """The cached refusal of these bytes for this resource; None if there is none that holds now."""
        known = self._refusals.get((resource, tenant.id, credential, address))
        return known if known is not None and known.since <= now < known.ends else None

    def put_refusal(
        self, resource: Hashable, tenant: TenantEntry, credential: bytes, address: str, known: RememberedRefusal
    ) -> None:
        """Caches a refusal. `address` is empty where the decision does not depend on it."""
        if len(credential) > MAX_REFUSED_LENGTH:
            return
        if len(self._refusals) >= MAX_REFUSALS:
            self._refusals.clear()
        self._refusals[resource, tenant.id, credential, address] = known

    def __len__(self) -> int:
        return len(self._acceptances)

    def __repr__(self) -> str:
        return f"DecisionTable({len(self)} acceptances, {len(self._refusals)} refusals)"


def end_of(principal: Principal) -> int:
    """The moment (epoch ms) at which the principal's credential expires."""
    if principal.token is not None:
        return principal.token.expires_at * 1000
    if principal.key is not None and principal.key.expires is not None:
        return principal.key.expires
    return NEVER
