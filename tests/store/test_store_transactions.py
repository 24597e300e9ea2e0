"""An action commits when it returns and undoes everything when it raises, alone or in one commit with others."""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.payments import actions as payments
from bedesten.server.installation import open_store
from bedesten.server.settings import Settings
from bedesten.store.sqlite import SqliteStore
from bedesten.store.sqlite_file import SqliteFile
from bedesten.store.store import MAX_ATTEMPTS, Store
from bedesten.store.tables import INSERT_ANSWER
from bedesten.store.transaction import (
    MAX_BATCH_STEPS,
    RetryTransaction,
    Step,
    StoreUnavailable,
    SystemTransaction,
    Transaction,
)
from tests.store import notes
from tests.store.raw import RawConnection
from tests.store.tenant_actions import Boom, within


def test_the_changes_of_an_action_are_visible_to_another_connection_once_the_write_has_returned(
    store: Store, tenant: str, other_connection: RawConnection
) -> None:
    for number in range(20):
        assert store.write_now(within(tenant, partial(notes.put, name=f"n{number:02}"))) is True
        assert other_connection.one(notes.COUNT, tenant=tenant) == number + 1


def test_nothing_is_seen_by_another_connection_before_the_action_has_returned(
    store: Store, tenant: str, other_connection: RawConnection
) -> None:
    def action(tx: Transaction) -> tuple[str | None, object]:
        notes.put(tx, "early")
        return notes.get(tx, "early"), other_connection.one(notes.COUNT, tenant=tenant)

    assert store.write_now(within(tenant, action)) == ("text", 0)
    assert other_connection.one(notes.COUNT, tenant=tenant) == 1


def test_raising_undoes_everything_and_the_revision_too(
    store: Store, tenant: str, other_connection: RawConnection
) -> None:
    def action(tx: Transaction) -> None:
        assert notes.put(tx, "gone")
        tx.advance_revision("tenant", tx.tenant)
        raise Boom("no")

    before = other_connection.rows("SELECT counter FROM revision_counter")
    changes = other_connection.one("SELECT count(*) FROM changes")
    with pytest.raises(Boom, match="no"):
        store.write_now(within(tenant, action))
    assert other_connection.one(notes.COUNT, tenant=tenant) == 0
    assert other_connection.rows("SELECT counter FROM revision_counter") == before
    assert other_connection.one("SELECT count(*) FROM changes") == changes


def test_returning_a_refusal_commits_earlier_changes(
    store: Store, tenant: str, other_connection: RawConnection
) -> None:
    def action(tx: Transaction) -> Refusal:
        notes.put(tx, "counted")
        return Refusal(errors.LOGIN_REFUSED, "wrong password")

    answer = store.write_now(within(tenant, action))
    assert isinstance(answer, Refusal)
    assert answer.code.number == -26
    assert other_connection.rows(notes.NAMES, tenant=tenant) == [("counted",)]


def break_a_constraint(tx: Transaction) -> None:
    """Creates a deposit below zero, which every surface refuses."""
    payments.create_deposit(tx, "nobody", "nobody", "below zero", "USD", -1)


def test_a_violated_constraint_undoes_the_whole_action(
    store: Store, tenant: str, other_connection: RawConnection
) -> None:
    def action(tx: Transaction) -> None:
        notes.put(tx, "gone")
        break_a_constraint(tx)

    with pytest.raises(Exception, match="deposits_amount"):
        store.write_now(within(tenant, action))
    assert other_connection.one(notes.COUNT, tenant=tenant) == 0


def test_an_action_that_swallows_an_error_of_the_database_succeeds_only_if_it_was_committed(
    store: Store, tenant: str, other_connection: RawConnection
) -> None:
    """PostgreSQL ends the transaction on the first error, and its COMMIT then answers ROLLBACK, without an error."""

    def action(tx: Transaction) -> str:
        notes.put(tx, "kept or refused")
        with contextlib.suppress(Exception):
            break_a_constraint(tx)
        return "swallowed"

    if store.dialect == "sqlite":
        assert store.write_now(within(tenant, action)) == "swallowed"
    else:
        with pytest.raises(StoreUnavailable, match="ended under an action"):
            store.write_now(within(tenant, action))
    assert other_connection.one(notes.COUNT, tenant=tenant) == (1 if store.dialect == "sqlite" else 0)


def test_a_failing_action_does_not_affect_concurrent_ones(
    store: Store, tenant: str, other_connection: RawConnection
) -> None:
    def action(number: int) -> Callable[[Transaction], int]:
        def work(tx: Transaction) -> int:
            notes.put(tx, f"n{number:03}")
            if number % 3 == 0:
                raise Boom(str(number))
            return number

        return work

    async def all_at_once() -> list[object]:
        waiting = (store.write_across(within(tenant, action(number))) for number in range(60))
        return await asyncio.gather(*waiting, return_exceptions=True)

    outcomes = asyncio.run(all_at_once())
    assert [str(one) for one in outcomes if isinstance(one, Boom)] == [str(number) for number in range(0, 60, 3)]
    kept = [number for number in range(60) if number % 3]
    assert [one for one in outcomes if not isinstance(one, Boom)] == kept
    assert other_connection.rows(notes.NAMES, tenant=tenant) == [(f"n{number:03}",) for number in kept]


