"""The engine for more than one machine: PostgreSQL through psycopg, one transaction per action.

READ COMMITTED with conditional updates: no action relies on an earlier read, it checks the row count of the update.
Actions that lock the same rows lock them in the same order; after a deadlock or a lost race the action runs again.

Reads, writes and the revision counter have separate threads. An action that meets a locked row soon leaves its thread
and waits in a separate pool, so that one locked row never blocks more than a few threads. In each pool tenants take
turns, and none has all threads (`store.fair_queue`).

No caller waits for a silent server beyond its wait budget: it gets an error and the connection is closed. While the
query for the revision counter is overdue, later callers fail at once; so do writes while a COMMIT is overdue, since
each would leave one more server process waiting for a standby.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg import errors as pg

from bedesten.core.clock import Clock, system_clock
from bedesten.core.ids import IdGenerator
from bedesten.core.revision import Revision
from bedesten.store import wait_budget
from bedesten.store.connection_counts import PoolSizes
from bedesten.store.counter_query import LoopQuery, read_counter
from bedesten.store.fair_queue import ActiveTenants
from bedesten.store.group_commit import GroupCommit
from bedesten.store.job import Job, JobState, Watchdog
from bedesten.store.postgres_connection import BEGIN_PLAIN, PostgresConnection
from bedesten.store.postgres_probes import probe, probe_room
from bedesten.store.postgres_session import CONNECTION_ERRORS, Address, PostgresSession
from bedesten.store.recovery import Recovery
from bedesten.store.shared_counter import SharedCounter, nothing
from bedesten.store.store import MAX_ATTEMPTS, Store, StoreStats, Work
from bedesten.store.thread_pool import ThreadPool
from bedesten.store.transaction import (
    NotWritable,
    OutcomeUnknown,
    RetryTransaction,
    StoreUnavailable,
    SystemTransaction,
)
from bedesten.store.wait_budget import WaitBudget
from bedesten.store.wakes import Announcer, WakeListener

Result = TypeVar("Result")

MAX_WAITING, MAX_LOCK_WAITING = 256, 32
LOCK_TIMEOUT_MS, BUSY_LOCK_TIMEOUT_MS, LOCK_WAITER_TIMEOUT_MS, COMMAND_LOCK_TIMEOUT_MS = 200, 20, 2_000, 10_000
"""Lock timeouts: of a first attempt; of a first attempt while other actions of the tenant wait for a locked row, which
is then likely to be the same; of an action in the pool for locked rows; and of an operator's command."""
MIN_ATTEMPT_S, MAX_ATTEMPT_S = 3.0, 8.0
"""Timeouts of one attempt to reach a silent server. libpq tries each host of the address for two seconds."""
MAX_COMMIT_S = 300.0

_RETRIED_ERRORS = (pg.DeadlockDetected, pg.SerializationFailure, RetryTransaction)
_BEGIN_READING = ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",)
_BEGIN_BUSY = ("BEGIN", f"SET LOCAL lock_timeout = '{BUSY_LOCK_TIMEOUT_MS}ms'")


class _BecameFollower(Exception):
    """Another thread commits the job and answers it."""


class RowLocked(StoreUnavailable):
    """Another transaction held a row's lock for too long."""


