"""Group commit on PostgreSQL: actions of one tenant that reach COMMIT at the same time share one transaction.

The first action, the leader, commits at once. Actions that reach COMMIT meanwhile are its followers; the leader's thread
then commits them, each group in one round trip, until none is left. Orders of one buyer need this: they wait for the row of
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
MAX_FOLLOWERS: Final = 32
"""Most followers of a leader; further actions commit alone."""

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


class CommitRole(Enum):
    """How an action commits."""

    LEADER = "it commits now, and afterwards its thread commits its followers"
    FOLLOWER = "another thread commits and answers it"
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
        self._followers: dict[Key, list[Member]] = {}
        """Followers by group; a key is present while a leader's thread commits for the group."""

    def becomes_follower(self, session: PostgresSession, job: Job, connection: PostgresConnection, result: Any) -> bool:
        """Reports whether another thread commits and answers this action, which has only to commit.

        If not, the caller commits, and then always calls `serve`: it may have got followers meanwhile.
        """
        changes = connection.joint_changes
        if changes is None or job.ungrouped or session.leading_group is not None:
            return False
        member = Member(job, changes, result, connection.wakes_worker)
        role = self.role_of(member)
        if role is CommitRole.LEADER:
            session.leading_group = member.key
        return role is CommitRole.FOLLOWER

    def role_of(self, member: Member) -> CommitRole:
        """Decides how a member commits, and queues a follower for its leader's thread."""
        key = member.key
        with self._lock:
            followers = self._followers.get(key)
            if followers is None:
                self._followers[key] = []
                return CommitRole.LEADER
            if len(followers) >= MAX_FOLLOWERS or not member.job.follow():
                return CommitRole.ALONE
            followers.append(member)
            return CommitRole.FOLLOWER

    def serve(self, session: PostgresSession) -> None:
        """Commits the followers of the session's leader, group by group, until none is left. Raises nothing."""
        key, session.leading_group = session.leading_group, None
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
            followers = self._followers[key]
            if not followers:
                del self._followers[key]
                return []
            size = next(size for size in GROUP_SIZES if size <= len(followers))
            self._followers[key] = followers[size:]
            return followers[:size]

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
            job.ungrouped = True
            job.requeue()
            self._run_again(job)


def _answer(group: list[Member], error: StoreUnavailable | None) -> None:
    """Answers the members that have not timed out, with one call into each event loop."""
    notify_all([
        member.job
        for member in group
        if member.job.set_outcome(None if error else member.result, error)
    ])  # fmt: skip
