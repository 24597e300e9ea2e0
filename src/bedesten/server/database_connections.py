"""How many connections to PostgreSQL a server opens, and a warning where the database gives fewer.

Threads of a pool start, and connect, when they are first needed: a server opens its connections under load, perhaps long
after its start. So it counts them before.
"""

from bedesten.server.settings import Settings
from bedesten.store.connection_counts import PoolSizes, allowed_connections
from bedesten.store.store import Store

ADMIN_THREADS = 4
"""Threads of the admin listener that ask the store for readiness, metrics and leaked keys."""


def pool_sizes(settings: Settings) -> PoolSizes:
    """The pools of each process."""
    return PoolSizes(settings.database_readers, settings.database_writers)


def most_connections(settings: Settings, workers: int, *, side_worker: bool, admin: bool) -> int:
    """Most connections that the processes of one server open. A process whose database is silent opens five more for a
    moment, which find out when it is back."""
    pools = pool_sizes(settings).connections
    own_limits = settings.limits in (None, "store")
    counting = pools + own_limits
    total = workers * counting
    if side_worker:
        total += pools + 1  # the one that wakes it
    if admin:
        total += pools + ADMIN_THREADS
        if settings.gate_routes:
            total += counting
    return total


def missing_connections(settings: Settings, store: Store, needed: int) -> dict[str, int] | None:
    """What the warning says if the database gives fewer connections than this server may need; None if it gives enough, or
    if a pooler is in between. Other machines and programs need some as well, and are not counted."""
    if not settings.database:
        return None
    allowed = store.read_now(allowed_connections)
    return {"needed": needed, "allowed": allowed} if allowed is not None and allowed < needed else None
