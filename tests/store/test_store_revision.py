"""The revision check: one counter that moves with every change of a right, and a directory that is never older than a
request."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from bedesten.accounts import actions as accounts
from bedesten.audit.actions import OPERATOR
from bedesten.core.revision import Revision
from bedesten.gate.auth_cache import CacheKey, TenantEntry
from bedesten.http import revision_check as revision_check
from bedesten.server import build
from bedesten.server.installation import Installation, open_installation
from bedesten.server.settings import Settings
from bedesten.store.job import Job
from bedesten.store.postgres import PostgresStore
from bedesten.store.postgres_session import PostgresSession
from bedesten.store.revision_log import CHANGES, COUNTER, DELETE_CHANGES
from bedesten.store.store import Store
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants import actions as tenants
from tests.store import notes
from tests.store.fresh import fresh_tenant
from tests.store.raw import RawConnection


def counter_of(store: Store) -> int:
    """The counter as any other process reads it."""
    row = store.read_now(lambda tx: tx.one(COUNTER))
    assert row is not None
    return row.number


def change(ref: str, tx: SystemTransaction) -> int:
    """Changes a right and says how far the counter then is."""
    tx.advance_revision("account", ref)
    row = tx.one(COUNTER)
    assert row is not None
    return row.number


def test_the_counter_moves_with_the_change_by_one_for_each_and_the_list_says_what_moved_it(
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


def test_changes_of_sixteen_writers_at_once_have_numbers_without_gaps_or_doubles(
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


# --- the directory of a process ---------------------------------------------------------------------------------------


class Process:
    """What one web process keeps: a store of its own, a directory, and its revision check."""

    def __init__(self, settings: Settings) -> None:
        services = build.open_services(open_installation(settings))
        self.store = services.store
        self.directory = services.gate.auth_cache
        self.revision_check = services.revision_check

    def tenant(self, tenant: str) -> TenantEntry | None:
        """The tenant's entry, as a request finds it that has just arrived."""

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
    """What the operator does in another process."""
    installation.store.write_now(lambda tx: tenants.set_suspended(tx.for_tenant(tenant), state))


def test_a_change_made_elsewhere_holds_on_the_next_request(
    installation: Installation, tenant: str, process: Process
) -> None:
    for state in (False, True, False, True):
        suspend(installation, tenant, state)
        entry = process.tenant(tenant)
        assert entry is not None
        assert entry.suspended is state
        assert process.directory.revision == installation.store.read_now(lambda tx: tx.one(COUNTER))


def test_what_was_not_changed_stays_in_memory(installation: Installation, tenant: str, process: Process) -> None:
    bystander = fresh_tenant(installation)
    kept = process.tenant(bystander)
    suspend(installation, tenant, True)
    assert process.tenant(bystander) is kept
    suspend(installation, bystander, True)
    changed = process.tenant(bystander)
    assert changed is not kept
    assert changed is not None
    assert changed.suspended is True


def test_a_process_whose_list_was_cut_begins_anew(installation: Installation, tenant: str, process: Process) -> None:
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


def test_a_process_that_is_too_far_behind_begins_anew(
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


def test_a_token_that_was_revoked_elsewhere_is_known_at_once_and_after_a_restart(
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


# --- PostgreSQL: one query for all who wait ---------------------------------------------------------------------------


class Counting(PostgresStore):
    """Counts the queries of the revision check, and can hold them back."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.queries = 0
        self.free = threading.Event()
        self.free.set()

    def _read_counter(self, session: PostgresSession, job: Job) -> Revision:
        self.queries += 1
        assert self.free.wait(30)
        return super()._read_counter(session, job)


def test_all_who_arrive_while_a_query_is_under_way_share_the_next_one(postgres_settings: Settings) -> None:
    assert postgres_settings.database
    store = Counting(postgres_settings.database)

    async def crowd() -> list[Revision]:
        store.free.clear()
        first = asyncio.ensure_future(store.counter())
        await asyncio.sleep(0)
        rest = [asyncio.ensure_future(store.counter()) for _ in range(500)]
        await asyncio.sleep(0)
        store.free.set()
        return await asyncio.gather(first, *rest)

    answers = asyncio.run(crowd())
    assert len(answers) == 501
    assert len(set(answers)) == 1
    assert store.queries == 2
    store.close()


def test_nobody_gets_a_counter_that_is_older_than_its_question(postgres_settings: Settings) -> None:
    """Each asks after a change was acknowledged, while others' queries are under way all the time."""
    assert postgres_settings.database
    store = Counting(postgres_settings.database)

    async def change_and_ask(number: int) -> bool:
        moved = await store.write_across(partial(change, f"acc-{number}"))
        return (await store.counter()).number >= moved

    async def crowd() -> list[bool]:
        return await asyncio.gather(*(change_and_ask(number) for number in range(100)))

    assert asyncio.run(crowd()) == [True] * 100
    assert store.queries <= 100
    store.close()


def test_a_question_that_fails_fails_for_those_who_shared_it_and_for_nobody_else(postgres_settings: Settings) -> None:
    assert postgres_settings.database
    store = Counting(postgres_settings.database)

    async def crowd() -> tuple[list[object], Revision]:
        good, store._counter_sql = store._counter_sql, "SELECT counter, nonce FROM no_such_table"
        failed = await asyncio.gather(*(store.counter() for _ in range(5)), return_exceptions=True)
        store._counter_sql = good
        return list(failed), await store.counter()

    failed, after = asyncio.run(crowd())
    assert [type(one).__name__ for one in failed] == ["StoreUnavailable"] * 5
    assert after.number >= 1
    store.close()