def test_writers_without_a_loop_and_writers_on_a_loop_share_one_store(store: Store, tenant: str) -> None:
    def one(name: str) -> object:
        return store.write_now(within(tenant, lambda tx: notes.put(tx, name)))

    async def some(prefix: str) -> list[object]:
        return list(
            await asyncio.gather(*(store.write(tenant, notes.put, f"{prefix}{number}") for number in range(20)))
        )

    with ThreadPoolExecutor(4) as threads:
        plain = [threads.submit(one, f"plain{number}") for number in range(20)]
        loops = [threads.submit(asyncio.run, some(f"loop{number}-")) for number in range(2)]
        assert [job.result() for job in plain] == [True] * 20
        assert [job.result() for job in loops] == [[True] * 20] * 2
    assert store.read_now(within(tenant, lambda tx: notes.get(tx, "loop1-19"))) == "text"


def test_a_reading_action_sees_one_snapshot_whatever_is_committed_meanwhile(store: Store, tenant: str) -> None:
    def twice(tx: Transaction) -> tuple[str | None, str | None]:
        first = notes.get(tx, "later")
        with ThreadPoolExecutor(1) as writer:
            done = writer.submit(store.write_now, within(tenant, lambda other: notes.put(other, "later")))
            assert done.result() is True
        return first, notes.get(tx, "later")

    assert store.read_now(within(tenant, twice)) == (None, None)
    assert store.read_now(within(tenant, lambda tx: notes.get(tx, "later"))) == "text"


def test_a_reading_action_cannot_write(store: Store, tenant: str, other_connection: RawConnection) -> None:
    with pytest.raises(Exception, match=r"readonly|read-only"):
        store.read_now(within(tenant, lambda tx: notes.put(tx, "sneaked")))
    assert other_connection.one(notes.COUNT, tenant=tenant) == 0
    assert store.write_now(within(tenant, lambda tx: notes.put(tx, "honest"))) is True


def test_an_action_that_lost_a_race_runs_again_after_a_rollback(
    store: Store, tenant: str, other_connection: RawConnection
) -> None:
    runs: list[str | None] = []

    def action(tx: Transaction) -> str:
        runs.append(notes.get(tx, "slate"))
        notes.put(tx, "slate")
        if len(runs) < 3:
            raise RetryTransaction("overtaken")
        return "done"

    assert store.write_now(within(tenant, action)) == "done"
    assert runs == [None, None, None]
    assert other_connection.one(notes.COUNT, tenant=tenant) == 1


def test_an_action_that_loses_a_race_too_often_raises_store_unavailable(
    store: Store, tenant: str, other_connection: RawConnection
) -> None:
    runs: list[int] = []

    def action(tx: Transaction) -> None:
        notes.put(tx, "never")
        runs.append(1)
        raise RetryTransaction("overtaken")

    with pytest.raises(StoreUnavailable, match="contended"):
        store.write_now(within(tenant, action))
    assert len(runs) == MAX_ATTEMPTS
    assert other_connection.one(notes.COUNT, tenant=tenant) == 0


def test_an_action_and_its_rows_use_the_time_of_the_store_s_clock(
    settings: Settings, tenant: str, other_connection: RawConnection
) -> None:
    store = open_store(settings, clock=lambda: 1_234_567)
    try:
        assert store.write_now(lambda tx: (notes.put(tx.for_tenant(tenant), "dated"), tx.now)) == (True, 1_234_567)
        assert store.read_now(lambda tx: tx.now) == 1_234_567
    finally:
        store.close()
    assert other_connection.rows(notes.CLOCK, tenant=tenant) == [(1_234_567,)]


def test_a_closed_store_refuses_all_work_without_hanging(
    settings: Settings, tenant: str, other_connection: RawConnection
) -> None:
    store, unused = open_store(settings), open_store(settings)
    assert store.write_now(within(tenant, partial(notes.put, name="before"))) is True
    for closed in (store, unused):
        closed.close()
        closed.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            closed.write_now(within(tenant, partial(notes.put, name="after")))
        with pytest.raises(StoreUnavailable, match="closed"):
            closed.read_now(within(tenant, partial(notes.get, name="before")))
        with pytest.raises(StoreUnavailable, match="closed"):
            asyncio.run(closed.write(tenant, notes.put, "after"))
        with pytest.raises(StoreUnavailable, match="closed"):
            asyncio.run(closed.counter())
    assert other_connection.rows(notes.NAMES, tenant=tenant) == [("before",)]


