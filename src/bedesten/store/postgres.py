"""The engine for more than one machine: PostgreSQL through psycopg, one transaction an action.

READ COMMITTED with conditional updates: a check that the application makes in one statement and relies on in the next
is never trusted, the count of the second one is. Actions that would lock the same rows lock them in the same order;
where that fails the engine says so, and the action runs again.

Reads, writes and the revision counter have threads of their own. An action that meets a locked row gives its thread up
soon and waits in a lane for such actions, so that one locked row never holds more than a few of them.

Nobody waits for a silent server beyond `patience`: the waiter is answered, and the connection is cut off. While the
query of the revision counter is overdue, the next caller is answered at once; the same holds for writes while a COMMIT
is, since each of them would leave one more process at the server that waits for a standby.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg import errors as pg

from bedesten.core.clock import Clock, system_clock
from bedesten.core.revision import Revision
from bedesten.store import patience
from bedesten.store.fence import COUNTER
from bedesten.store.job import Job, State, Watchdog
from bedesten.store.lane import Lane
from bedesten.store.patience import Patience
from bedesten.store.recovery import Recovery
from bedesten.store.session import GONE, Address, Session, Watched
from bedesten.store.store import TRIES, Commits, Store, Work
from bedesten.store.transaction import CrossTransaction, NotWritable, OutcomeOpen, StoreUnavailable, TryAgain

Result = TypeVar("Result")

READERS, WRITERS, LOCK_WAITERS = 3, 4, 2
"""Threads, each with a connection; with the one for the revision counter a process has at most one more than these."""
MAX_WAITING, MAX_LOCK_WAITING = 256, 32
LOCK_MS, BUSY_LOCK_MS, LOCK_WAITER_MS, COMMAND_LOCK_MS = 200, 20, 2_000, 10_000
"""How long a row may be locked by others: at first; at first while other actions wait for a locked row, which is then
likely to be the same; for an action that waits for it; and for an operator's command."""
FIRST_ATTEMPT_S, LONGEST_ATTEMPT_S = 3.0, 8.0
"""How long a silent server has to answer: an address of several hosts tries each of them for two seconds."""
LONGEST_COMMIT_S = 300.0

_AGAIN = (pg.DeadlockDetected, pg.SerializationFailure, TryAgain)
_PROBE = "SELECT current_setting('transaction_read_only'), pg_logical_emit_message(true, 'bedesten', 'a write')"
"""Writes something that no table shows: COMMIT then takes the way of every other one, standbys included."""


class RowLocked(StoreUnavailable):
    """A row was locked by others for too long."""


