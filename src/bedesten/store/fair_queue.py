"""The bounded queue in front of a thread pool: tenants take turns, and none takes all places or all threads.

Pure bookkeeping; the pool (`store.thread_pool`, `http.password_hash_pool`) holds its lock around every call.
"""

from collections import deque
from time import monotonic
from typing import Generic, Protocol, TypeVar

ACTIVE_S = 60.0
"""How long after two tenants have used the store each leaves one thread of a pool to the others."""


class OfTenant(Protocol):
    """A queued item, which belongs to a tenant."""

    @property
    def tenant(self) -> str:
        """The tenant that it belongs to."""
        ...


Item = TypeVar("Item", bound=OfTenant)


class ActiveTenants:
    """Whether more than one tenant uses a store. Shared by the store's pools; read and written without a lock."""

    __slots__ = ("_last", "_until")

    def __init__(self) -> None:
        self._last = ""
        self._until = 0.0

    def note(self, tenant: str) -> None:
        """Notes that a tenant uses the store. The empty name is for work of the installation itself."""
        if tenant and tenant != self._last:
            if self._last:
                self._until = monotonic() + ACTIVE_S
            self._last = tenant

    @property
    def several(self) -> bool:
        """Whether more than one tenant used the store in the last `ACTIVE_S` seconds."""
        return monotonic() < self._until


class FairQueue(Generic[Item]):
    """Jobs by tenant. The tenant that has waited longest for its turn is next; its own jobs keep their order.

    While several tenants are active, a tenant's jobs run on at most `threads - 1` threads: what holds up one tenant (a
    locked row, a slow list) leaves a thread to the others. The only active tenant may use all threads. Without
    `active_tenants`, for jobs that are all equally short, every tenant may use all threads.
    """

    def __init__(self, threads: int, active_tenants: ActiveTenants | None = None) -> None:
        self._most = max(1, threads - 1)
        self._active_tenants = active_tenants
        self._queues: dict[str, deque[Item]] = {}
        self._running: dict[str, int] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def holds(self, tenant: str) -> bool:
        """Whether a job of this tenant waits or runs. Safe without a lock."""
        return tenant in self._queues or tenant in self._running

    def put(self, job: Item) -> None:
        """Puts a job behind those of its tenant."""
        if self._active_tenants is not None:
            self._active_tenants.note(job.tenant)
        queue = self._queues.get(job.tenant)
        if queue is None:
            self._queues[job.tenant] = deque((job,))
        else:
            queue.append(job)
        self._length += 1

    def displace(self, tenant: str) -> Item | None:
        """Removes the newest job of the tenant with the most, to make room. None if this tenant would have as many."""
        longest = max(self._queues, key=lambda name: len(self._queues[name]), default=tenant)
        if len(self._queues.get(longest, ())) <= len(self._queues.get(tenant, ())) + 1:
            return None
        self._length -= 1
        return self._queues[longest].pop()

    def remove(self, job: Item) -> bool:
        """Removes a job whose caller no longer waits. False if it is not in the queue."""
        queue = self._queues.get(job.tenant, deque())
        if job not in queue:
            return False
        queue.remove(job)
        if not queue:
            del self._queues[job.tenant]
        self._length -= 1
        return True

    def take(self) -> Item | None:
        """Takes the next job, which is running until `ended`. None if no waiting tenant may use another thread."""
        reserves = self._active_tenants is not None and self._active_tenants.several
        for tenant in self._queues:
            if not reserves or self._running.get(tenant, 0) < self._most:
                break
        else:
            return None
        queue = self._queues.pop(tenant)
        job = queue.popleft()
        if queue:
            self._queues[tenant] = queue
        self._running[tenant] = self._running.get(tenant, 0) + 1
        self._length -= 1
        return job

    def ended(self, tenant: str) -> None:
        """Notes that a running job has left its thread."""
        others = self._running.pop(tenant) - 1
        if others:
            self._running[tenant] = others
