"""The engine for more than one machine: PostgreSQL through psycopg, one transaction an action.

READ COMMITTED with conditional updates: no action relies on an earlier read, it looks at the count of the update. Actions
that lock the same rows lock them in the same order; a deadlock or a lost race runs the action again.

Reads, writes and the revision counter have threads of their own. An action that meets a locked row soon leaves its thread
and waits in a pool for such actions, so that one locked row never blocks more than a few threads.

No caller waits for a silent server beyond its wait budget: it gets an error and the connection is cut. While the query of
the revision counter is overdue, later callers fail at once; so do writes while a COMMIT is overdue, since each would leave
one more server process waiting for a standby.
"""

import asyncio
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
from bedesten.store.job import Job, JobState, Watchdog
from bedesten.store.postgres_connection import BEGIN_PLAIN, PostgresConnection
from bedesten.store.postgres_session import CONNECTION_ERRORS, Address, PostgresSession
from bedesten.store.recovery import Recovery
from bedesten.store.revision_log import COUNTER
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

READERS, WRITERS, LOCK_WAITERS = 3, 4, 2
"""Threads, each with a connection; with the one for the revision counter a process has at most one more than these."""
MAX_WAITING, MAX_LOCK_WAITING = 256, 32
LOCK_TIMEOUT_MS, BUSY_LOCK_TIMEOUT_MS, LOCK_WAITER_TIMEOUT_MS, COMMAND_LOCK_TIMEOUT_MS = 200, 20, 2_000, 10_000
"""How long a row may be locked by others: at first; at first while other actions wait for a locked row, which is then
likely to be the same; for an action that waits for it; and for an operator's command."""
MIN_ATTEMPT_S, MAX_ATTEMPT_S = 3.0, 8.0
"""How long a silent server has to answer: an address of several hosts tries each of them for two seconds."""
MAX_COMMIT_S = 300.0

_RETRIED_ERRORS = (pg.DeadlockDetected, pg.SerializationFailure, RetryTransaction)
_PROBE = "SELECT current_setting('transaction_read_only'), pg_logical_emit_message(true, 'bedesten', 'a write')"
"""Writes something that no table shows: COMMIT then takes the way of every other one, standbys included."""


_BEGIN_READING = ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",)
_BEGIN_BUSY = ("BEGIN", f"SET LOCAL lock_timeout = '{BUSY_LOCK_TIMEOUT_MS}ms'")


class RowLocked(StoreUnavailable):
    """A row was locked by others for too long."""


