"""A tenant whose actions block leaves queue space, threads and turns to the others."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from bedesten.server.installation import Installation, open_store
from bedesten.store import postgres, wait_budget
from bedesten.store.fair_queue import ActiveTenants
from bedesten.store.job import Job
from bedesten.store.tables import INSERT_ANSWER
from bedesten.store.thread_pool import ThreadPool
from bedesten.store.transaction import Step, StoreUnavailable, Transaction
from bedesten.store.wait_budget import WaitBudget
from tests.store import notes
from tests.store.fresh import fresh_tenant
from tests.store.raw import raw
from tests.support.metrics import until
from tests.support.sites import opened

THREADS, ROOM = 4, 8
DEADLINE_S = 30


class Desk:
    """The empty state of each thread of the pool below."""

    def drop(self) -> None:
        """Releases nothing."""


@dataclass
class Pool:
    """A pool whose jobs wait until they are released; `begun` has their tenants in order of start."""

    active_tenants: ActiveTenants = field(default_factory=ActiveTenants)
    begun: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.threads = ThreadPool("test", THREADS, ROOM, Desk, self._run, self.active_tenants)

    def _run(self, _: Desk, job: Job) -> None:
        self.begun.append(job.tenant)
        assert self.release.wait(DEADLINE_S)
        job.finish(None, None)

    def submit(self, tenant: str) -> tuple[Job, Job | None]:
        """Submits a job of a tenant; returns it and the job that it displaced."""
        job = Job(lambda _: None, WaitBudget(DEADLINE_S), tenant=tenant)
        return job, self.threads.submit(job)

    def holds(self, busy: int, waiting: int) -> bool:
        """Waits until this many jobs run and this many wait; whether it happened in time."""
        return until(lambda: (len(self.begun), self.threads.waiting) == (busy, waiting))


@pytest.fixture
def pool() -> Iterator[Pool]:
    """A pool, whose jobs are released at the end."""
    made = Pool()
    yield made
    made.release.set()
    made.threads.close()


def test_a_tenant_that_is_alone_has_every_thread(pool: Pool) -> None:
    for _ in range(THREADS + 2):
        pool.submit("loud")
    assert pool.holds(THREADS, 2)


def test_a_tenant_leaves_one_thread_to_its_neighbours_and_both_get_their_turns(pool: Pool) -> None:
    for tenant in ("quiet", "loud"):
        pool.active_tenants.note(tenant)
    for _ in range(ROOM):
        pool.submit("loud")
    assert pool.holds(THREADS - 1, ROOM - THREADS + 1)
    pool.submit("quiet")
    assert until(lambda: pool.begun == ["loud"] * (THREADS - 1) + ["quiet"])
    pool.submit("quiet")
    pool.submit("third")
    pool.release.set()
    assert until(lambda: len(pool.begun) == ROOM + 3)


def test_a_full_queue_makes_room_for_a_tenant_with_fewer_jobs_in_it(pool: Pool) -> None:
    """It drops the newest job of the tenant with the most jobs; that tenant's next job is refused."""
    for _ in range(THREADS):
        pool.submit("loud")
    assert pool.holds(THREADS, 0)
    submitted = [pool.submit("loud") for _ in range(ROOM)]
    assert [displaced for _, displaced in submitted] == [None] * ROOM
    with pytest.raises(StoreUnavailable, match="more than 8 actions wait"):
        pool.submit("loud")
    _, displaced = pool.submit("quiet")
    assert displaced is submitted[-1][0]
    pool.release.set()
    assert until(lambda: len(pool.begun) == THREADS + ROOM)
    assert pool.begun.count("quiet") == 1
    assert pool.begun.index("quiet") <= THREADS + 1


@dataclass
class Contention:
    """An action on a row that another connection has locked. `second` is set when the action runs again, in the pool of
    actions that wait for locked rows."""

    runs: int = 0
    second: threading.Event = field(default_factory=threading.Event)

    def action(self, tx: Transaction) -> bool:
        """Writes the note."""
        self.runs += 1
        if self.runs > 1:
            self.second.set()
        return notes.put(tx, "row")


@contextlib.contextmanager
def locked(installation: Installation, tenant: str) -> Iterator[None]:
    """Holds an uncommitted write of the tenant's note on another connection."""
    insert = (
        "INSERT INTO idempotency (tenant_id, owner_id, key, digest, answer, created) "
        f"VALUES ('{tenant}', '{notes.WRITER}', 'row', :digest, '', 1)"
    )
    with raw(installation.settings) as other:
        other.run("BEGIN")
        other.run(insert, digest=b"d" * 32)
        yield
        other.run("ROLLBACK")


async def write(store: postgres.PostgresStore, tenant: str, contention: Contention) -> bool:
    """Writes the note as a request would."""
    wait_budget.limit(DEADLINE_S)
    return await store.write(tenant, contention.action)


def test_a_tenant_with_a_briefly_locked_row_gets_its_turn_while_another_fills_the_pool_of_lock_waits(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with opened("postgresql", tmp_path_factory.mktemp("fair")) as installation, contextlib.ExitStack() as stack:
        loud, quiet = fresh_tenant(installation), fresh_tenant(installation)
        store = open_store(installation.settings)
        assert isinstance(store, postgres.PostgresStore)
        stack.callback(store.close)
        stack.enter_context(locked(installation, loud))
        brief = stack.enter_context(contextlib.ExitStack())
        brief.enter_context(locked(installation, quiet))
        asyncio.run(_both(store, loud, quiet, brief))


async def _both(store: postgres.PostgresStore, loud: str, quiet: str, brief: contextlib.ExitStack) -> None:
    """The loud tenant fills the pool with waits for its row; then the quiet one comes, and its action succeeds."""

    async def keep_wanting() -> None:
        while True:
            with contextlib.suppress(StoreUnavailable):
                await write(store, loud, Contention())

    crowd = [asyncio.create_task(keep_wanting()) for _ in range(3 * postgres.MAX_LOCK_WAITING)]
    while {kind: waiting for kind, _, waiting in store.load()}["locked row"] < postgres.MAX_LOCK_WAITING:
        await asyncio.sleep(0.01)
    contention = Contention()
    mine = asyncio.create_task(write(store, quiet, contention))
    await asyncio.to_thread(contention.second.wait, DEADLINE_S)
    brief.close()
    assert await mine is True
    for task in crowd:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)


def test_an_action_that_times_out_at_a_locked_row_writes_nothing_and_blocks_no_other_writes(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Its change would have been sent together with COMMIT. A COMMIT without an answer stops all writes."""
    with opened("postgresql", tmp_path_factory.mktemp("locked")) as installation, contextlib.ExitStack() as stack:
        tenant, other = fresh_tenant(installation), fresh_tenant(installation)
        store = open_store(installation.settings)
        assert isinstance(store, postgres.PostgresStore)
        stack.callback(store.close)
        stack.enter_context(locked(installation, tenant))

        def last(tx: Transaction) -> None:
            values = {"owner_id": notes.WRITER, "key": "row", "digest": b"d" * 32, "answer": "", "created": tx.now}
            tx.run_last([Step(INSERT_ANSWER, values, 1)])

        async def ask() -> tuple[BaseException | None, bool]:
            wait_budget.limit(1.0)
            (problem,) = await asyncio.gather(store.write(tenant, last), return_exceptions=True)
            wait_budget.limit(DEADLINE_S)
            return problem, await store.write(other, notes.put, "row")

        problem, written = asyncio.run(ask())
        assert (type(problem), written) == (StoreUnavailable, True)
        assert "too long" in str(problem)
