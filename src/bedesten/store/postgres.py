"""The engine for more than one machine: PostgreSQL through psycopg, one transaction an action.

READ COMMITTED with conditional updates: a check that the application makes in one statement and relies on in the next
is never trusted, the count of the second one is. Actions that would lock the same rows lock them in the same order;
where that fails the engine says so, and the action runs again.
"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

import psycopg
from psycopg import errors as pg

from bedesten.base.clock import Clock, system_clock
from bedesten.base.revision import Revision
from bedesten.store.fence import COUNTER
from bedesten.store.store import TRIES, Commits, Store, Work
from bedesten.store.transaction import CrossTransaction, StoreUnavailable, TryAgain

Result = TypeVar("Result")
Connection = psycopg.Connection[tuple[object, ...]]

_SETTINGS = (
    "SET lock_timeout = '10s'",
    "SET idle_in_transaction_session_timeout = '30s'",
    # Every statement of a request is led by an index. Without statistics (a fresh or a restored database) a planner that
    # may use bitmaps collects and sorts all free codes of a product to hand out one: 120,000 codes, 30 orders a second.
    "SET enable_bitmapscan = off",
)

_AGAIN = (pg.DeadlockDetected, pg.SerializationFailure, TryAgain)
_GONE = (pg.OperationalError, psycopg.InterfaceError)


class Address(Protocol):
    """Where the database is, with a password that may change."""

    def get(self) -> str:
        """The address in the form `postgresql://…`. Raises `StoreUnavailable`."""
        ...

    def refresh(self, stale: str) -> str:
        """The address after no connection could be made with `stale`, which it gives again if it knows no better."""
        ...


class PostgresStore(Store):
    """A pool of threads, each with a connection of its own that it opens when first needed and again when it broke.

    One more thread serves the fence: all requests that arrive while its query is under way share the next one.
    """

    dialect = "postgresql"

    def __init__(self, address: str | Address, clock: Clock = system_clock, connections: int = 8) -> None:
        self._address = address
        self._clock = clock
        self.commits = Commits()
        self._local = threading.local()
        self._opened: list[Connection] = []
        self._opening = threading.Lock()
        self._closed = False
        self._pool = ThreadPoolExecutor(connections, "store")
        self._fence_pool = ThreadPoolExecutor(1, "store-fence")
        self._fence_next: asyncio.Future[Revision] | None = None
        self._fence_busy = False
        self._counter_sql = COUNTER.compiled("postgresql")

    async def read_across(self, work: Work[Result]) -> Result:
        return await self._in_a_thread(work, True)

    async def write_across(self, work: Work[Result]) -> Result:
        return await self._in_a_thread(work, False)

    def read_now(self, work: Work[Result]) -> Result:
        return self._transact(work, True)

    def write_now(self, work: Work[Result]) -> Result:
        return self._transact(work, False)

    async def _in_a_thread(self, work: Work[Result], reading: bool) -> Result:
        self._still_open()
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._transact, work, reading)

    async def counter(self) -> Revision:
        self._still_open()
        if self._fence_next is None:
            self._fence_next = asyncio.get_running_loop().create_future()
        mine = self._fence_next
        if not self._fence_busy:
            self._ask_fence()
        return await asyncio.shield(mine)

    def _ask_fence(self) -> None:
        """Sends the one query for all who wait by now; whoever comes later waits for the next one."""
        waiting, self._fence_next = self._fence_next, None
        assert waiting is not None
        self._fence_busy = True
        asked = asyncio.get_running_loop().run_in_executor(self._fence_pool, self._read_counter)

        def told(done: asyncio.Future[Revision]) -> None:
            self._fence_busy = False
            if not waiting.done():
                if error := done.exception():
                    waiting.set_exception(error)
                else:
                    waiting.set_result(done.result())
            if self._fence_next is not None:
                self._ask_fence()

        asked.add_done_callback(told)

    def close(self) -> None:
        self._closed = True
        self._pool.shutdown()
        self._fence_pool.shutdown()
        for connection in self._opened:
            connection.close()
        self._opened.clear()

    def _still_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")

    def _connection(self) -> Connection:
        self._still_open()
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            connection = self._connect()
            for setting in _SETTINGS:
                connection.execute(setting)
            self._local.connection = connection
            with self._opening:
                self._opened = [known for known in self._opened if not known.closed]
                self._opened.append(connection)
        return connection

    def _connect(self) -> Connection:
        """A connection. If there is none to be had, the password may have been changed meanwhile."""
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

    def _read_counter(self) -> Revision:
        for last in (False, True):
            try:
                row = self._connection().execute(self._counter_sql).fetchone()
            except _GONE as error:
                if last:
                    raise StoreUnavailable(f"the fence cannot be read: {error}") from error
                continue
            except psycopg.Error as error:
                raise StoreUnavailable(f"the fence cannot be read: {error}") from error
            if row is None:
                raise StoreUnavailable("the fence has no counter")
            return Revision(*row)  # type: ignore[arg-type]
        raise AssertionError("unreachable")

    def _transact(self, work: Work[Result], reading: bool) -> Result:
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if reading else "BEGIN"
        for attempt in range(1, TRIES + 1):
            try:
                connection = self._connection()
                connection.execute(begin)
            except psycopg.Error as error:
                self._drop()
                if attempt < 3:
                    continue
                raise StoreUnavailable(f"the store cannot be reached: {error}") from error
            try:
                result = work(CrossTransaction(connection, "postgresql", self._clock()))
                if connection.execute("COMMIT").statusmessage != "COMMIT":
                    # an error that the action swallowed had ended the transaction, and COMMIT undid it
                    raise StoreUnavailable("the transaction ended under an action")
                if not reading:
                    self.commits.add(1)
                return result
            except _AGAIN as error:
                self._undo(connection)
                if attempt == TRIES:
                    raise StoreUnavailable(f"the store was too contended: {error}") from error
            except _GONE as error:
                self._drop()
                raise StoreUnavailable(f"the store went away: {error}") from error
            except BaseException:
                self._undo(connection)
                raise
        raise AssertionError("unreachable")

    def _undo(self, connection: Connection) -> None:
        try:
            connection.execute("ROLLBACK")
        except psycopg.Error:
            self._drop()

    def _drop(self) -> None:
        connection: Connection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()


def _connected(url: str) -> Connection:
    return psycopg.connect(url, autocommit=True, prepare_threshold=2, connect_timeout=5, application_name="bedesten")
