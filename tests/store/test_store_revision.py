"""The revision check: one counter that moves with every change of a right, and an auth cache that is never older than
a request."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import uvloop

from bedesten.accounts import actions as accounts
from bedesten.audit.actions import OPERATOR
from bedesten.core.revision import Revision
from bedesten.gate.auth_cache import CacheKey, TenantEntry
from bedesten.http import revision_check as revision_check
from bedesten.server import build
from bedesten.server.installation import Installation, open_installation
from bedesten.server.settings import Settings
from bedesten.store import counter_query, wait_budget
from bedesten.store.job import Job
from bedesten.store.postgres import PostgresStore
from bedesten.store.postgres_session import PostgresSession
from bedesten.store.revision_log import CHANGES, COUNTER, DELETE_CHANGES
from bedesten.store.store import Store
from bedesten.store.transaction import StoreUnavailable, SystemTransaction
from bedesten.tenants import actions as tenants
from tests.store import notes
from tests.store.fresh import fresh_tenant
from tests.store.raw import RawConnection, raw
from tests.store.test_store_faults import end_backends
from tests.support.faulty_proxy import proxied


def counter_of(store: Store) -> int:
    """The counter as another process reads it."""
    row = store.read_now(lambda tx: tx.one(COUNTER))
    assert row is not None
    return row.number


def change(ref: str, tx: SystemTransaction) -> int:
    """Changes a right and returns the counter after the change."""
    tx.advance_revision("account", ref)
    row = tx.one(COUNTER)
    assert row is not None
    return row.number


def test_each_change_increments_the_counter_by_one_and_is_listed(
    store: Store, tenant: str, other_connection: RawConnection
) -> None:
    before = counter_of(store)

    def action(tx: SystemTransaction) -> None:
        tx.advance_revision("host", "a.example.com")
        tx.for_tenant(tenant).advance_revision("tenant", tenant)
        tx.advance_revision("key", "ab" * 32)
        assert other_connection.one("SELECT counter FROM revision_counter") == before

    store.write_now(action)
    assert counter_of(store) == before + 3
    assert asyncio.run(store.counter()).number == before + 3
    rows = store.read_now(lambda tx: tx.all(CHANGES, seen=before, most=10))
    assert [(seq, kind, ref) for seq, _, kind, ref in rows] == [
        (before + 1, "host", "a.example.com"),
        (before + 2, "tenant", tenant),
        (before + 3, "key", "ab" * 32),
    ]


def test_a_write_that_changes_no_right_does_not_move_it(store: Store, tenant: str) -> None:
    before = counter_of(store)
    store.write_now(lambda tx: notes.put(tx.for_tenant(tenant), "no right"))
    assert counter_of(store) == before


def test_concurrent_changes_of_sixteen_writers_have_numbers_without_gaps_or_duplicates(
    store: Store, tenant: str, other_connection: RawConnection
) -> None:
    before = counter_of(store)

    def one(number: int) -> None:
        store.write_now(lambda tx: tx.advance_revision("account", f"{tenant}-{number}"))

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(one, range(96)))
    rows = store.read_now(lambda tx: tx.all(CHANGES, seen=before, most=200))
    assert [row[0] for row in rows] == list(range(before + 1, before + 97))
    assert {row[-1] for row in rows} == {f"{tenant}-{number}" for number in range(96)}
    assert counter_of(store) == before + 96


# --- the auth cache of a process --------------------------------------------------------------------------------------


class Process:
    """The state of one web process: its own store, auth cache and revision check."""

    def __init__(self, settings: Settings) -> None:
        services = build.open_services(open_installation(settings))
        self.store = services.store
        self.directory = services.gate.auth_cache
        self.revision_check = services.revision_check

    def tenant(self, tenant: str) -> TenantEntry | None:
        """The tenant's entry as a new request finds it."""

        async def asked() -> TenantEntry | None:
            await self.revision_check.confirm()
            want = CacheKey("tenant", tenant)
            entry = self.directory._tenants.get(tenant) or await self.revision_check.load(want)
            assert entry is None or isinstance(entry, TenantEntry)
            return entry

        return asyncio.run(asked())


@pytest.fixture
def process(settings: Settings) -> Iterator[Process]:
    """A second process on the shared installation."""
    made = Process(settings)
    yield made
    made.store.close()