class PostgresStore(Store):
    """Lanes of threads, each with a connection of its own. All requests that arrive while a query of the revision counter
    is under way share the next one. Callers without an event loop run their actions in their own thread."""

    dialect = "postgresql"

    def __init__(self, address: str | Address, clock: Clock | None = None) -> None:
        """A clock that is given counts in place of the machine's and of the database's (`store.moment`)."""
        self._address = address
        self._clock = clock or system_clock
        self._one_clock = clock is not None
        self.commits = Commits()
        self._local = threading.local()
        self._sessions: list[Session] = []
        self._closed = False
        self._epoch = 0
        self._watchdog = Watchdog()
        self._reads = Lane("reads", READERS, MAX_WAITING, partial(self._session, LOCK_WAITER_MS), self._read)
        self._writes = Lane("writes", WRITERS, MAX_WAITING, partial(self._session, LOCK_MS), self._write)
        self._lock_waits = Lane(
            "locked rows", LOCK_WAITERS, MAX_LOCK_WAITING, partial(self._session, LOCK_WAITER_MS), self._wait_for_lock
        )
        self._revisions = Lane("revision", 1, MAX_WAITING, partial(self._session, LOCK_WAITER_MS), self._ask_counter)
        self._silence = Recovery("silence", self._counter_again, FIRST_ATTEMPT_S, LONGEST_ATTEMPT_S, at_once=4)
        self._overdue_commit = Recovery("overdue commit", self._commit_again, 10.0, LONGEST_COMMIT_S)
        self._fence_next: asyncio.Future[Revision] | None = None
        self._fence_busy = False
        self._counter_sql = COUNTER.compiled("postgresql")

    # --- for callers ---

    async def read_across(self, work: Work[Result]) -> Result:
        return await self._in_a_lane(self._reads, work)

    async def write_across(self, work: Work[Result]) -> Result:
        self._takes_writes()
        return await self._in_a_lane(self._writes, work)

    def read_now(self, work: Work[Result]) -> Result:
        return self._here(work, True, patience.COMMAND_READ_S)

    def write_now(self, work: Work[Result]) -> Result:
        self._takes_writes()
        return self._here(work, False, patience.COMMAND_WRITE_S)

    def check_writable(self) -> None:
        try:
            self.write_now(_probe)
        except StoreUnavailable as problem:
            raise NotWritable("the store takes no writes") from problem

    async def counter(self) -> Revision:
        self._still_open()
        if self._silence.lasts:
            raise StoreUnavailable("the store is silent")
        if self._fence_next is None:
            self._fence_next = asyncio.get_running_loop().create_future()
        mine = self._fence_next
        if not self._fence_busy:
            self._ask_fence()
        began, limit = monotonic(), patience.current()
        try:
            return await asyncio.shield(mine)
        finally:
            if limit is not None:
                limit.spend(monotonic() - began)

    def close(self) -> None:
        self._closed = True
        for recovery in (self._silence, self._overdue_commit):
            recovery.close()
        for lane in (self._reads, self._writes, self._lock_waits, self._revisions):
            lane.close()
        self._watchdog.close()
        for session in self._sessions:
            session.drop()
        self._sessions.clear()
        self._local = threading.local()

    def load(self) -> Iterable[tuple[str, int, int]]:
        lanes = {"read": self._reads, "write": self._writes, "locked row": self._lock_waits}
        return [(kind, lane.busy, lane.waiting) for kind, lane in lanes.items()]

    # --- threads and sessions ---

    async def _in_a_lane(self, lane: Lane[Session], work: Work[Result]) -> Result:
        self._still_open()
        job = Job(
            work,
            patience.current() or Patience(patience.BACKGROUND_S),
            asyncio.get_running_loop(),
            self._given_up,
        )
        self._submit(lane, job)
        assert job.future is not None
        began = monotonic()
        try:
            result: Result = await job.future
            return result
        finally:
            self.observe("read" if lane is self._reads else "write", monotonic() - began)

    def _submit(self, lane: Lane[Session], job: Job) -> None:
        self._watchdog.watch(job)
        try:
            lane.submit(job)
        except StoreUnavailable:
            self._watchdog.forget(job)
            raise

    def _here(self, work: Work[Result], reading: bool, seconds: float) -> Result:
        self._still_open()
        session: Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._session(COMMAND_LOCK_MS)
            self._sessions.append(session)
        job = Job(work, patience.current() or Patience(seconds), None, self._given_up)
        result: Result = self._watched(session, job, partial(self._transact, reading=reading))
        return result

    def _watched(self, session: Session, job: Job, run: Callable[[Session, Job], Result]) -> Result:
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

    def _session(self, lock_timeout_ms: int) -> Session:
        return Session(self._address, lock_timeout_ms, lambda: self._epoch, self._count_connection)

    def _count_connection(self) -> None:
        self.commits.connections += 1

    def _still_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")

    def _given_up(self, state: State) -> None:
        if state is State.COMMITTING:
            self._overdue_commit.begin()

    def _takes_writes(self) -> None:
        if self._overdue_commit.lasts:
            raise StoreUnavailable("an earlier COMMIT is overdue")

    # --- the revision counter ---

    def _ask_fence(self) -> None:
        """Sends the one query for all who wait by now; whoever comes later waits for the next one."""
        waiting, self._fence_next = self._fence_next, None
        assert waiting is not None
        self._fence_busy = True
        job = Job(_nothing, Patience(patience.REVISION_S), asyncio.get_running_loop(), self._fell_silent)
        assert job.future is not None

        def answered(done: "asyncio.Future[Revision]") -> None:
            self._fence_busy = False
            _pass_on(done, waiting)
            if self._fence_next is not None:
                if self._silence.lasts:  # who came meanwhile does not wait for another one
                    following, self._fence_next = self._fence_next, None
                    _pass_on(done, following)
                else:
                    self._ask_fence()

        job.future.add_done_callback(answered)
        try:
            self._submit(self._revisions, job)
        except StoreUnavailable as problem:
            job.future.set_exception(problem)

    def _fell_silent(self, _state: State) -> None:
        """Connections from before the silence are not used again: those that were idle may lead nowhere."""
        self._epoch += 1
        self._silence.begin()

    def _ask_counter(self, session: Session, job: Job) -> None:
        try:
            job.finish(self._read_counter(session, job), None)
        except BaseException as error:
            job.finish(None, error)
        self._watchdog.forget(job)

    def _read_counter(self, session: Session, job: Job) -> Revision:
        if not job.begin(session):
            raise StoreUnavailable("the store is silent")
        for last in (False, True):
            try:
                row = session.connected(job).execute(self._counter_sql).fetchone()
            except GONE as error:
                session.drop()
                if last or job.answered:
                    raise StoreUnavailable(f"the fence cannot be read: {error}") from error
                continue
            except psycopg.Error as error:
                raise StoreUnavailable(f"the fence cannot be read: {error}") from error
            if row is None:
                raise StoreUnavailable("the fence has no counter")
            return Revision(*row)
        raise AssertionError("unreachable")

    def _counter_again(self, limit_s: float) -> None:
        self._once(Job(_nothing, Patience(limit_s)), self._read_counter)

    def _commit_again(self, limit_s: float) -> None:
        self._once(Job(_probe, Patience(limit_s)), partial(self._transact, reading=False))

    def _once(self, job: Job, run: Callable[[Session, Job], object]) -> None:
        """Runs a job on a connection that is for nothing else."""
        session = self._session(COMMAND_LOCK_MS)
        try:
            self._watched(session, job, run)
        finally:
            session.drop()

    # --- transactions ---

    def _read(self, session: Session, job: Job) -> None:
        self._run(session, job, True)

    def _write(self, session: Session, job: Job) -> None:
        try:
            self._run(session, job, False)
        except RowLocked:
            self.commits.lock_waits += 1
            job.again()
            try:
                self._lock_waits.submit(job)
            except StoreUnavailable as full:
                job.finish(None, full)
                self._watchdog.forget(job)

    def _wait_for_lock(self, session: Session, job: Job) -> None:
        try:
            self._run(session, job, False)
        except RowLocked as error:
            job.finish(None, error)
            self._watchdog.forget(job)

    def _run(self, session: Session, job: Job, reading: bool) -> None:
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
        self._watchdog.forget(job)

    def _transaction(self, connection: Watched) -> CrossTransaction:
        now = self._clock()
        return CrossTransaction(connection, "postgresql", now, at=now if self._one_clock else None)

    def _transact(self, session: Session, job: Job, reading: bool) -> Any:
        for attempt in range(1, TRIES + 1):
            if not job.begin(session):
                raise StoreUnavailable("the store was silent for too long")
            connection = self._begun(session, job, self._begin(session, reading))
            try:
                result = job.work(self._transaction(connection))
                if not reading:
                    job.commits()
                if connection.execute("COMMIT").statusmessage != "COMMIT":
                    # an error that the action swallowed had ended the transaction, and COMMIT undid it
                    raise StoreUnavailable("the transaction ended under an action")
                if not reading:
                    self.commits.add(1)
                return result
            except _AGAIN as error:
                session.undo()
                self.commits.retries += 1
                if attempt == TRIES:
                    raise StoreUnavailable(f"the store was too contended: {error}") from error
            except pg.LockNotAvailable as error:
                session.undo()
                raise RowLocked(f"a row was locked for too long: {error}") from error
            except GONE as error:
                session.drop()
                if job.state is State.COMMITTING:
                    raise OutcomeOpen(f"outcome open: the store went away at COMMIT: {error}") from error
                raise StoreUnavailable(f"the store went away: {error}") from error
            except BaseException:
                session.undo()
                raise
        raise AssertionError("unreachable")

    def _begin(self, session: Session, reading: bool) -> str:
        if reading:
            return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        if session.lock_timeout_ms == LOCK_MS and self._lock_waits.busy:
            return f"BEGIN; SET LOCAL lock_timeout = '{BUSY_LOCK_MS}ms'"
        return "BEGIN"

    def _begun(self, session: Session, job: Job, begin: str) -> Watched:
        """The session's connection in a transaction. One that was lost since it was last used is made again."""
        while True:
            kept = session.kept
            try:
                connection = session.connected(job)
                connection.begin(begin)
                return connection
            except psycopg.Error as error:
                session.drop()
                if not kept or job.answered:
                    raise StoreUnavailable(f"the store cannot be reached: {error}") from error


def _nothing(_tx: CrossTransaction) -> None:
    """What reads the counter is no action."""


def _probe(tx: CrossTransaction) -> None:
    if tx.text(_PROBE)[0] == "on":
        raise StoreUnavailable("the database is read-only")


def _pass_on(done: "asyncio.Future[Revision]", waiting: "asyncio.Future[Revision]") -> None:
    if waiting.done():
        return
    if error := done.exception():
        waiting.set_exception(error)
    else:
        waiting.set_result(done.result())
