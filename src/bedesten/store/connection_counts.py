"""How many connections to PostgreSQL a process opens, and how many the server allows."""

from typing import NamedTuple

from bedesten.store.transaction import SystemTransaction

_ALLOWED = """
SELECT pg_backend_pid(), CASE WHEN rolsuper THEN current_setting('max_connections')::int ELSE least(
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true), '0')::int,
    nullif(rolconnlimit, -1),
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())) END
FROM pg_roles WHERE rolname = current_user
"""


class PoolSizes(NamedTuple):
    """Threads of a process, each with a connection: for reads, for writes, for writes that wait for a locked row."""

    readers: int = 3
    writers: int = 4
    lock_waiters: int = 2

    @property
    def connections(self) -> int:
        """The most connections that a process opens: one per thread, and one for the revision counter."""
        return sum(self) + 1


def allowed_connections(tx: SystemTransaction) -> int | None:
    """How many connections the server allows this user and database, over all machines and programs.

    None behind a pooler, which has its own limits. On PostgreSQL only.
    """
    backend, allowed = tx.text(_ALLOWED)
    return int(allowed) if backend == tx.connection_id else None
