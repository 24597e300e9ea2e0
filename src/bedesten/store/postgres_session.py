"""A connection to PostgreSQL that belongs to one thread, and that another thread can shut down.

Defaults for what the address leaves out make sure that silence is noticed: a connection attempt ends after two seconds,
and the kernel drops a connection whose packets are not acknowledged for three. Sessions connect only to a server that
takes writes, never to a standby, whatever the address says: a standby would learn of a revocation too late.
"""

import contextlib
import os
import select
import socket
import threading
from collections.abc import Callable
from typing import Any, Protocol

import psycopg
from psycopg import conninfo
from psycopg import errors as pg
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper

from bedesten.store.job import Job
from bedesten.store.postgres_connection import Connection
from bedesten.store.tables import SCHEMA_VERSION
from bedesten.store.transaction import StoreUnavailable

MAX_PREPARED = 500
"""Most prepared statements per connection: more than a worker uses repeatedly."""

CONNECTION_ERRORS = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    pg.ReadOnlySqlTransaction,
    pg.IdleInTransactionSessionTimeout,
)
"""The server or the connection cannot be used now: unreachable, shutting down, read-only, full, or shut down by us."""

CONNECTION_DEFAULTS: dict[str, str | int] = {
    "connect_timeout": 2,
    "tcp_user_timeout": 3_000,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "target_session_attrs": "read-write",
    "application_name": f"bedesten {SCHEMA_VERSION}",
}
"""Connection parameters; an address overrides all but the last. `tcp_user_timeout` is in milliseconds, others in
seconds."""

_PREPARE = """
SELECT pg_is_in_recovery(), pid <> %(pid)s,
       CASE WHEN pid = %(pid)s THEN set_config('lock_timeout', %(lock_timeout)s, false) END,
       CASE WHEN pid = %(pid)s THEN set_config('idle_in_transaction_session_timeout', '30s', false) END,
       CASE WHEN pid = %(pid)s THEN set_config('enable_bitmapscan', 'off', false) END
FROM pg_backend_pid() AS pid
"""
_POOLED = ("SET LOCAL idle_in_transaction_session_timeout = '30s'", "SET LOCAL enable_bitmapscan = off")
# There is a pooler in between if the server process that answers is not the one that the connection knows. Then each
# transaction may run in another process, so session state cannot be used: parameters are set per transaction, in the
# round trip that begins it, and no statement is prepared.
#
# Every statement of a request uses an index. Without statistics (a fresh or a restored database) a planner that may use
# bitmaps collects and sorts all free codes of a product to take one: 120,000 codes, 30 orders a second.

_LOOK_AT_CLIENT = "SET client_connection_check_interval = '1s'"
"""Ends a statement whose client is gone, which releases its locks. Not every server supports this."""


class Address(Protocol):
    """Where the database is, with a password that may change."""

    def get(self) -> str:
        """The address in the form `postgresql://…`. Raises `StoreUnavailable`."""
        ...

    def refresh(self, stale: str) -> str:
        """The address to use after connecting with `stale` has failed; returns `stale` if there is no newer one."""
        ...


