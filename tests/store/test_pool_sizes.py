"""A process opens as many connections to PostgreSQL as its settings say, and reads never wait for writes."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import psycopg
import pytest

from bedesten.server.installation import Installation, open_store
from bedesten.store import wait_budget
from bedesten.store.connection_counts import PoolSizes
from bedesten.store.store import Store
from bedesten.store.transaction import Transaction
from tests.store import notes
from tests.store.fresh import fresh_tenant
from tests.store.raw import raw
from tests.support.metrics import until
from tests.support.sites import opened

DEADLINE_S = 30
LOCKED_ROW = (
    "INSERT INTO idempotency (tenant_id, owner_id, key, digest, answer, created) "
    f"VALUES (:tenant, '{notes.WRITER}', 'row', :digest, '', 1)"
)
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'bedesten %'"


@dataclass
class Counted:
    """Actions that occupy their threads until they are released."""

    store: Store
    tenant: str
    running: dict[str, int] = field(default_factory=lambda: {"read": 0, "write": 0})
    release: threading.Event = field(default_factory=threading.Event)

    def hold(self, kind: str) -> "asyncio.Task[None]":
        """Starts one action."""

        def action(tx: Transaction) -> None:
            notes.get(tx, "row")  # opens the connection of this thread
            self.running[kind] += 1
            assert self.release.wait(DEADLINE_S)

        wait_budget.limit(DEADLINE_S)
        run = self.store.read if kind == "read" else self.store.write
        return asyncio.get_running_loop().create_task(run(self.tenant, action))


@pytest.fixture
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    sizes = {"database_readers": 2, "database_writers": 5}
    with opened("postgresql", tmp_path_factory.mktemp("sizes"), None, **sizes) as made:
        yield made


async def holds(expected: dict[str, int], counted: Counted) -> bool:
    """Waits until this many actions run; whether it happened in time."""
    return await asyncio.to_thread(until, lambda: counted.running == expected)


def connections(installation: Installation) -> int:
    """The number of connections that the program has open."""
    assert installation.settings.database
    with psycopg.connect(installation.settings.database) as connection:
        row = connection.execute(OPEN).fetchone()
    assert row is not None
    return int(row[0])


def test_configured_numbers_of_readers_and_writers_open_exactly_as_many_connections(installation: Installation) -> None:
    tenant = fresh_tenant(installation)
    before = connections(installation)
    store = open_store(installation.settings)
    try:
        asyncio.run(_fill(installation, store, tenant, before))
    finally:
        store.close()


async def _fill(installation: Installation, store: Store, tenant: str, before: int) -> None:
    counted = Counted(store, tenant)
    with raw(installation.settings) as other:
        other.run("BEGIN")
        other.run(LOCKED_ROW, tenant=tenant, digest=b"d" * 32)
        wait_budget.limit(DEADLINE_S)
        locked = [asyncio.create_task(store.write(tenant, notes.put, "row")) for _ in range(4)]
        assert await asyncio.to_thread(until, lambda: pools(store)["locked row"][0] == 2)
        held = [counted.hold(kind) for kind in ("read", "write") for _ in range(8)]
        assert await holds({"read": 2, "write": 5}, counted)
        await store.counter()
        assert connections(installation) - before == 2 + 5 + 2 + 1 == PoolSizes(2, 5).connections
        other.run("ROLLBACK")
    counted.release.set()
    await asyncio.gather(*held)
    await asyncio.gather(*locked, return_exceptions=True)  # on a busy machine the actions may have timed out
    assert counted.running == {"read": 8, "write": 8}


def pools(store: Store) -> dict[str, tuple[int, int]]:
    """The numbers of busy threads and of waiting actions, by pool."""
    return {kind: (busy, waiting) for kind, busy, waiting in store.load()}


def test_reads_go_on_while_every_writer_is_busy_and_more_writes_wait(installation: Installation) -> None:
    tenant = fresh_tenant(installation)
    store = open_store(installation.settings)

    async def run() -> None:
        counted = Counted(store, tenant)
        writes = [counted.hold("write") for _ in range(8)]
        assert await holds({"read": 0, "write": 5}, counted)
        assert [await store.read(tenant, notes.get, "row") for _ in range(20)] == [None] * 20
        assert pools(store)["write"] == (5, 3)
        counted.release.set()
        await asyncio.gather(*writes)

    try:
        asyncio.run(run())
    finally:
        store.close()
