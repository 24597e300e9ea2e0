"""What can block on one machine: another process that writes for long, another program's lock, a full disk."""

import asyncio
import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bedesten.server.installation import Installation
from bedesten.store import wait_budget
from bedesten.store.transaction import OutcomeUnknown, StoreUnavailable, Transaction
from tests.store import notes
from tests.store.fresh import fresh_tenant
from tests.store.raw import raw
from tests.support.sites import opened

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation without a server."""
    with opened("sqlite", tmp_path_factory.mktemp("waits")) as made:
        yield made


@contextmanager
def another_process_writes(installation: Installation) -> Iterator[None]:
    """Another process holds the lock that every writing process takes."""
    with installation.settings.sqlite_file.with_suffix(".writer").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def put(installation: Installation, tenant: str, name: str) -> bool:
    """Writes in a request that may wait for a third of a second."""

    async def request() -> bool:
        wait_budget.limit(0.3)
        return await installation.store.write(tenant, notes.put, name)

    return asyncio.run(request())


def test_a_request_does_not_wait_for_a_process_that_writes_for_long(installation: Installation) -> None:
    tenant = fresh_tenant(installation)
    assert put(installation, tenant, "before") is True
    with another_process_writes(installation):
        with pytest.raises(StoreUnavailable, match="waited for its turn for too long") as given_up:
            put(installation, tenant, "during")
        assert not isinstance(given_up.value, OutcomeUnknown)
        with wait_budget.limited(0.3), pytest.raises(StoreUnavailable):
            installation.store.check_writable()
        assert installation.store.read_now(lambda tx: notes.get(tx.for_tenant(tenant), "before")) == "text"
    assert installation.store.write_now(lambda tx: notes.put(tx.for_tenant(tenant), "after")) is True
    with raw(installation.settings) as other:
        assert other.rows(notes.NAMES, tenant=tenant) == [("after",), ("before",)]


def test_a_lock_of_another_program_is_not_waited_for_by_a_request(installation: Installation) -> None:
    tenant = fresh_tenant(installation)
    with raw(installation.settings) as other:
        other.run("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            put(installation, tenant, "during")
        other.run("ROLLBACK")
    assert installation.store.write_now(lambda tx: notes.put(tx.for_tenant(tenant), "after")) is True
    with raw(installation.settings) as other:
        assert other.rows(notes.NAMES, tenant=tenant) == [("after",)]


def test_an_action_that_has_begun_and_does_not_end_has_an_open_outcome(installation: Installation) -> None:
    tenant = fresh_tenant(installation)
    enough = threading.Event()

    def stuck(tx: Transaction) -> None:
        notes.put(tx, "open")
        assert enough.wait(120)

    async def request() -> None:
        wait_budget.limit(0.3)
        await installation.store.write(tenant, stuck)

    with pytest.raises(OutcomeUnknown):
        asyncio.run(request())
    enough.set()
    assert installation.store.write_now(lambda tx: notes.put(tx.for_tenant(tenant), "next")) is True