class PostgresStore(Store):
    """Pools of threads, each with its own connection. Callers without an event loop run actions in their own thread."""

    dialect = "postgresql"

    def __init__(
        self,
        address: str | Address,
        clock: Clock | None = None,
        ids: IdGenerator | None = None,
        sizes: PoolSizes | None = None,
    ) -> None:
        """A `clock` replaces both the machine's and the database's (`store.database_clock`)."""
        self._address = address
        self._clock = clock or system_clock
        self.ids = ids or IdGenerator()
        self._one_clock = clock is not None
        self.stats = StoreStats()
        self._local = threading.local()
        self._sessions: list[PostgresSession] = []
        self._closed = False
        self._generation = 0
        self._watchdog = Watchdog()
        brief, patient = (partial(self._session, limit) for limit in (LOCK_TIMEOUT_MS, LOCK_WAITER_TIMEOUT_MS))
        tenants = ActiveTenants()
        readers, writers, waiters = sizes or PoolSizes()
        self._reads = ThreadPool("reads", readers, MAX_WAITING, patient, self._read, tenants)
        self._writes = ThreadPool("writes", writers, MAX_WAITING, brief, self._write, tenants)
        self._lock_waits = ThreadPool("locked rows", waiters, MAX_LOCK_WAITING, patient, self._wait_for_lock, tenants)
        self._revisions = ThreadPool("revision", 1, MAX_WAITING, patient, self._ask_counter, tenants)
        self._silence = Recovery("silence", self._counter_again, MIN_ATTEMPT_S, MAX_ATTEMPT_S, probes=4)
        self._overdue_commit = Recovery("overdue commit", self._commit_again, 10.0, MAX_COMMIT_S)
        self._loop_query = LoopQuery(self._watchdog, partial(self._submit, self._revisions))
        self._counter = SharedCounter(self._loop_query.ask, self._on_silence, self._silence)
        self._announcer = Announcer(self._watched)
        self._groups = GroupCommit(partial(self._submit_again, self._writes), self._watchdog, self.stats)

    # --- for callers ---

    async def read_across(self, work: Work[Result], tenant: str = "") -> Result:
        return await self._in_pool(self._reads, work, tenant)

    async def write_across(self, work: Work[Result], tenant: str = "") -> Result:
        self._check_writes()
        return await self._in_pool(self._writes, work, tenant)

    def read_now(self, work: Work[Result]) -> Result:
        return self._run_here(work, True, wait_budget.COMMAND_READ_BUDGET_S)

    def write_now(self, work: Work[Result]) -> Result:
        self._check_writes()
        return self._run_here(work, False, wait_budget.COMMAND_WRITE_BUDGET_S)

    def check_writable(self) -> None:
        try:
            self.write_now(probe)
        except StoreUnavailable as problem:
            raise NotWritable("the store takes no writes") from problem

    def check_room(self) -> None:
        try:
            with contextlib.suppress(pg.InsufficientPrivilege):  # then only the failures of other writes show it
                self.write_now(probe_room)
        except StoreUnavailable as problem:
            raise NotWritable("the store has no room: no table can grow") from problem

    async def counter(self) -> Revision:
        self._check_open()
        return await self._counter.read()

    def close(self) -> None:
        self._closed = True
        for recovery in (self._silence, self._overdue_commit):
            recovery.close()
        self._loop_query.close()
        for pool in (self._reads, self._writes, self._lock_waits, self._revisions):
            pool.close()
        self._watchdog.close()
        for session in self._sessions:
            session.drop()
        self._sessions.clear()
        self._local = threading.local()

    def load(self) -> Iterable[tuple[str, int, int]]:
        pools = {"read": self._reads, "write": self._writes, "locked row": self._lock_waits}
        return [(kind, pool.busy, pool.waiting) for kind, pool in pools.items()]

    def listen(self, _on_wake: Callable[[], None]) -> Callable[[], None]:
        return WakeListener(self._session(LOCK_TIMEOUT_MS).dial, _on_wake).stop

    # --- threads and sessions ---

    async def _in_pool(self, pool: ThreadPool[PostgresSession], work: Work[Result], tenant: str) -> Result:
        self._check_open()
        job = Job(
            work,
            wait_budget.current() or WaitBudget(wait_budget.BACKGROUND_BUDGET_S),
            asyncio.get_running_loop(),
            self._on_timeout,
            tenant,
        )
        self._submit(pool, job)
        assert job.future is not None
        began = monotonic()
        try:
            result: Result = await job.future
            return result
        finally:
            self.observe("read" if pool is self._reads else "write", monotonic() - began)

    def _submit(self, pool: ThreadPool[PostgresSession], job: Job) -> None:
        self._watchdog.watch(job)
        try:
            displaced = pool.submit(job)
        except StoreUnavailable:
            self._watchdog.forget(job)
            raise
        if displaced is not None:
            displaced.finish(None, pool.full())
            self._watchdog.forget(displaced)

    def _run_here(self, work: Work[Result], reading: bool, seconds: float) -> Result:
        self._check_open()
        session: PostgresSession | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._session(COMMAND_LOCK_TIMEOUT_MS)
            self._sessions.append(session)
        job = Job(work, wait_budget.current() or WaitBudget(seconds), None, self._on_timeout)
        result: Result = self._watched(session, job, partial(self._transact, reading=reading))
        self._announcer.announce(session)
        return result

    def _watched(self, session: PostgresSession, job: Job, run: Callable[[PostgresSession, Job], Result]) -> Result:
        """Runs a job in this thread, under the watchdog's timeout."""
        self._watchdog.watch(job)
        try:
            return run(session, job)
        except (StoreUnavailable, psycopg.Error):
            if job.error is not None:
                raise job.error from None
            raise
        finally:
            job.finish(None, None)
            self._watchdog.forget(job)

    def _session(self, lock_timeout_ms: int) -> PostgresSession:
        return PostgresSession(self._address, lock_timeout_ms, lambda: self._generation, self.stats.count_connection)

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")

    def _on_timeout(self, state: JobState) -> None:
        if state is JobState.COMMITTING:
            self._overdue_commit.begin()

    def _check_writes(self) -> None:
        if self._overdue_commit.active:
            raise StoreUnavailable("an earlier COMMIT is overdue")

    # --- the revision counter ---

    def _on_silence(self, _state: JobState) -> None:
        """Retires all connections from before the silence, since idle ones may be dead, and begins the recovery."""
        self._generation += 1
        self._silence.begin()

    def _ask_counter(self, session: PostgresSession, job: Job) -> None:
        try:
            revision = read_counter(session, job)
            self._loop_query.prepare(session)
            job.finish(revision, None)
        except BaseException as error:
            job.finish(None, error)
        self._watchdog.forget(job)

    def _counter_again(self, limit_s: float) -> None:
        self._once(Job(nothing, WaitBudget(limit_s)), read_counter)

    def _commit_again(self, limit_s: float) -> None:
        self._once(Job(probe, WaitBudget(limit_s)), partial(self._transact, reading=False))

    def _once(self, job: Job, run: Callable[[PostgresSession, Job], object]) -> None:
        """Runs a job on a connection opened for it."""
        session = self._session(COMMAND_LOCK_TIMEOUT_MS)
        try:
            self._watched(session, job, run)
        finally:
            session.drop()

    # --- transactions ---

    def _read(self, session: PostgresSession, job: Job) -> None:
        self._run(session, job, True)

    def _write(self, session: PostgresSession, job: Job) -> None:
        try:
            self._run(session, job, False)
        except RowLocked:
            self.stats.lock_waits += 1
            job.ungrouped = True
            job.requeue()
            self._submit_again(self._lock_waits, job)
        finally:
            self._groups.serve(session)
            self._announcer.announce(session)

    def _submit_again(self, pool: ThreadPool[PostgresSession], job: Job) -> None:
        try:
            self._submit(pool, job)
        except StoreUnavailable as full:
            job.finish(None, full)

    def _wait_for_lock(self, session: PostgresSession, job: Job) -> None:
        try:
            self._run(session, job, False)
        except RowLocked as error:
            job.finish(None, error)
            self._watchdog.forget(job)

    def _run(self, session: PostgresSession, job: Job, reading: bool) -> None:
        """Runs a job and answers it. Raises only `RowLocked`: then the job is not answered yet."""
        try:
            result = self._transact(session, job, reading)
        except _BecameFollower:
            return
        except RowLocked:
            if not reading:
                raise
            job.finish(None, StoreUnavailable("a row was locked for too long"))
        except BaseException as error:
            job.finish(None, error)
        else:
            job.finish(result, None)
            self._announcer.announce(session)
        self._watchdog.forget(job)

    def _transaction(
        self, connection: PostgresConnection, job: Job, attempt: int, connection_id: int
    ) -> SystemTransaction:
        now = self._clock()
        made = SystemTransaction(connection, "postgresql", now, self.ids, at=now if self._one_clock else None)
        made.attempt, made.connection_id, made.request_id = attempt, connection_id, job.wait_budget.request_id
        return made

    def _transact(self, session: PostgresSession, job: Job, reading: bool) -> Any:
        attempt = 1
        while True:
            if not job.start(session):
                raise StoreUnavailable("the store was silent for too long")
            kept = session.kept
            connection = self._connection(session, job, reading)
            try:
                result = job.work(self._transaction(connection, job, attempt, session.connection_id))
                if not reading and self._groups.becomes_follower(session, job, connection, result):
                    raise _BecameFollower
                if not reading:
                    if session.lock_timeout_ms == LOCK_WAITER_TIMEOUT_MS:
                        connection.flush()  # a wait for a locked row is not a COMMIT that the store leaves unanswered
                    job.start_commit()
                connection.commit()
                if not reading:
                    self.stats.add(1)
                    session.wakes_worker = connection.wakes_worker
                return result
            except _RETRIED_ERRORS as error:
                session.undo()
                self.stats.retries += 1
                if attempt == MAX_ATTEMPTS:
                    raise StoreUnavailable(f"the store was too contended: {error}") from error
                attempt += 1
            except pg.LockNotAvailable as error:
                session.undo()
                raise RowLocked(f"a row was locked for too long: {error}") from error
            except CONNECTION_ERRORS as error:
                session.drop()
                if isinstance(error, pg.DiskFull) and not reading:
                    self.stats.count_no_room()
                if job.state is JobState.COMMITTING:
                    raise OutcomeUnknown(f"outcome open: the store went away at COMMIT: {error}") from error
                if connection.answered or not kept or job.answered:
                    raise StoreUnavailable(f"the store went away: {error}") from error
                # an idle connection was lost, and nothing has been answered yet: retry on a new one
            except BaseException:
                session.undo()
                raise

    def _connection(self, session: PostgresSession, job: Job, reading: bool) -> PostgresConnection:
        try:
            connection = session.connected(job)
        except psycopg.Error as error:
            session.drop()
            raise StoreUnavailable(f"the store cannot be reached: {error}") from error
        begin = self._begin(session, job, reading)
        if session.local_settings:
            return PostgresConnection(connection, job, (begin[0], *session.local_settings, *begin[1:]))
        return PostgresConnection(connection, job, begin, reads_outside=not reading)

    def _begin(self, session: PostgresSession, job: Job, reading: bool) -> Sequence[str]:
        if reading:
            return _BEGIN_READING
        if session.lock_timeout_ms == LOCK_TIMEOUT_MS and self._lock_waits.holds(job.tenant):
            return _BEGIN_BUSY
        return BEGIN_PLAIN
