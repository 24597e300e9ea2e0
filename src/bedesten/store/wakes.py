"""Wakes workers on other machines when there is work for them: LISTEN and NOTIFY of PostgreSQL.

A NOTIFY inside a transaction makes its COMMIT wait for a lock on the whole database. So a process notifies after
COMMIT, in a separate transaction that waits for no disk, and at most once every `MIN_INTERVAL_S`. A message may be lost
(a connection breaks; a pooler in transaction mode never delivers it), so workers poll as well.
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
"""How often a listener checks whether it has to stop."""


class Announcer:
    """Notifies workers, at most once every `MIN_INTERVAL_S`. Any thread may call it."""

    def __init__(self, watched: Callable[[PostgresSession, Job, Callable[[PostgresSession, Job], None]], None]) -> None:
        """`watched` runs a job under the watchdog's timeout."""
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
    """The action of a job that only notifies."""


def _notify(session: PostgresSession, job: Job) -> None:
    if job.start(session):
        try:
            session.connected(job).execute(f"NOTIFY {CHANNEL}", prepare=False)
        except psycopg.Error:
            session.drop()
            raise


class WakeListener:
    """Calls `on_wake` for each message, in a separate thread."""

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
                    return  # a pooler in transaction mode: LISTEN would take effect in another client's session
                connection.execute(f"LISTEN {CHANNEL}")
                while not self._stopped.is_set():
                    for _ in connection.notifies(timeout=LOOK_INTERVAL_S):
                        self._on_wake()
            self._stopped.wait(RECONNECT_INTERVAL_S)
