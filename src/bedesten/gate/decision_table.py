"""Remembers acceptances: what was decided once holds until the revision moves.

**The invariant.** A table belongs to one revision of the auth cache and to one keyring. An acceptance that it holds was
decided by the full checks at that state or at a later one, with the same bytes of the credential, in the same tenant and
for the same resource. `Gate.decisions` gives the table of the present state; as soon as the revision or the keyring is
another, it gives a new, empty one. A request takes its table once, after its revision check, and both reads from it and
adds to it. So a request during which the state moves adds to a table that nobody reads any more: a stale yes cannot get
into the present table, however long the request waited in between.

What depends on the moment is no part of an acceptance and is asked at every request: the expiry of the credential (`ends`),
the address of an API key with an allow-list, the idle time-out, limits, throttling, and the key's usage. Refusals are not
remembered: each takes its full way.
"""

from collections.abc import Hashable
from typing import NamedTuple

from bedesten.core.revision import Revision
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.keyring import Keyring
from bedesten.gate.principal import Principal

MAX_DECISIONS = 16_384
"""Acceptances in one table; a full one forgets all of them, which costs each credential one full decision."""
MAX_HOSTS = 16_384
NEVER = 1 << 62
"""The end, in epoch milliseconds, of a credential that does not expire."""


class Acceptance(NamedTuple):
    """A principal that may use a resource, until `ends` (epoch ms)."""

    principal: Principal
    ends: int


class DecisionTable:
    """The acceptances and the hosts of one state. For one thread (the event loop).

    The keys hold live credentials, so `repr` does not show them.
    """

    __slots__ = ("_acceptances", "_tenants", "keyring", "revision")

    def __init__(self, revision: Revision | None, keyring: Keyring) -> None:
        self.revision = revision
        self.keyring = keyring
        self._acceptances: dict[tuple[Hashable, str, bytes], Acceptance] = {}
        self._tenants: dict[bytes, TenantEntry] = {}

    def tenant(self, host: bytes) -> TenantEntry | None:
        """The tenant that a `Host` line was found to name, by its exact bytes; None says nothing."""
        return self._tenants.get(host)

    def put_tenant(self, host: bytes, tenant: TenantEntry) -> None:
        """Remembers which tenant a `Host` line names."""
        if len(self._tenants) >= MAX_HOSTS:
            self._tenants.clear()
        self._tenants[host] = tenant

    def get(self, resource: Hashable, tenant: TenantEntry, credential: bytes, now: int) -> Principal | None:
        """Who was accepted with these bytes for this resource of the tenant, unless they have expired; None says nothing."""
        acceptance = self._acceptances.get((resource, tenant.id, credential))
        return acceptance.principal if acceptance is not None and now < acceptance.ends else None

    def put(self, resource: Hashable, tenant: TenantEntry, credential: bytes, principal: Principal) -> None:
        """Remembers that every check of the credential for this resource passed."""
        if len(self._acceptances) >= MAX_DECISIONS:
            self._acceptances.clear()
        self._acceptances[resource, tenant.id, credential] = Acceptance(principal, _end(principal))

    def __len__(self) -> int:
        return len(self._acceptances)

    def __repr__(self) -> str:
        return f"DecisionTable({len(self)} acceptances)"


def _end(principal: Principal) -> int:
    if principal.token is not None:
        return principal.token.expires_at * 1000
    if principal.key is not None and principal.key.expires is not None:
        return principal.key.expires
    return NEVER
