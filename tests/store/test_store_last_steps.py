"""Statements that are sent together: queries in one batch, and an action's last steps, which are sent with COMMIT."""

from functools import partial

import pytest

from bedesten.store.store import Store
from bedesten.store.tables import INSERT_ANSWER, STORED_ANSWER
from bedesten.store.transaction import (
    MAX_LAST_STEPS,
    RetryTransaction,
    Step,
    StoreUnavailable,
    Transaction,
)
from tests.store import notes
from tests.store.raw import RawConnection
from tests.store.tenant_actions import Boom, within
from tests.support.round_trips import counted


def step(name: str, rows: int = 1) -> Step:
    """Writes a note."""
    what = {"owner_id": notes.WRITER, "key": name, "digest": b"d" * 32, "answer": "text", "created": 1}
    return Step(INSERT_ANSWER, what, rows=rows, error=partial(Boom, name))


def found(tx: Transaction, names: list[str]) -> list[bool]:
    """For each of these notes, whether it exists."""
    rows = tx.one_each(STORED_ANSWER, [{"owner_id": notes.WRITER, "key": name} for name in names])
    return [row is not None for row in rows]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_queries_sent_together_return_their_rows_in_order(store: Store, tenant: str, count: int) -> None:
    names = [f"n{number}" for number in range(count)]
    store.write_now(within(tenant, lambda tx: tx.run_all([step(name) for name in names])))
    asked, expected = [*names, "nobody"], [True] * count + [False]
    assert store.read_now(within(tenant, lambda tx: found(tx, asked))) == expected
    assert store.write_now(within(tenant, lambda tx: found(tx, asked))) == expected
    assert store.write_now(within(tenant, lambda tx: (notes.put(tx, "more"), found(tx, [*asked, "more"])))) == (
        True,
        [*expected, True],
    )


@pytest.mark.parametrize("count", [0, 1, MAX_LAST_STEPS, MAX_LAST_STEPS + 1])
def test_any_number_of_last_steps_is_run(
    store: Store, tenant: str, other_connection: RawConnection, count: int
) -> None:
    names = [f"n{at:02}" for at in range(count)]
    store.write_now(within(tenant, lambda tx: tx.run_last([step(name) for name in names], [step("z")])))
    assert other_connection.rows(notes.NAMES, tenant=tenant) == [(name,) for name in [*names, "z"]]


def test_the_last_steps_of_an_action_take_one_round_trip(store: Store, tenant: str) -> None:
    with counted() as count:
        store.write_now(within(tenant, lambda tx: tx.run_last([step("a"), step("b")], [step("c")])))
    assert count.round_trips == (1 if store.dialect == "postgresql" else 0)


@pytest.mark.parametrize("place", [0, 1, MAX_LAST_STEPS, MAX_LAST_STEPS + 1])
def test_a_last_step_that_changes_an_unexpected_number_of_rows_raises_its_error_and_undoes_everything(
    store: Store, tenant: str, other_connection: RawConnection, place: int
) -> None:
    def action(tx: Transaction) -> None:
        notes.put(tx, "n00")
        steps = [step(f"m{at}") for at in range(MAX_LAST_STEPS + 2)]
        steps[place] = step("n00")
        tx.run_last(steps)

    for _ in range(4):  # after a failure the connection and its prepared statements still work
        with pytest.raises(Boom, match=r"^n00$"):
            store.write_now(within(tenant, action))
        assert other_connection.one(notes.COUNT, tenant=tenant) == 0


def test_of_several_failing_last_steps_the_error_of_the_first_is_raised(store: Store, tenant: str) -> None:
    steps = [step("a"), step("first", 2), step("second", 0)]
    with pytest.raises(Boom, match=r"^first$"):
        store.write_now(within(tenant, lambda tx: tx.run_last(steps)))


def test_later_statements_and_run_pending_see_the_last_steps_and_get_their_errors(store: Store, tenant: str) -> None:
    def run_now(tx: Transaction) -> None:
        tx.run_last([step("early")])
        tx.run_pending()

    def action(tx: Transaction) -> object:
        tx.run_last([step("early")])
        seen = found(tx, ["early"])
        with pytest.raises(Boom):
            run_now(tx)
        raise Boom(seen)

    with pytest.raises(Boom, match=r"\[True\]"):
        store.write_now(within(tenant, action))


def test_a_last_step_can_retry_its_action_which_gets_the_number_of_the_attempt(store: Store, tenant: str) -> None:
    attempts: list[int] = []

    def action(tx: Transaction) -> None:
        attempts.append(tx.attempt)
        overtaken = Step(INSERT_ANSWER, step("n").parameters, rows=2, error=partial(RetryTransaction, "overtaken"))
        tx.run_last([overtaken if tx.attempt < 3 else step("n")])

    store.write_now(within(tenant, action))
    assert attempts == [1, 2, 3]

    def never(tx: Transaction) -> None:
        tx.run_last([Step(INSERT_ANSWER, step("m").parameters, rows=2, error=partial(RetryTransaction, "overtaken"))])

    with pytest.raises(StoreUnavailable, match="contended"):
        store.write_now(within(tenant, never))