class PostgresSession:
    """One thread's connection, opened at first use and reopened after it broke. `interrupt` is for other threads.

    `generation` returns a number; a connection that was opened under another number is not used again.
    """

    def __init__(
        self,
        address: str | Address,
        lock_timeout_ms: int,
        generation: Callable[[], int],
        opened: Callable[[], None],
    ) -> None:
        self._address = address
        self.lock_timeout_ms = lock_timeout_ms
        self._generation = generation
        self._opened = opened
        self._made_in = -1
        self._connection: Connection | None = None
        self.local_settings: tuple[str, ...] = ()
        """Statements that set the parameters of each transaction, behind a pooler."""
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self.wakes_worker = False
        self.leading_group: tuple[Any, ...] | None = None
        """The group for which the session's thread commits (`store.group_commit`)."""

    @property
    def connection_id(self) -> int:
        """A number that differs from that of most other connections to the database: the server's process id."""
        return 0 if self._connection is None else self._connection.info.backend_pid

    @property
    def kept(self) -> bool:
        """Whether there is an earlier connection, which may have been lost while idle."""
        return self.usable() is not None

    def connected(self, job: Job) -> Connection:
        """Returns the connection, opened if needed. Raises `psycopg.Error`, and `StoreUnavailable`, also on timeout."""
        connection = self.usable()
        if connection is None:
            self.drop()
            job.wait_started()
            try:
                connection = self._connect()
            finally:
                job.wait_ended()
            job.check_timeout()
        return connection

    def interrupt(self) -> None:
        """Ends any wait on this connection at once. The connection cannot be used afterwards."""
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def has_input(self) -> bool:
        """Whether there is unread input from the server. For any thread."""
        with self._lock:
            if self._socket is None:
                return False
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            return bool(poll.poll(0))

    def drop(self) -> None:
        """Closes the connection."""
        with self._lock:
            connection, self._connection = self._connection, None
            twin, self._socket = self._socket, None
        if connection is not None:
            connection.close()
        if twin is not None:
            twin.close()

    def undo(self) -> None:
        """Rolls back the open transaction, if there is one, and drops the connection if that fails.

        A rollback makes the driver forget its prepared statements, some of which it may never have prepared.
        """
        try:
            if self._connection is not None and self._connection.info.transaction_status != TransactionStatus.IDLE:
                self._connection.rollback()
        except psycopg.Error:
            self.drop()

    def usable(self) -> Connection | None:
        """The connection, unless it is closed or of an earlier generation."""
        known = self._connection
        if known is None or known.closed or self._made_in != self._generation():
            return None
        return known

    def _connect(self) -> Connection:
        connection = self.dial()
        self._made_in = self._generation()  # a server reached after a silence began is good, however long it took
        # `interrupt` shuts down a duplicate descriptor of the socket: the driver may close its own at any moment, and
        # that number may then belong to another file.
        twin = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            self._connection, self._socket = connection, twin
        self._opened()
        try:
            self._prepare(connection)
        except BaseException:
            self.drop()
            raise
        return connection

    def _prepare(self, connection: Connection) -> None:
        parameters = {
            "pid": connection.info.backend_pid,
            "lock_timeout": f"{self.lock_timeout_ms}ms",
        }
        row = connection.execute(_PREPARE, parameters, prepare=False).fetchone()
        if row is None or row[0]:
            raise StoreUnavailable("the store cannot be used: the server is a standby")
        if row[1]:
            self.local_settings = (f"SET LOCAL lock_timeout = '{self.lock_timeout_ms}ms'", *_POOLED)
            connection.prepare_threshold = None
            return
        self.local_settings = ()
        with contextlib.suppress(psycopg.DatabaseError):
            connection.execute(_LOOK_AT_CLIENT)

    def dial(self) -> Connection:
        """Opens a connection that is not kept here. After a failure it tries a refreshed address (a new password)."""
        if isinstance(self._address, str):
            return _connected(self._address)
        url = self._address.get()
        try:
            return _connected(url)
        except psycopg.OperationalError:
            fresh = self._address.refresh(url)
            if fresh == url:
                raise
        return _connected(fresh)


def missing_defaults(url: str) -> dict[str, str | int]:
    """The defaults for parameters that the address leaves out; `application_name` always."""
    said = conninfo.conninfo_to_dict(url)
    return {
        name: value for name, value in CONNECTION_DEFAULTS.items() if name == "application_name" or name not in said
    }


def _connected(url: str) -> Connection:
    made: Connection = psycopg.connect(url, autocommit=True, prepare_threshold=2, **missing_defaults(url))  # type: ignore[arg-type]
    made.prepared_max = MAX_PREPARED
    # one width for every integer: the driver chooses it by value, and each width would need its own prepared statement
    made.adapters.register_dumper(int, Int8BinaryDumper)
    return made
