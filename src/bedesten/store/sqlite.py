"""The embedded engine: SQLite in WAL mode, durable at every commit, one writer thread with group commit.

Why (each was measured, or lost data in an experiment):

- One SQLite library in the process, a recent one, which pysqlite3 bundles. A second one (the standard library's, or a
  plain open() of the file) drops the first one's POSIX locks.
- One thread writes for the process. It takes all queued actions, runs each in its own savepoint, commits once, and only
  then answers them: one fsync for many orders.
- Between processes, a lock on a separate file is held around BEGIN … COMMIT. SQLite's own busy waiting can starve a
  process; this lock is fair.
- No caller waits beyond `wait_budget` for a writer that itself waits, for another process or for the disk. The budget
  does not bound reads, which run in the caller's thread: a disk that hangs stops the process.
- A full disk or an interrupt can abort the whole transaction during an action. So after each action the transaction
  must still be open; if it is not, every action in the batch fails.
"""

import asyncio
import contextlib
import fcntl
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, TypeVar

from pysqlite3 import dbapi2

from bedesten.core.clock import Clock, system_clock
from bedesten.core.ids import IdGenerator
from bedesten.core.revision import Revision
from bedesten.store import wait_budget
from bedesten.store.job import Job, JobState, Watchdog, notify_all
from bedesten.store.revision_log import COUNTER
from bedesten.store.sqlite_file import Connection, SqliteFile
from bedesten.store.store import MAX_ATTEMPTS, Store, StoreStats, Work
from bedesten.store.transaction import NotWritable, RetryTransaction, StoreUnavailable, SystemTransaction
from bedesten.store.wait_budget import WaitBudget
from bedesten.store.wal_index import WalIndex

Result = TypeVar("Result")
Outcome = tuple[Job, Any, BaseException | None]
"""An action, its result, and the error it raised."""

CLOSE_TIMEOUT_S = 10.0
"""How long `close` waits for running actions."""

MAX_BATCH = 128
"""Most actions that share one commit, which bounds how long the first one waits."""

MIN_FREE_BYTES = 64 * 1024 * 1024
"""With less free disk space than this, a store counts as not writable."""

WRITER_BUSY_MS, LOOP_BUSY_MS = 2_000, 100
"""How long the writer, and reads on an event loop, wait for another program's lock on the file."""


class _WriterLock:
    """A lock between processes, fair enough; held around every writing transaction."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._descriptor)


class _Writer:
    """The thread that writes. Its connection is opened in it and never leaves it."""

    def __init__(self, file: SqliteFile, clock: Clock, ids: IdGenerator, stats: StoreStats) -> None:
        self.busy = False
        self._watchdog = Watchdog()
        self._file = file
        self._clock = clock
        self._ids = ids
        self._commits = stats
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many actions wait for the next batch."""
        return self._queue.qsize()

    def submit(self, job: Job) -> None:
        with self._closing:  # a job queued behind the end marker would never be answered
            if self._closed:
                raise StoreUnavailable("the store is closed")
            self._watchdog.watch(job)
            self._queue.put(job)

    def close(self) -> None:
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join(CLOSE_TIMEOUT_S)
        self._watchdog.close()

    def _run(self) -> None:
        lock: _WriterLock | None = None
        connection: Connection = None
        while (batch := self._next_batch()) is not None:
            self.busy = True
            try:
                if connection is None:
                    connection = self._file.open()
                    connection.execute(f"PRAGMA busy_timeout = {WRITER_BUSY_MS}")
                lock = lock or _WriterLock(self._file.path.with_suffix(".writer"))
                with lock:
                    self._file.check()
                    outcomes = self._commit(connection, batch)
            except BaseException as error:
                _abandon(connection)
                connection = None
                lost = StoreUnavailable(f"the writer lost its transaction: {error}")
                # also actions that raised: the data that made them raise is rolled back with the rest
                outcomes = [(job, None, lost) for job in batch]
            for job in batch:
                self._watchdog.forget(job)
            self.busy = False
            notify_all([job for job, result, error in outcomes if job.set_outcome(result, error)])
        if connection:
            connection.close()
        if lock:
            lock.close()

    def _next_batch(self) -> list[Job] | None:
        first = self._queue.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            if job is None:
                self._queue.put(None)
                break
            batch.append(job)
        return batch

    def _commit(self, connection: Connection, batch: list[Job]) -> list[Outcome]:
        connection.execute("BEGIN IMMEDIATE")
        now = self._clock()
        transaction = SystemTransaction(connection, "sqlite", now, self._ids, at=now)
        outcomes: list[Outcome] = []
        # A single action needs no savepoint in its transaction: one would copy each page that it changes.
        alone = len(batch) == 1
        undo = ("ROLLBACK", "BEGIN IMMEDIATE") if alone else ("ROLLBACK TO action",)
        for job in batch:
            if not job.start(state=JobState.COMMITTING):
                continue
            if job.wait_budget.renewed:
                job.disable_timeout()
            if not alone:
                connection.execute("SAVEPOINT action")
            for attempt in range(1, MAX_ATTEMPTS + 1):
                transaction.attempt, transaction.request_id = attempt, job.wait_budget.request_id
                result, error = _attempt(job, transaction)
                if error and connection.in_transaction:
                    for statement in undo:
                        connection.execute(statement)
                if not isinstance(error, RetryTransaction):
                    break
                self._commits.retries += 1
            else:
                error = StoreUnavailable(f"the store was too contended: {error}")
            if not connection.in_transaction:
                raise StoreUnavailable("the transaction ended under an action")
            if not alone:
                connection.execute("RELEASE action")
            outcomes.append((job, result, error))
        connection.execute("COMMIT")
        self._commits.add(len(outcomes))
        return outcomes


