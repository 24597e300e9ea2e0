"""Group commit on PostgreSQL: actions of one tenant that reach COMMIT at the same time share one transaction.

The first action commits at once. Actions that reach COMMIT meanwhile are set aside; the first action's thread then
commits them, each group in one round trip, until none is left. Orders of one buyer need this: they wait for the row of
its balance, whose lock would otherwise pass from transaction to transaction, each with its own wait for the disk. No
action waits for others to arrive, and no thread waits for another.

A group commits as a whole or not at all. If one of its statements changes a wrong number of rows or meets a locked row,
every member runs again, alone, and gets its own error.
"""

import threading
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import errors as pg

from bedesten.store.job import Job, Watchdog, notify_all
from bedesten.store.joint_changes import shape
from bedesten.store.postgres_connection import BEGIN_PLAIN, PostgresConnection
from bedesten.store.postgres_session import CONNECTION_ERRORS, PostgresSession
from bedesten.store.sql import Statement
from bedesten.store.store import StoreStats
from bedesten.store.transaction import Changes, OutcomeUnknown, StoreUnavailable

GROUP_SIZES: Final = (8, 4, 2, 1)
"""Allowed group sizes. Each size is one more statement to prepare on each connection."""
MAX_ASIDE: Final = 32
"""Most members that may be set aside per group; further actions commit alone."""

Key = tuple[str, tuple[Statement[Any], ...]]


class Member(NamedTuple):
    """An action that has only to commit, and then to answer with `result`."""

    job: Job
    changes: Changes
    result: Any
    wakes_worker: bool

    @property
    def key(self) -> Key:
        """What the members of a group have in common."""
        return (self.changes.tenant, shape(self.changes))


class Turn(Enum):
    """How an action commits."""

    LEAD = "it commits now, and afterwards its thread commits for those that came meanwhile"
    ASIDE = "another thread commits and answers it"
    ALONE = "it commits now"


class _Waiters(NamedTuple):
    """All jobs of a group wait for the server at the same time."""

    jobs: Sequence[Job]

    def wait_started(self) -> None:
        for job in self.jobs:
            job.wait_started()

    def wait_ended(self) -> None:
        for job in self.jobs:
            job.wait_ended()


class GroupCommit:
    """The groups of a store. Called in the threads of its sessions.

    `run_again` puts a job back into the queue; it answers the job if there is no room.
    """

    def __init__(self, run_again: Callable[[Job], None], watchdog: Watchdog, stats: StoreStats) -> None:
        self._run_again = run_again
        self._watchdog = watchdog
        self._stats = stats
        self._lock = threading.Lock()
        self._aside: dict[Key, list[Member]] = {}
        """Members that were set aside; a key is present while a thread commits for its group."""

    def sets_aside(self, session: PostgresSession, job: Job, connection: PostgresConnection, result: Any) -> bool:
        """Reports whether another thread commits and answers this action, which has only to commit.

        If not, the caller commits, and then always calls `serve`: other members may have been set aside meanwhile.
        """
        changes = connection.joint_changes
        if changes is None or job.alone or session.leads is not None:
            return False
        member = Member(job, changes, result, connection.wakes_worker)
        turn = self.turn(member)
        if turn is Turn.LEAD:
            session.leads = member.key
        return turn is Turn.ASIDE

    def turn(self, member: Member) -> Turn:
        """Decides how a member commits, and sets it aside for another thread if that one is to commit it."""
        key = member.key
        with self._lock:
            aside = self._aside.get(key)
            if aside is None:
                self._aside[key] = []
                return Turn.LEAD
            if len(aside) >= MAX_ASIDE or not member.job.set_aside():
                return Turn.ALONE
            aside.append(member)
            return Turn.ASIDE

    def serve(self, session: PostgresSession) -> None:
        """Commits the members that were set aside for a session, group by group, until none is left. Raises nothing."""
        key, session.leads = session.leads, None
        while key is not None and (group := self._next(key)):
            ready = [member for member in group if member.job.start_joint_commit(session)]
            try:
                if ready:
                    self._commit(ready, session)
            except BaseException as error:
                session.drop()
                if isinstance(error, pg.DiskFull):
                    self._stats.count_no_room()
                _answer(ready, OutcomeUnknown(f"outcome open: the store went away at COMMIT: {error}"))
            for member in group:
                if member.job.answered:
                    self._watchdog.forget(member.job)

    def _next(self, key: Key) -> list[Member]:
        with self._lock:
            aside = self._aside[key]
            if not aside:
                del self._aside[key]
                return []
            size = next(size for size in GROUP_SIZES if size <= len(aside))
            self._aside[key] = aside[size:]
            return aside[:size]

    def _commit(self, group: list[Member], session: PostgresSession) -> None:
        """Commits and answers a group, or requeues its jobs. Raises `CONNECTION_ERRORS`: then the outcome is open."""
        jobs = [member.job for member in group]
        try:
            connection = PostgresConnection(session.connected(group[0].job), _Waiters(jobs), BEGIN_PLAIN)
            connection.commit_joint([member.changes for member in group])
        except (pg.DeadlockDetected, pg.SerializationFailure, pg.LockNotAvailable):
            pass
        except CONNECTION_ERRORS:
            raise
        except (psycopg.Error, StoreUnavailable):
            pass
        else:
            self._stats.add(len(group))
            session.wakes_worker |= any(member.wakes_worker for member in group)
            _answer(group, None)
            return
        session.undo()
        for job in jobs:
            job.alone = True
            job.requeue()
            self._run_again(job)


def _answer(group: list[Member], error: StoreUnavailable | None) -> None:
    """Answers the members that have not timed out, with one call into each event loop."""
    notify_all([
        member.job
        for member in group
        if member.job.set_outcome(None if error else member.result, error)
    ])  # fmt: skip
