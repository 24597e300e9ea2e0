"""A connection to PostgreSQL that belongs to one thread, and that another thread can cut off.

What the address does not say is set so that silence is noticed: a connection attempt ends after two seconds, and the
kernel gives a connection up whose packets nobody has acknowledged for three. Only a server that takes writes is
connected to, and a standby is never used, whatever the address says: it would know of a revocation too late.
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
"""Prepared statements of a connection: more than a worker uses again and again."""

CONNECTION_ERRORS = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    pg.ReadOnlySqlTransaction,
    pg.IdleInTransactionSessionTimeout,
)
"""The server or the connection is of no use for now: out of reach, shutting down, read-only, full, or cut off."""

CONNECTION_DEFAULTS: dict[str, str | int] = {
    "connect_timeout": 2,
    "tcp_user_timeout": 3_000,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "target_session_attrs": "read-write",
    "application_name": f"bedesten {SCHEMA_VERSION}",
}
"""What is asked for where the address says nothing else. `tcp_user_timeout` in milliseconds, the others in seconds."""

_PREPARE = """
SELECT pg_is_in_recovery(), pid <> %(pid)s,
       CASE WHEN pid = %(pid)s THEN set_config('lock_timeout', %(lock_timeout)s, false) END,
       CASE WHEN pid = %(pid)s THEN set_config('idle_in_transaction_session_timeout', '30s', false) END,
       CASE WHEN pid = %(pid)s THEN set_config('enable_bitmapscan', 'off', false) END
FROM pg_backend_pid() AS pid
"""
_POOLED = ("SET LOCAL idle_in_transaction_session_timeout = '30s'", "SET LOCAL enable_bitmapscan = off")
# A pooler stands in between if the server process that answers is not the one that the connection knows: then each
# transaction may run in another process, so that nothing is kept in one. Parameters are set for a transaction, in the flight
# that begins it, and no statement is prepared.
#
# Every statement of a request is led by an index. Without statistics (a fresh or a restored database) a planner that may
# use bitmaps collects and sorts all free codes of a product to hand out one: 120,000 codes, 30 orders a second.

_LOOK_AT_CLIENT = "SET client_connection_check_interval = '1s'"
"""A statement whose client has gone away ends, and lets go of its locks: not every server can do that."""


class Address(Protocol):
    """Where the database is, with a password that may change."""

    def get(self) -> str:
        """The address in the form `postgresql://…`. Raises `StoreUnavailable`."""
        ...

    def refresh(self, stale: str) -> str:
        """The address after no connection could be made with `stale`, which it gives again if it knows no better."""
        ...


class PostgresSession:
    """One thread's connection, made when it is first needed and again when it broke. `interrupt` is for other threads.

    `generation` gives a number: a connection that was made while it was another one is not used again.
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
        """What sets the parameters of each transaction, where a pooler stands in between."""
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self.wakes_worker = False
        self.leads: tuple[Any, ...] | None = None
        """For which group its thread commits (`store.group_commit`)."""

    @property
    def lane(self) -> int:
        """A number that most other connections to the database do not have."""
        return 0 if self._connection is None else self._connection.info.backend_pid

    @property
    def kept(self) -> bool:
        """Whether there is a connection from before, which may have been lost meanwhile."""
        return self.usable() is not None

    def connected(self, job: Job) -> Connection:
        """The connection. Raises `psycopg.Error`, and `StoreUnavailable` also if the job was given up meanwhile."""
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
        """Ends whatever waits for an answer on this connection, at once. The connection is of no use afterwards."""
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def has_input(self) -> bool:
        """Whether the server has sent something that was not read yet. For any thread."""
        with self._lock:
            if self._socket is None:
                return False
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            return bool(poll.poll(0))

    def drop(self) -> None:
        """Lets go of the connection."""
        with self._lock:
            connection, self._connection = self._connection, None
            twin, self._socket = self._socket, None
        if connection is not None:
            connection.close()
        if twin is not None:
            twin.close()

    def undo(self) -> None:
        """Undoes the open transaction, if there is one, or drops the connection if that cannot be done.

        The driver then also forgets its prepared statements, of which it may not have prepared all.
        """
        try:
            if self._connection is not None and self._connection.info.transaction_status != TransactionStatus.IDLE:
                self._connection.rollback()
        except psycopg.Error:
            self.drop()

    def usable(self) -> Connection | None:
        """The connection, if there is one that was not given up."""
        known = self._connection
        if known is None or known.closed or self._made_in != self._generation():
            return None
        return known

    def _connect(self) -> Connection:
        connection = self.dial()
        self._made_in = self._generation()  # what was reached since a silence began is good, however long that took
        # What can be cut off from another thread is a second descriptor of the same socket: the driver may close its own
        # at any moment, and the number would be another file's.
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
        """A new connection, not kept here. If there is none to be had, the password may have been changed meanwhile."""
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
    """Of what is asked for with a connection, that which the address says nothing about."""
    said = conninfo.conninfo_to_dict(url)
    return {
        name: value for name, value in CONNECTION_DEFAULTS.items() if name == "application_name" or name not in said
    }


def _connected(url: str) -> Connection:
    made: Connection = psycopg.connect(url, autocommit=True, prepare_threshold=2, **missing_defaults(url))  # type: ignore[arg-type]
    made.prepared_max = MAX_PREPARED
    # one width for every integer: the driver chooses by value, and each choice would be a statement to prepare
    made.adapters.register_dumper(int, Int8BinaryDumper)
    return made
