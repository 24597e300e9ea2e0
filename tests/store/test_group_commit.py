"""Group commit: which action commits for which, and what each gets if the commit fails. The sessions are fakes."""

from collections.abc import Sequence
from typing import Any

import pytest
from psycopg import errors as pg

from bedesten.store import group_commit
from bedesten.store.group_commit import CommitRole, GroupCommit, Member
from bedesten.store.job import Job, JobState, Watchdog
from bedesten.store.postgres_session import PostgresSession
from bedesten.store.sql import Statement
from bedesten.store.store import StoreStats
from bedesten.store.tables import INSERT_ANSWER, STORED_ANSWER
from bedesten.store.transaction import Changes, OutcomeUnknown, Step, StoreUnavailable
from bedesten.store.wait_budget import WaitBudget


class Session(PostgresSession):
    """A session without a database, which records what happens to it."""

    def __init__(self) -> None:
        super().__init__("postgresql://nowhere", 200, lambda: 0, lambda: None)
        self.happened: list[str] = []

    def connected(self, job: Job) -> Any:
        return None

    def undo(self) -> None:
        self.happened.append("undo")

    def drop(self) -> None:
        self.happened.append("drop")

    def interrupt(self) -> None:
        self.happened.append("interrupt")


class Groups:
    """Actions of one tenant: the first commits, and others arrive before it has finished."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.session = Session()
        self.committed: list[list[str]] = []
        self.again: list[Job] = []
        self.fails: Exception | None = None
        self.jobs: dict[str, Job] = {}
        self.watchdog = Watchdog()
        self.stats = StoreStats()
        self.groups = GroupCommit(self.again.append, self.watchdog, self.stats)
        outer = self

        class Connection:
            def __init__(self, _connection: object, waiter: Any, _begin: object) -> None:
                self._waiter = waiter

            def commit_joint(self, changes: Sequence[Changes]) -> None:
                self._waiter.wait_started()
                outer.committed.append([str(one.steps[0].parameters["name"]) for one in changes])
                outer.session.happened.append("commit")
                self._waiter.wait_ended()
                if outer.fails is not None:
                    raise outer.fails

        monkeypatch.setattr(group_commit, "PostgresConnection", Connection)

    def member(
        self, name: str, statement: Statement[Any] = INSERT_ANSWER, tenant: str = "t", wakes: bool = False
    ) -> Member:
        job = self.jobs[name] = Job(lambda _tx: None, WaitBudget(60.0), tenant=tenant)
        job.ungrouped = False
        job.start(self.session)
        changes = Changes(tenant, (Step(statement, {"name": name}),), joins=True)
        return Member(job, changes, f"result of {name}", wakes)

    def come(self, *names: str) -> None:
        """The first action leads, the others follow."""
        self.first = self.member("first")
        assert self.groups.role_of(self.first) is CommitRole.LEADER
        for name in names:
            assert self.groups.role_of(self.member(name)) is CommitRole.FOLLOWER

    def end(self) -> None:
        """The first action has committed."""
        self.session.leading_group = self.first.key
        self.groups.serve(self.session)
        assert self.groups.role_of(self.member("later")) is CommitRole.LEADER, "nobody commits for the key any more"

    def results(self, *names: str) -> list[object]:
        return [self.jobs[name].result for name in names]

    def errors(self, *names: str) -> list[type]:
        return [type(self.jobs[name].error) for name in names]


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> Groups:
    return Groups(monkeypatch)


def test_actions_that_arrive_during_a_commit_are_committed_together_and_answered(groups: Groups) -> None:
    groups.come("second", "third", "fourth", "fifth")
    assert not groups.jobs["second"].answered
    groups.end()
    assert groups.committed == [["second", "third", "fourth", "fifth"]]
    assert groups.results("second", "fifth") == ["result of second", "result of fifth"]
    assert (groups.stats.transactions, groups.stats.actions) == (1, 4)
    assert groups.session.happened == ["commit"]


def test_a_group_has_one_of_a_few_sizes_and_the_remaining_actions_form_the_next_group(groups: Groups) -> None:
    """Each size needs its own prepared statement."""
    groups.come(*"abcdefghijk")
    groups.end()
    assert ["".join(names) for names in groups.committed] == ["abcdefgh", "ij", "k"]


@pytest.mark.parametrize("other", [{"tenant": "u"}, {"statement": STORED_ANSWER}])
def test_actions_of_another_tenant_or_with_other_statements_are_in_a_separate_group(
    groups: Groups, other: dict[str, Any]
) -> None:
    groups.come("second")
    assert groups.groups.role_of(groups.member("apart", **other)) is CommitRole.LEADER


def test_the_number_of_followers_is_limited(groups: Groups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MAX_FOLLOWERS", 2)
    groups.come("second", "third")
    assert groups.groups.role_of(groups.member("fourth")) is CommitRole.ALONE


@pytest.mark.parametrize(
    "error",
    [pg.LockNotAvailable(), pg.DeadlockDetected(), pg.DivisionByZero(), pg.UniqueViolation(), StoreUnavailable("full")],
)
def test_a_group_that_fails_is_undone_before_each_member_runs_again_by_itself(groups: Groups, error: Exception) -> None:
    groups.come("second", "third")
    groups.fails = error
    groups.end()
    assert groups.session.happened == ["commit", "undo"]
    assert groups.again == [groups.jobs["second"], groups.jobs["third"]]
    for job in groups.again:
        assert (job.ungrouped, job.answered, job.state) == (True, False, JobState.WAITING)


@pytest.mark.parametrize("error", [pg.AdminShutdown("the server goes down"), RuntimeError("a defect")])
def test_if_the_result_of_a_commit_is_unknown_every_member_gets_outcome_unknown_and_none_runs_again(
    groups: Groups, error: Exception
) -> None:
    groups.come("second", "third")
    groups.fails = error
    groups.end()
    assert groups.session.happened == ["commit", "drop"]
    assert groups.errors("second", "third") == [OutcomeUnknown] * 2
    assert groups.again == []


def test_a_follower_that_timed_out_is_not_committed(groups: Groups) -> None:
    groups.come("second", "third", "fourth")
    groups.jobs["second"].time_out()
    groups.end()
    assert groups.committed == [["third"], ["fourth"]]
    assert groups.errors("second") == [StoreUnavailable]
    assert groups.session.happened == ["commit", "commit"], "its thread has other work: nothing was cut off"


def test_a_member_that_times_out_during_the_commit_interrupts_the_group(groups: Groups) -> None:
    """The server is silent, so the outcome is unknown."""
    groups.come("second", "third")
    assert groups.jobs["third"].start_joint_commit(groups.session)
    groups.jobs["third"].time_out()
    assert groups.session.happened == ["interrupt"]
    assert groups.errors("third") == [OutcomeUnknown]


def test_a_commit_has_half_a_second_though_its_request_has_used_up_its_time() -> None:
    """Otherwise a late request would look like a store that does not answer COMMIT, and stop all writes."""
    job = Job(lambda _tx: None, WaitBudget(0.0, 0.05))
    assert job.start()
    assert job.is_overdue(job.since + 0.01)
    job.start_commit()
    assert not job.is_overdue(job.since + 0.45)
    assert job.is_overdue(job.since + 0.55)


def test_if_every_member_timed_out_nothing_is_committed(groups: Groups) -> None:
    groups.come("second", "third")
    for name in ("second", "third"):
        groups.jobs[name].time_out()
    groups.end()
    assert groups.committed == []


def test_an_action_that_timed_out_becomes_no_follower(groups: Groups) -> None:
    groups.come()
    late = groups.member("late")
    late.job.time_out()
    assert groups.groups.role_of(late) is CommitRole.ALONE, "start_commit says why it ends"


def test_a_worker_is_woken_if_one_member_has_work_for_it(groups: Groups) -> None:
    groups.come("second")
    assert groups.groups.role_of(groups.member("third", wakes=True)) is CommitRole.FOLLOWER
    for name in ("fourth", "fifth"):
        assert groups.groups.role_of(groups.member(name)) is CommitRole.FOLLOWER
    assert groups.groups.role_of(groups.member("sixth")) is CommitRole.FOLLOWER
    groups.end()
    assert len(groups.committed) == 2
    assert groups.session.wakes_worker


def test_the_watchdog_stops_watching_finished_members(groups: Groups) -> None:
    groups.come("second", "third")
    groups.watchdog._jobs |= {groups.jobs["second"], groups.jobs["third"]}
    groups.end()
    assert groups.watchdog._jobs == set()
