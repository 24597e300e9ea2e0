"""Wakes workers on other machines when there is work for them: LISTEN and NOTIFY of PostgreSQL.

NOTIFY inside a transaction makes every COMMIT with one wait for a lock of the whole database. So a process notifies after
COMMIT, in a transaction of its own that waits for no disk, and at most every `MIN_INTERVAL_S`. A message may be lost (a
connection breaks; a pooler that pools by transaction never delivers it): workers poll as well.
"""

import contextlib
import threading
from collections.abc import Callable
from time import monotonic

import psycopg

from bedesten.store.job import Job
from bedesten.store.postgres_session import PostgresSession
from bedesten.store.transaction import StoreUnavailable, SystemTransaction
from bedesten.store.wait_budget import WaitBudget

CHANNEL = "bedesten_worker"
MIN_INTERVAL_S = 0.05
MAX_ANNOUNCEMENT_S = 3.0
RECONNECT_INTERVAL_S = 5.0
LOOK_INTERVAL_S = 1.0
"""Time after which a listener looks whether it has to end."""


class Announcer:
    """Notifies workers, not too often. Any thread may call it."""

    def __init__(self, watched: Callable[[PostgresSession, Job, Callable[[PostgresSession, Job], None]], None]) -> None:
        """`watched` runs a job that the watchdog sets free."""
        self._watched = watched
        self._announced = -MIN_INTERVAL_S

    def announce(self, session: PostgresSession) -> None:
        """Notifies if the transaction that has just ended on this session asked for it. Raises nothing."""
        if not session.wakes_worker:
            return
        session.wakes_worker = False
        now = monotonic()
        if now - self._announced >= MIN_INTERVAL_S:
            self._announced = now
            with contextlib.suppress(StoreUnavailable, psycopg.Error):
                self._watched(session, Job(_nothing, WaitBudget(MAX_ANNOUNCEMENT_S)), _notify)


def _nothing(_tx: SystemTransaction) -> None:
    """A message is no action."""


def _notify(session: PostgresSession, job: Job) -> None:
    if job.start(session):
        try:
            session.connected(job).execute(f"NOTIFY {CHANNEL}", prepare=False)
        except psycopg.Error:
            session.drop()
            raise


class WakeListener:
    """Calls `on_wake`, in a thread of its own, for each message."""

    def __init__(
        self, connect: Callable[[], "psycopg.Connection[tuple[object, ...]]"], on_wake: Callable[[], None]
    ) -> None:
        self._connect = connect
        self._on_wake = on_wake
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="store-wakes", daemon=True).start()

    def stop(self) -> None:
        """End the thread, within `LOOK_INTERVAL_S`."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(psycopg.Error, StoreUnavailable, OSError), self._connect() as connection:
                if connection.execute("SELECT pg_backend_pid()").fetchone() != (connection.info.backend_pid,):
                    return  # a pooler that pools by transaction: another client would listen, and not know
                connection.execute(f"LISTEN {CHANNEL}")
                while not self._stopped.is_set():
                    for _ in connection.notifies(timeout=LOOK_INTERVAL_S):
                        self._on_wake()
            self._stopped.wait(RECONNECT_INTERVAL_S)