def suspend(installation: Installation, tenant: str, state: bool) -> None:
    """Suspends or resumes the tenant, as the operator does in another process."""
    installation.store.write_now(lambda tx: tenants.set_suspended(tx.for_tenant(tenant), state))


def test_a_change_by_another_process_applies_to_the_next_request(
    installation: Installation, tenant: str, process: Process
) -> None:
    for state in (False, True, False, True):
        suspend(installation, tenant, state)
        entry = process.tenant(tenant)
        assert entry is not None
        assert entry.suspended is state
        assert process.directory.revision == installation.store.read_now(lambda tx: tx.one(COUNTER))


def test_unchanged_entries_stay_cached(installation: Installation, tenant: str, process: Process) -> None:
    bystander = fresh_tenant(installation)
    kept = process.tenant(bystander)
    suspend(installation, tenant, True)
    assert process.tenant(bystander) is kept
    suspend(installation, bystander, True)
    changed = process.tenant(bystander)
    assert changed is not kept
    assert changed is not None
    assert changed.suspended is True


def test_a_process_that_missed_deleted_changes_resets_its_cache(
    installation: Installation, tenant: str, process: Process
) -> None:
    kept = process.tenant(tenant)
    assert kept is not None
    suspend(installation, tenant, True)
    suspend(installation, tenant, False)
    last = counter_of(installation.store)
    installation.store.write_now(lambda tx: tx.run(DELETE_CHANGES, until=last - 1))
    after = process.tenant(tenant)
    assert after is not kept
    assert after is not None
    assert after.suspended is False
    assert process.directory.revision == installation.store.read_now(lambda tx: tx.one(COUNTER))


def test_a_process_that_is_too_far_behind_resets_its_cache(
    installation: Installation, tenant: str, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revision_check, "MAX_CHANGES", 5)
    bystander = fresh_tenant(installation)
    kept = process.tenant(bystander)
    assert kept is not None
    for state in (True, False) * 3:
        suspend(installation, tenant, state)
    assert process.tenant(bystander) is not kept
    kept = process.tenant(bystander)
    for state in (True, False) * 2:
        suspend(installation, tenant, state)
    assert process.tenant(bystander) is kept


def test_a_token_revoked_by_another_process_is_known_at_once_and_after_a_restart(
    installation: Installation, tenant: str, process: Process, settings: Settings
) -> None:
    process.tenant(tenant)
    expires = 4_102_444_800_000
    installation.store.write_now(lambda tx: accounts.revoke_token(tx.for_tenant(tenant), "jti-1", expires, OPERATOR))
    process.tenant(tenant)
    assert process.directory.revoked("jti-1")
    assert not process.directory.revoked("jti-2")
    again = Process(settings)
    again.tenant(tenant)
    assert again.directory.revoked("jti-1")
    again.store.close()


# --- PostgreSQL: one query for all waiting callers --------------------------------------------------------------------


Run = Callable[[Any], Any]
"""Runs a coroutine on a new event loop: the server uses uvloop."""


