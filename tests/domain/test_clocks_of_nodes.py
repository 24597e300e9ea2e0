"""Two machines on one PostgreSQL whose clocks differ by minutes: due times and leases follow the database's clock."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from bedesten.core.clock import MINUTE, SECOND, system_clock
from bedesten.server.clock_monitor import ClockMonitor
from bedesten.server.installation import Installation
from bedesten.store.postgres import PostgresStore
from bedesten.webhooks import outbox
from bedesten.webhooks.outbox import Attempt, Capacity, Delivery
from tests.domain.tenant import Tenant, open_tenant
from tests.store.raw import raw
from tests.support.sites import opened


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """A separate installation for each test, because leases span all tenants."""
    with opened("postgresql", tmp_path) as made:
        yield made


@pytest.fixture
def machine(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], PostgresStore]]:
    """Opens the store of a machine whose clock is ahead by this many milliseconds."""
    made: list[PostgresStore] = []

    def make(ahead: int) -> PostgresStore:
        store = PostgresStore(installation.settings.database or "")
        monkeypatch.setattr(store, "_clock", lambda: system_clock() + ahead)
        made.append(store)
        return store

    yield make
    for store in made:
        store.close()


def leased(store: PostgresStore) -> list[Delivery]:
    """Returns the deliveries that a worker of the machine leases now."""
    return store.write_now(lambda tx: outbox.lease(tx, Capacity(10)))


def tenant_at(installation: Installation, store: PostgresStore) -> Tenant:
    """Opens a tenant whose orders go to that machine."""
    given = installation
    at = Installation(given.settings, store, given.keyring, given.cipher, given.issuer, given.master_secrets)
    return open_tenant(at, 10_000)


def test_a_delivery_is_leased_to_one_machine_whatever_the_clocks_say(
    installation: Installation, machine: Callable[[int], PostgresStore]
) -> None:
    tenant = open_tenant(installation, 10_000)
    for _ in range(4):
        tenant.order((tenant.card(1), 1))
    early, right, late = machine(5 * MINUTE), machine(0), machine(-5 * MINUTE)
    assert len(leased(right)) == 4
    assert [leased(store) for store in (early, late, right)] == [[], [], []]


@pytest.mark.parametrize("ahead", [5 * MINUTE, -5 * MINUTE])
def test_deliveries_of_a_machine_with_a_wrong_clock_are_due_on_time(
    installation: Installation, machine: Callable[[int], PostgresStore], ahead: int
) -> None:
    wrong, right = machine(ahead), machine(0)
    tenant = tenant_at(installation, wrong)
    tenant.order((tenant.card(1), 1))
    (delivery,) = leased(right)
    wrong.write_now(lambda tx: outbox.failed(tx, delivery, Attempt(500, "no", 1)))
    with raw(installation.settings) as other:
        waits = other.one("SELECT next_at - (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM deliveries")
    assert -MINUTE < waits <= outbox.DELAYS[0]


@pytest.mark.parametrize("ahead", [5 * MINUTE, 10 * SECOND, 0, -10 * SECOND, -5 * MINUTE])
def test_a_machine_whose_clock_differs_by_seconds_logs_it(machine: Callable[[int], PostgresStore], ahead: int) -> None:
    store = machine(ahead)
    watch = ClockMonitor(store, store._clock)
    assert list(watch.process_metrics()) == []
    with structlog.testing.capture_logs() as lines:
        asyncio.run(watch.check_once())
    ((label, seconds),) = watch.process_metrics()
    assert label == ("clock_ahead_seconds",)
    assert abs(seconds) <= abs(ahead) / SECOND
    assert (seconds > 0) == (ahead > 0) or ahead == 0
    assert [line["event"] for line in lines] == ([] if ahead == 0 else ["clock-differs"])


def test_sqlite_has_one_clock_and_nothing_to_compare(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as installation:
        tenant = open_tenant(installation, 10_000)
        tenant.order((tenant.card(1), 1))
        (delivery,) = installation.store.write_now(lambda tx: outbox.lease(tx, Capacity(10)))
        assert delivery.attempts == 0
        watch = ClockMonitor(installation.store)

        async def watched() -> None:
            task = asyncio.create_task(watch.run())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(watched())
        assert list(watch.process_metrics()) == []