class Gate:
    """Blocks the writer inside an action, so that actions submitted meanwhile share the next commit."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()

    def action(self, _: SystemTransaction) -> None:
        """Signals that it has begun and waits for its release."""
        self.entered.set()
        assert self.released.wait(120)


@pytest.mark.parametrize("count", [5, 128, 300])
def test_on_sqlite_actions_queued_behind_a_commit_share_the_next_one_and_still_fail_alone(
    sqlite_settings: Settings, sqlite_tenant: str, count: int
) -> None:
    """The store reads the clock once per commit, so actions with the same `now` were committed together."""
    ticks = itertools.count(1)
    store = open_store(sqlite_settings, clock=lambda: next(ticks))
    gate = Gate()

    def action(number: int) -> Callable[[Transaction], int]:
        def work(tx: Transaction) -> int:
            notes.put(tx, f"g{count}-{number:03}")
            if number % 5 == 1:
                raise Boom(str(number))
            return tx.now

        return work

    async def all_at_once() -> list[object]:
        first = asyncio.ensure_future(store.write_across(gate.action))
        await asyncio.to_thread(gate.entered.wait, 30)
        rest = [asyncio.ensure_future(store.write(sqlite_tenant, action(number))) for number in range(count)]
        await asyncio.sleep(0)
        gate.released.set()
        await first
        return await asyncio.gather(*rest, return_exceptions=True)

    try:
        outcomes = asyncio.run(all_at_once())
    finally:
        store.close()
    failed = [number for number, one in enumerate(outcomes) if isinstance(one, Boom)]
    assert failed == list(range(1, count, 5))
    moments = {one for one in outcomes if isinstance(one, int)}
    stats = -(-count // 128)
    assert sorted(moments) == list(range(2, 2 + stats))
    read = SqliteStore(sqlite_settings.sqlite_file)
    try:
        for number in range(count):
            expected = None if number in failed else "text"
            found = read.read_now(within(sqlite_tenant, partial(notes.get, name=f"g{count}-{number:03}")))
            assert found == expected
    finally:
        read.close()


def test_on_sqlite_an_action_that_is_alone_in_its_commit_needs_no_savepoint(
    sqlite_settings: Settings, sqlite_tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[str] = []
    opened = SqliteFile.open

    def traced(file: SqliteFile) -> Any:
        connection = opened(file)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(SqliteFile, "open", traced)
    store = open_store(sqlite_settings)

    def fail(tx: Transaction) -> None:
        notes.put(tx, "undone")
        raise Boom("as it should")

    try:
        with pytest.raises(Boom):
            store.write_now(within(sqlite_tenant, fail))
        assert [one for one in statements if not one.startswith(("INSERT", "PRAGMA"))] == [
            "BEGIN IMMEDIATE", "ROLLBACK", "BEGIN IMMEDIATE", "COMMIT",
        ]  # fmt: skip
        assert store.write_now(within(sqlite_tenant, partial(notes.get, name="undone"))) is None
    finally:
        store.close()


# --- steps that are sent together ---


def step(name: str, rows: int = 1) -> Step:
    """Writes a note."""
    what = {"owner_id": notes.WRITER, "key": name, "digest": b"d" * 32, "answer": "text", "created": 1}
    return Step(INSERT_ANSWER, what, rows=rows, error=partial(Boom, name))


@pytest.mark.parametrize("count", [0, 1, MAX_BATCH_STEPS, MAX_BATCH_STEPS + 1, 3 * MAX_BATCH_STEPS])
def test_any_number_of_steps_is_run(store: Store, tenant: str, other_connection: RawConnection, count: int) -> None:
    store.write_now(within(tenant, lambda tx: tx.run_all([step(f"n{at:02}") for at in range(count)])))
    assert other_connection.rows(notes.NAMES, tenant=tenant) == [(f"n{at:02}",) for at in range(count)]


@pytest.mark.parametrize("place", [0, 1, MAX_BATCH_STEPS])
def test_a_step_that_changes_an_unexpected_number_of_rows_raises_its_error_and_undoes_everything(
    store: Store, tenant: str, other_connection: RawConnection, place: int
) -> None:
    def action(tx: Transaction) -> None:
        notes.put(tx, "n00")
        steps = [step(f"m{at}") for at in range(MAX_BATCH_STEPS + 1)]
        steps[place] = step("n00")
        tx.run_all(steps)

    with pytest.raises(Boom, match=r"^n00$"):
        store.write_now(within(tenant, action))
    assert other_connection.one(notes.COUNT, tenant=tenant) == 0


def test_of_several_failing_steps_the_error_of_the_first_is_raised(store: Store, tenant: str) -> None:
    with pytest.raises(Boom, match=r"^first$"):
        store.write_now(within(tenant, lambda tx: tx.run_all([step("a"), step("first", 2), step("second", 0)])))
