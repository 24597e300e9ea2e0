"""Queries the revision counter: in a thread, or from the event loop on the connection that the thread has opened.

Handing the query to a thread and back costs more than the query, and then both threads compete for the GIL. So while
the thread has no job, the loop uses its connection through libpq's non-blocking calls. The thread handles what is out
of the ordinary (no connection yet, a broken connection, an unexpected result), since it knows how to reconnect.
"""

import asyncio
from collections.abc import Callable

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from bedesten.core.revision import Revision
from bedesten.store.job import Job, Watchdog
from bedesten.store.postgres_connection import Connection, PostgresConnection, numbered
from bedesten.store.postgres_session import CONNECTION_ERRORS, PostgresSession
from bedesten.store.revision_log import COUNTER
from bedesten.store.transaction import StoreUnavailable

_NAME = b"bedesten_revision"
_COUNTER = COUNTER.compiled("postgresql")


def read_counter(session: PostgresSession, job: Job) -> Revision:
    """Reads the counter in the session's thread; reconnects once if needed. Raises `StoreUnavailable`."""
    if not job.start(session):
        raise StoreUnavailable("the store is silent")
    for last in (False, True):
        try:
            connection = PostgresConnection(session.connected(job), job, reads_outside=True)
            row = connection.execute(_COUNTER).fetchone()
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


class LoopQuery:
    """Runs the query from the event loop, one job at a time. `submit` hands a job to the thread.

    The thread calls `prepare` after it has read the counter; the event loop calls everything else.
    """

    def __init__(self, watchdog: Watchdog, submit: Callable[[Job], None]) -> None:
        self._watchdog = watchdog
        self._submit = submit
        self._session: PostgresSession | None = None
        self._prepared: Connection | None = None
        self._job: Job | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._descriptor = -1
        self._result: PGresult | None = None

    def prepare(self, session: PostgresSession) -> None:
        """Prepares the query on the thread's connection, once. Not behind a pooler, which keeps no session state."""
        connection = session.usable()
        if connection is None or connection is self._prepared or session.local_settings:
            return
        try:
            prepared = connection.pgconn.prepare(_NAME, numbered(_COUNTER).sql).status == ExecStatus.COMMAND_OK
        except (psycopg.Error, MemoryError):  # the latter if libpq returns no result
            prepared = False
        if prepared:
            self._session, self._prepared = session, connection
        else:
            session.drop()

    def ask(self, job: Job) -> None:
        """Sends the query for a job, or hands the job to the thread. Raises `StoreUnavailable`."""
        overdue = self._end()
        if overdue is not None:  # stop listening before the thread closes the connection: its descriptor may be reused
            self._lose(overdue)
        if not self._send(job):
            self._submit(job)

    def close(self) -> None:
        """Fails the running job, if there is one, because the store is closed, and stops using the connection."""
        job = self._end()
        if job is not None:
            job.finish(None, StoreUnavailable("the store is closed"))

    def _send(self, job: Job) -> bool:
        connection = self._session.usable() if self._session is not None else None
        if connection is None or connection is not self._prepared:
            return False
        line = connection.pgconn
        if line.transaction_status != TransactionStatus.IDLE or not job.start(self._session):
            return False
        self._job = job
        try:
            self._listen(line)
            line.send_query_prepared(_NAME, None)
            line.flush()
        except (psycopg.Error, OSError, RuntimeError):  # the last one if the loop cannot add readers
            self._end()
            self._lose(job)
            return False
        job.answer_waits = self._session.has_input if self._session is not None else None
        self._watchdog.watch(job)
        return True

    def _listen(self, line: PGconn) -> None:
        self._loop, self._descriptor = asyncio.get_running_loop(), line.socket
        self._loop.add_reader(self._descriptor, self._receive, line)

    def _receive(self, line: PGconn) -> None:
        """Reads what has arrived. A complete result answers the job; after any other the connection is dropped."""
        try:
            line.consume_input()
            while not line.is_busy():
                result = line.get_result()
                if result is None:
                    break
                self._result = result
                if result.status != ExecStatus.TUPLES_OK:
                    break
            else:
                self._listen_no_more()
                self._listen(line)  # after a socket error uvloop calls back only once
                return
            revision = _revision(self._result)
        except (psycopg.Error, OSError, RuntimeError):
            revision = None
        job = self._end()
        assert job is not None
        if revision is not None:
            self._watchdog.forget(job)
            if job.set_outcome(revision, None):
                job.notify()
            return
        self._lose(job)
        try:
            self._submit(job)
        except StoreUnavailable as problem:
            job.finish(None, problem)

    def _end(self) -> Job | None:
        """Stops listening. Returns the job that was running."""
        job, self._job, self._result = self._job, None, None
        if job is not None:
            self._listen_no_more()
        return job

    def _listen_no_more(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._descriptor)

    def _lose(self, job: Job) -> None:
        """Drops the connection and requeues the job, so that the thread can reconnect and ask again."""
        assert self._session is not None
        self._prepared = None
        self._session.drop()
        job.requeue()


def _revision(result: PGresult | None) -> Revision | None:
    """The revision in a result; None if the result holds none."""
    if result is None or result.status != ExecStatus.TUPLES_OK or result.ntuples != 1:
        return None
    number, nonce = result.get_value(0, 0), result.get_value(0, 1)
    return Revision(int(number), int(nonce)) if number is not None and nonce is not None else None