class Counting(PostgresStore):
    """Counts the queries of the revision check, and those made by a thread, which it can hold back."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.queries = self.by_thread = 0
        self.free = threading.Event()
        self.free.set()
        self._counter._ask = partial(self._counted, self._counter._ask)

    def _counted(self, ask: Callable[[Job], None], job: Job) -> None:
        self.queries += 1
        ask(job)

    def _ask_counter(self, session: PostgresSession, job: Job) -> None:
        self.by_thread += 1
        assert self.free.wait(120)
        super()._ask_counter(session, job)


@pytest.fixture
def counting(postgres_settings: Settings) -> Iterator[Counting]:
    assert postgres_settings.database
    store = Counting(postgres_settings.database)
    yield store
    store.close()


def test_callers_that_arrive_during_a_query_share_the_next_one(counting: Counting) -> None:

    async def crowd() -> list[Revision]:
        wait_budget.limit(60.0)
        counting.free.clear()
        first = asyncio.ensure_future(counting.counter())
        await asyncio.sleep(0)
        rest = [asyncio.ensure_future(counting.counter()) for _ in range(500)]
        await asyncio.sleep(0)
        counting.free.set()
        return await asyncio.gather(first, *rest)

    answers = asyncio.run(crowd())
    assert len(answers) == 501
    assert len(set(answers)) == 1
    assert counting.queries == 2


def test_no_caller_gets_a_counter_older_than_its_query(counting: Counting) -> None:
    """Each caller queries after a change was acknowledged, while queries of others are always in flight."""

    async def change_and_ask(number: int) -> bool:
        moved = await counting.write_across(partial(change, f"acc-{number}"))
        return (await counting.counter()).number >= moved

    async def crowd() -> list[bool]:
        wait_budget.limit(60.0)
        return await asyncio.gather(*(change_and_ask(number) for number in range(100)))

    assert asyncio.run(crowd()) == [True] * 100
    assert counting.queries <= 100


def test_a_failing_query_fails_only_for_the_callers_that_share_it(
    counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = counting.write_now(partial(change, "acc-before"))

    async def crowd() -> tuple[list[object], Revision]:
        wait_budget.limit(60.0)
        with monkeypatch.context() as broken:
            broken.setattr(counter_query, "_COUNTER", "SELECT counter, nonce FROM no_such_table")
            failed = await asyncio.gather(*(counting.counter() for _ in range(5)), return_exceptions=True)
        return list(failed), await counting.counter()

    failed, after = asyncio.run(crowd())
    assert [type(one).__name__ for one in failed] == ["StoreUnavailable"] * 5
    assert after.number >= moved


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_once_a_thread_has_connected_the_event_loop_queries_by_itself_until_the_connection_breaks(
    counting: Counting, postgres_settings: Settings, run: Run
) -> None:
    with raw(postgres_settings) as other:

        async def ask() -> None:
            for round_ in range(1, 4):
                for _ in range(20):
                    moved = await counting.write_across(partial(change, "acc-loop"))
                    assert (await counting.counter()).number == moved
                assert counting.by_thread == round_
                assert end_backends(other) >= 2
                await asyncio.sleep(0.1)  # the end of the connection arrives before the next query

        run(ask())
    assert counting.queries == 60


def test_a_cancelled_caller_does_not_affect_the_answers_of_the_others(counting: Counting) -> None:
    async def crowd() -> list[Revision]:
        await counting.counter()
        callers = [asyncio.ensure_future(counting.counter()) for _ in range(10)]
        await asyncio.sleep(0)
        for caller in callers[::2]:
            caller.cancel()
        answers = await asyncio.gather(*callers[1::2])
        assert [caller.cancelled() for caller in callers[::2]] == [True] * 5
        return [*answers, await counting.counter()]

    assert len(set(asyncio.run(crowd()))) == 1


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_late_event_loop_does_not_mistake_the_server_for_silent(counting: Counting, run: Run) -> None:
    async def late() -> tuple[Revision, Revision]:
        known = await counting.counter()
        caller = asyncio.ensure_future(counting.counter())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        time.sleep(wait_budget.REVISION_BUDGET_S + 1)
        return known, await caller

    known, answer = run(late())
    assert known == answer
    assert counting.by_thread == 1


def test_an_event_loop_that_ended_during_a_query_does_not_affect_the_next_one(counting: Counting) -> None:
    async def leave() -> None:
        await counting.counter()
        caller = asyncio.ensure_future(counting.counter())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        caller.cancel()

    async def ask() -> Revision:
        return await counting.counter()

    asyncio.run(leave())
    assert asyncio.run(ask()) == asyncio.run(ask())


def test_closing_the_store_ends_a_query_in_flight(counting: Counting) -> None:
    async def close() -> "list[Revision | BaseException]":
        await counting.counter()
        caller = asyncio.ensure_future(counting.counter())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        counting.close()
        return list(await asyncio.gather(caller, return_exceptions=True))

    (answer,) = asyncio.run(close())
    assert isinstance(answer, Revision | StoreUnavailable)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_after_a_silence_the_event_loop_queries_by_itself_again(postgres_settings: Settings, run: Run) -> None:
    assert postgres_settings.database
    with proxied(postgres_settings.database) as (proxy, address):
        store = Counting(address)

        async def ask() -> None:
            known = [await store.counter() for _ in range(3)]
            assert (store.queries, store.by_thread) == (3, 1)
            proxy.silence()
            for _ in range(2):
                with pytest.raises(StoreUnavailable):
                    await store.counter()
            proxy.heal()
            while True:
                with contextlib.suppress(StoreUnavailable):
                    assert await store.counter() == known[0]
                    break
                await asyncio.sleep(0.05)
            before = store.by_thread
            assert [await store.counter() for _ in range(5)] == [known[0]] * 5
            assert store.by_thread == before

        run(ask())
        store.close()