def _attempt(job: Job, transaction: SystemTransaction) -> tuple[Any, Exception | None]:
    """Runs an action once. Returns its result, or the error it raised."""
    try:
        return job.work(transaction), None
    except dbapi2.OperationalError as error:
        return None, StoreUnavailable(f"the store failed: {error}")
    except Exception as error:
        return None, error


def _abandon(connection: Connection) -> None:
    """Rolls back any open transaction and closes the connection: the next batch opens a new one."""
    if connection is None:
        return
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.close()
    except dbapi2.Error:
        pass  # closing is all that is left to try


class SqliteStore(Store):
    """One file, any number of processes on one machine. Reads run in the caller's thread: they take microseconds."""

    dialect = "sqlite"

    def __init__(self, path: Path, clock: Clock = system_clock, ids: IdGenerator | None = None) -> None:
        self._file = SqliteFile(path)
        self._clock = clock
        self.ids = ids or IdGenerator()
        self.stats = StoreStats()
        self._local = threading.local()
        self._counter_sql = COUNTER.compiled("sqlite")
        self._writer: _Writer | None = None
        self._starting = threading.Lock()
        self._closed = False
        self._readers: list[Connection] = []
        self._index: WalIndex | None = None
        self._counted: tuple[bytes | None, Revision] = (None, Revision(0, 0))

    async def read_across(self, work: Work[Result], _tenant: str = "") -> Result:
        return self.read_now(work)

    def read_now(self, work: Work[Result]) -> Result:
        connection = self._reader()
        try:
            connection.execute("BEGIN")
            try:
                now = self._clock()
                return work(SystemTransaction(connection, "sqlite", now, self.ids, at=now))
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT")
        except dbapi2.OperationalError as error:
            raise StoreUnavailable(f"the store cannot be read: {error}") from error

    async def write_across(self, work: Work[Result], _tenant: str = "") -> Result:
        job = Job(
            work, wait_budget.current() or WaitBudget(wait_budget.BACKGROUND_BUDGET_S), asyncio.get_running_loop()
        )
        self._submit(job)
        assert job.future is not None
        began = monotonic()
        try:
            result: Result = await job.future
            return result
        finally:
            self.observe("write", monotonic() - began)

    def write_now(self, work: Work[Result]) -> Result:
        job = Job(work, wait_budget.current() or WaitBudget(wait_budget.COMMAND_WRITE_BUDGET_S))
        self._submit(job)
        assert job.done is not None
        job.done.wait()
        if job.error:
            raise job.error
        result: Result = job.result
        return result

    async def counter(self) -> Revision:
        return self.counter_now()

    def counter_now(self) -> Revision:
        self._file.check()
        reader, index = self._reader(), self._index
        header = index.header() if index else None  # before the counter is read, which is then at least as new
        known, revision = self._counted
        if header is not None and header == known:
            return revision
        try:
            row = reader.execute(self._counter_sql).fetchone()
        except dbapi2.Error as error:
            raise StoreUnavailable(f"the revision counter cannot be read: {error}") from error
        if row is None:
            raise StoreUnavailable("the revision counter is missing")
        revision = Revision(*row)
        self._counted = (header, revision)
        self._index = index or self._look()
        return revision

    def _look(self) -> WalIndex | None:
        """Maps the header that shows whether anything was committed. None if that fails: then each call reads."""
        with self._starting:
            if self._index is None and not self._closed:
                with contextlib.suppress(OSError):
                    self._index = WalIndex(self._file.path)
            return self._index

    def check_writable(self) -> None:
        self._file.check()
        place = os.statvfs(self._file.path)
        if place.f_flag & os.ST_RDONLY:
            raise NotWritable("the store's disk is read-only")
        if place.f_bavail * place.f_frsize < MIN_FREE_BYTES:
            raise NotWritable(f"the store's disk has less than {MIN_FREE_BYTES >> 20} MiB of room")
        try:
            self.write_now(lambda _tx: None)
        except StoreUnavailable as problem:
            raise NotWritable("the store takes no writes") from problem

    def load(self) -> Iterable[tuple[str, int, int]]:
        return [("write", int(self._writer.busy), self._writer.waiting)] if self._writer else []

    def close(self) -> None:
        with self._starting:
            self._closed = True
        if self._writer:
            self._writer.close()
        for connection in self._readers:
            connection.close()
        self._readers.clear()
        if self._index:
            self._index.close()
        self._local = threading.local()

    def _submit(self, job: Job) -> None:
        if self._writer is None:
            with self._starting:
                if self._closed:
                    raise StoreUnavailable("the store is closed")
                self._writer = self._writer or _Writer(self._file, self._clock, self.ids, self.stats)
        self._writer.submit(job)

    def _reader(self) -> Connection:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            connection = self._local.connection = self._file.open()
            if asyncio._get_running_loop() is not None:  # everything else on the loop would wait as well
                connection.execute(f"PRAGMA busy_timeout = {LOOP_BUSY_MS}")
            connection.execute("PRAGMA query_only = ON")  # writes go through the writer, or not at all
            self._readers.append(connection)
        return connection