class PostgresStore(Store):
    """Lanes of threads, each with a connection of its own. All requests that arrive while a query of the revision counter
    is under way share the next one. Callers without an event loop run their actions in their own thread."""

    dialect = "postgresql"

    def __init__(self, address: str | Address, clock: Clock | None = None, ids: IdGenerator | None = None) -> None:
        """A clock that is given counts in place of the machine's and of the database's (`store.moment`)."""
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
        self._reads = ThreadPool(
            "reads", READERS, MAX_WAITING, partial(self._session, LOCK_WAITER_TIMEOUT_MS), self._read
        )
        self._writes = ThreadPool("writes", WRITERS, MAX_WAITING, partial(self._session, LOCK_TIMEOUT_MS), self._write)
        self._lock_waits = ThreadPool(
            "locked rows",
            LOCK_WAITERS,
            MAX_LOCK_WAITING,
            partial(self._session, LOCK_WAITER_TIMEOUT_MS),
            self._wait_for_lock,
        )
        self._revisions = ThreadPool(
            "revision", 1, MAX_WAITING, partial(self._session, LOCK_WAITER_TIMEOUT_MS), self._ask_counter
        )
        self._silence = Recovery("silence", self._counter_again, MIN_ATTEMPT_S, MAX_ATTEMPT_S, probes=4)
        self._overdue_commit = Recovery("overdue commit", self._commit_again, 10.0, MAX_COMMIT_S)
        self._next_counter: asyncio.Future[Revision] | None = None
        self._counter_busy = False
        self._announcer = Announcer(self._watched)
        self._counter_sql = COUNTER.compiled("postgresql")

    # --- for callers ---

    async def read_across(self, work: Work[Result]) -> Result:
        return await self._in_pool(self._reads, work)

    async def write_across(self, work: Work[Result]) -> Result:
        self._check_writes()
        return await self._in_pool(self._writes, work)

    def read_now(self, work: Work[Result]) -> Result:
        return self._run_here(work, True, wait_budget.COMMAND_READ_BUDGET_S)

    def write_now(self, work: Work[Result]) -> Result:
        self._check_writes()
        return self._run_here(work, False, wait_budget.COMMAND_WRITE_BUDGET_S)

    def check_writable(self) -> None:
        try:
            self.write_now(_probe)
        except StoreUnavailable as problem:
            raise NotWritable("the store takes no writes") from problem

    async def counter(self) -> Revision:
        self._check_open()
        if self._silence.active:
            raise StoreUnavailable("the store is silent")
        if self._next_counter is None:
            self._next_counter = asyncio.get_running_loop().create_future()
        mine = self._next_counter
        if not self._counter_busy:
            self._query_counter()
        began, limit = monotonic(), wait_budget.current()
        try:
            return await asyncio.shield(mine)
        finally:
            if limit is not None:
                limit.spend(monotonic() - began)

    def close(self) -> None:
        self._closed = True
        for recovery in (self._silence, self._overdue_commit):
            recovery.close()
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

    async def _in_pool(self, pool: ThreadPool[PostgresSession], work: Work[Result]) -> Result:
        self._check_open()
        job = Job(
            work,
            wait_budget.current() or WaitBudget(wait_budget.BACKGROUND_BUDGET_S),
            asyncio.get_running_loop(),
            self._on_timeout,
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
            pool.submit(job)
        except StoreUnavailable:
            self._watchdog.forget(job)
            raise

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
        """Runs a job in this thread, which the watchdog sets free."""
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

    def _query_counter(self) -> None:
        """Sends one query for all current waiters; later callers share the next one."""
        waiting, self._next_counter = self._next_counter, None
        assert waiting is not None
        self._counter_busy = True
        job = Job(_nothing, WaitBudget(wait_budget.REVISION_BUDGET_S), asyncio.get_running_loop(), self._on_silence)
        assert job.future is not None

        def answered(done: "asyncio.Future[Revision]") -> None:
            self._counter_busy = False
            _pass_on(done, waiting)
            if self._next_counter is not None:
                if self._silence.active:  # who came meanwhile does not wait for another one
                    following, self._next_counter = self._next_counter, None
                    _pass_on(done, following)
                else:
                    self._query_counter()

        job.future.add_done_callback(answered)
        try:
            self._submit(self._revisions, job)
        except StoreUnavailable as problem:
            job.future.set_exception(problem)

    def _on_silence(self, _state: JobState) -> None:
        """Connections from before the silence are not used again: those that were idle may lead nowhere."""
        self._generation += 1
        self._silence.begin()

    def _ask_counter(self, session: PostgresSession, job: Job) -> None:
        try:
            job.finish(self._read_counter(session, job), None)
        except BaseException as error:
            job.finish(None, error)
        self._watchdog.forget(job)

    def _read_counter(self, session: PostgresSession, job: Job) -> Revision:
        if not job.start(session):
            raise StoreUnavailable("the store is silent")
        for last in (False, True):
            try:
                connection = PostgresConnection(session.connected(job), job, reads_outside=True)
                row = connection.execute(self._counter_sql).fetchone()
            except CONNECTION_ERRORS as error:
                session.drop()
                if last or job.answered:
                    raise StoreUnavailable(f"the revision counter cannot be read: {error}") from error
                continue
            except psycopg.Error as error:
                raise StoreUnavailable(f"the revision counter cannot be read: {error}") from error
            if row is None:
                raise StoreUnavailable("the revision counter is missing")
            return Revision(*row)
        raise AssertionError("unreachable")

    def _counter_again(self, limit_s: float) -> None:
        self._once(Job(_nothing, WaitBudget(limit_s)), self._read_counter)

    def _commit_again(self, limit_s: float) -> None:
        self._once(Job(_probe, WaitBudget(limit_s)), partial(self._transact, reading=False))

    def _once(self, job: Job, run: Callable[[PostgresSession, Job], object]) -> None:
        """Runs a job on a connection that is for nothing else."""
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
            job.requeue()
            try:
                self._lock_waits.submit(job)
            except StoreUnavailable as full:
                job.finish(None, full)
                self._watchdog.forget(job)

    def _wait_for_lock(self, session: PostgresSession, job: Job) -> None:
        try:
            self._run(session, job, False)
        except RowLocked as error:
            job.finish(None, error)
            self._watchdog.forget(job)

    def _run(self, session: PostgresSession, job: Job, reading: bool) -> None:
        """Runs a job to its end. Raises only `RowLocked`: then the job is not answered yet."""
        try:
            result = self._transact(session, job, reading)
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

    def _transaction(self, connection: PostgresConnection, attempt: int, lane: int) -> SystemTransaction:
        now = self._clock()
        made = SystemTransaction(connection, "postgresql", now, self.ids, at=now if self._one_clock else None)
        made.attempt, made.lane = attempt, lane
        return made

    def _transact(self, session: PostgresSession, job: Job, reading: bool) -> Any:
        attempt = 1
        while True:
            if not job.start(session):
                raise StoreUnavailable("the store was silent for too long")
            kept = session.kept
            connection = self._connection(session, job, reading)
            try:
                result = job.work(self._transaction(connection, attempt, session.lane))
                if not reading:
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
                if job.state is JobState.COMMITTING:
                    raise OutcomeUnknown(f"outcome open: the store went away at COMMIT: {error}") from error
                if connection.answered or not kept or job.answered:
                    raise StoreUnavailable(f"the store went away: {error}") from error
                # it was lost since it was last used: nothing was asked of a new one yet
            except BaseException:
                session.undo()
                raise

    def _connection(self, session: PostgresSession, job: Job, reading: bool) -> PostgresConnection:
        try:
            connection = session.connected(job)
        except psycopg.Error as error:
            session.drop()
            raise StoreUnavailable(f"the store cannot be reached: {error}") from error
        begin = self._begin(session, reading)
        if session.local_settings:
            return PostgresConnection(connection, job, (begin[0], *session.local_settings, *begin[1:]))
        return PostgresConnection(connection, job, begin, reads_outside=not reading)

    def _begin(self, session: PostgresSession, reading: bool) -> Sequence[str]:
        if reading:
            return _BEGIN_READING
        if session.lock_timeout_ms == LOCK_TIMEOUT_MS and self._lock_waits.busy:
            return _BEGIN_BUSY
        return BEGIN_PLAIN


def _nothing(_tx: SystemTransaction) -> None:
    """What reads the counter is no action."""


def _probe(tx: SystemTransaction) -> None:
    if tx.text(_PROBE)[0] == "on":
        raise StoreUnavailable("the database is read-only")


def _pass_on(done: "asyncio.Future[Revision]", waiting: "asyncio.Future[Revision]") -> None:
    if waiting.done():
        return
    if error := done.exception():
        waiting.set_exception(error)
    else:
        waiting.set_result(done.result())
