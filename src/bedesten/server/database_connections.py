"""How many connections to PostgreSQL a server opens, and a warning if the database allows fewer.

Threads of a pool start, and connect, when they are first needed: a server opens its connections under load, perhaps long
after its start. So it counts them at the start.
"""

from bedesten.server.settings import Settings
from bedesten.store.connection_counts import PoolSizes, allowed_connections
from bedesten.store.store import Store

ADMIN_THREADS = 4
"""Threads of the admin listener that query the store for readiness, metrics and leaked keys."""


def pool_sizes(settings: Settings) -> PoolSizes:
    """The pools of each process."""
    return PoolSizes(settings.database_readers, settings.database_writers)


def most_connections(settings: Settings, workers: int, *, side_worker: bool, admin: bool) -> int:
    """Most connections that the processes of one server open. While its database is silent, a process briefly opens
    five more, which probe whether it is back."""
    pools = pool_sizes(settings).connections
    own_limits = settings.limits in (None, "store")
    counting = pools + own_limits
    total = workers * counting
    if side_worker:
        total += pools + 1  # the connection that LISTENs for work
    if admin:
        total += pools + ADMIN_THREADS
        if settings.gate_routes:
            total += counting
    return total


def missing_connections(settings: Settings, store: Store, needed: int) -> dict[str, int] | None:
    """The values for the warning if the database allows fewer connections than this server may need; None if it allows
    enough, or behind a pooler. Connections of other machines and programs are not counted."""
    if not settings.database:
        return None
    allowed = store.read_now(allowed_connections)
    return {"needed": needed, "allowed": allowed} if allowed is not None and allowed < needed else None
