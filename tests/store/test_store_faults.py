"""A store that is missing, full or disconnected reports it, keeps nothing that it refused, and recovers afterwards."""

import asyncio
import os
import resource
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from bedesten.server.installation import Installation, open_store
from bedesten.server.settings import Settings
from bedesten.store import sqlite_file
from bedesten.store.postgres import PostgresStore
from bedesten.store.sqlite import SqliteStore
from bedesten.store.store import Store
from bedesten.store.transaction import StoreUnavailable, Transaction
from tests.store import notes
from tests.store.raw import RawConnection, raw
from tests.store.tenant_actions import within


def refuses_everything(store: Store, tenant: str = "nobody") -> None:
    """Asserts that every operation of the store raises `StoreUnavailable` and does not hang."""
    with pytest.raises(StoreUnavailable):
        store.read_now(within(tenant, partial(notes.get, name="n")))
    with pytest.raises(StoreUnavailable):
        store.write_now(within(tenant, partial(notes.put, name="n")))
    with pytest.raises(StoreUnavailable):
        asyncio.run(store.read(tenant, notes.get, "n"))
    with pytest.raises(StoreUnavailable):
        asyncio.run(store.write(tenant, notes.put, "n"))
    with pytest.raises(StoreUnavailable):
        asyncio.run(store.counter())


# --- SQLite -----------------------------------------------------------------------------------------------------------


def test_a_store_in_a_missing_directory_is_unavailable(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "nowhere" / "bedesten.db")
    refuses_everything(store)
    store.close()


def test_a_missing_store_file_is_unavailable_and_is_not_created(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "bedesten.db")
    refuses_everything(store)
    assert list(tmp_path.iterdir()) == []
    store.close()


def test_a_store_file_that_is_not_a_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "bedesten.db").write_bytes(b"This was a database once. " * 400)
    store = SqliteStore(tmp_path / "bedesten.db")
    refuses_everything(store)
    assert (tmp_path / "bedesten.db").read_bytes() == b"This was a database once. " * 400
    store.close()


def test_a_store_that_comes_back_is_used_again_without_a_restart(
    sqlite_settings: Settings, sqlite_tenant: str, tmp_path: Path
) -> None:
    path = tmp_path / "bedesten.db"
    store = SqliteStore(path)
    refuses_everything(store, sqlite_tenant)
    sqlite_file.backup(sqlite_settings.sqlite_file, path)
    assert store.write_now(within(sqlite_tenant, partial(notes.put, name="back"))) is True
    assert store.read_now(within(sqlite_tenant, partial(notes.get, name="back"))) == "text"
    assert asyncio.run(store.counter()).number >= 1
    store.close()


@contextmanager
def full_disk(free_bytes: int) -> Iterator[None]:
    """Limits files of this process to `free_bytes` bytes: the kernel then fails writes, like a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_to_a_full_disk_is_refused_and_stores_nothing(sqlite_settings: Settings, sqlite_tenant: str) -> None:
    """The whole group shares the commit that fails: no caller in it gets a success or a refusal."""
    store = SqliteStore(sqlite_settings.sqlite_file)
    assert store.write_now(within(sqlite_tenant, partial(notes.put, name="before"))) is True
    log = os.stat(f"{sqlite_settings.sqlite_file}-wal").st_size

    async def several() -> list[object]:
        big = "x" * 200_000
        waiting = (store.write(sqlite_tenant, notes.put, f"during-{number}", big) for number in range(5))
        return await asyncio.gather(*waiting, return_exceptions=True)

    with full_disk(log + 50_000):
        outcomes = asyncio.run(several())
        assert [type(one) for one in outcomes] == [StoreUnavailable] * 5
        assert store.read_now(within(sqlite_tenant, partial(notes.get, name="before"))) == "text"
    with raw(sqlite_settings) as other:
        assert other.rows(notes.NAMES, tenant=sqlite_tenant) == [("before",)]
        assert other.one("PRAGMA integrity_check") == "ok"
    assert store.write_now(within(sqlite_tenant, partial(notes.put, name="after", text="x" * 200_000))) is True
    with raw(sqlite_settings) as other:
        assert other.rows(notes.NAMES, tenant=sqlite_tenant) == [("after",), ("before",)]
    store.close()


def test_a_database_that_fills_up_during_an_action_rolls_back_the_action_and_its_group(
    sqlite_settings: Settings, sqlite_tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLITE_FULL inside an action may end its whole transaction; the clean-up must survive that too."""
    with raw(sqlite_settings) as other:
        pages = other.one("PRAGMA page_count") + 3
    monkeypatch.setattr(sqlite_file, "_PRAGMAS", (*sqlite_file._PRAGMAS, f"PRAGMA max_page_count = {pages}"))
    store = SqliteStore(sqlite_settings.sqlite_file)

    def action(tx: Transaction, number: int) -> int:
        notes.put(tx, f"small-{number}")
        if number == 3:
            notes.put(tx, "too big", "x" * 500_000)
        return number

    async def several() -> list[object]:
        waiting = (store.write(sqlite_tenant, action, number) for number in range(6))
        return await asyncio.gather(*waiting, return_exceptions=True)

    outcomes = asyncio.run(several())
    assert isinstance(outcomes[3], StoreUnavailable)
    acknowledged = [one for one in outcomes if isinstance(one, int)]
    assert all(isinstance(one, int | StoreUnavailable) for one in outcomes)
    with raw(sqlite_settings) as other:
        found = [name for (name,) in other.rows(notes.NAMES, tenant=sqlite_tenant)]
    assert found == [f"small-{number}" for number in acknowledged]
    store.close()
    monkeypatch.undo()
    again = SqliteStore(sqlite_settings.sqlite_file)
    assert again.write_now(within(sqlite_tenant, partial(notes.put, name="too big", text="x" * 500_000))) is True
    again.close()


def test_a_long_read_does_not_block_the_writer(sqlite_settings: Settings, sqlite_tenant: str) -> None:
    store = SqliteStore(sqlite_settings.sqlite_file)
    begun, enough = threading.Event(), threading.Event()

    def long_read(tx: Transaction) -> tuple[str | None, str | None]:
        first = notes.get(tx, "meanwhile")
        begun.set()
        assert enough.wait(120)
        return first, notes.get(tx, "meanwhile")

    with ThreadPoolExecutor(1) as reader:
        reading = reader.submit(store.read_now, within(sqlite_tenant, long_read))
        assert begun.wait(120)
        assert store.write_now(within(sqlite_tenant, partial(notes.put, name="meanwhile"))) is True
        enough.set()
        assert reading.result() == (None, None)
    store.close()


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


def end_backends(other: RawConnection) -> int:
    """Terminates our connections to this database, as an administrator or a failing server does."""
    return len(
        other.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE 'bedesten %'"
        )
    )


def test_a_store_on_a_missing_server_is_unavailable() -> None:
    store = PostgresStore("postgresql://127.0.0.1:9/nothing")
    refuses_everything(store)
    store.close()


def test_a_store_in_a_missing_database_is_unavailable(postgres_settings: Settings) -> None:
    store = PostgresStore(f"{postgres_settings.database}_never_made")
    refuses_everything(store)
    store.close()


def test_a_connection_lost_during_an_action_rolls_it_back_and_the_next_action_works(
    postgres_settings: Settings, postgres_tenant: str
) -> None:
    store = open_store(postgres_settings)
    with raw(postgres_settings) as other:

        def cut_off(tx: Transaction) -> None:
            notes.put(tx, "lost")
            assert end_backends(other) >= 1
            notes.put(tx, "never")

        with pytest.raises(StoreUnavailable, match="went away"):
            store.write_now(within(postgres_tenant, cut_off))
        assert other.one(notes.COUNT, tenant=postgres_tenant) == 0
        assert store.write_now(within(postgres_tenant, partial(notes.put, name="next"))) is True
        assert other.rows(notes.NAMES, tenant=postgres_tenant) == [("next",)]
    store.close()


def test_connections_lost_between_two_actions_are_replaced_without_an_error(
    postgres_settings: Settings, postgres_tenant: str
) -> None:
    store = open_store(postgres_settings)
    with raw(postgres_settings) as other:
        for number in range(3):
            assert store.write_now(within(postgres_tenant, partial(notes.put, name=f"n{number}"))) is True
            assert asyncio.run(store.counter()).number >= 1
            assert end_backends(other) >= 2
            assert store.read_now(within(postgres_tenant, partial(notes.get, name=f"n{number}"))) == "text"
        assert other.one(notes.COUNT, tenant=postgres_tenant) == 3
    store.close()


def test_every_thread_of_the_pool_recovers(postgres_installation: Installation, postgres_tenant: str) -> None:
    store = postgres_installation.store

    async def many(prefix: str) -> list[object]:
        return list(
            await asyncio.gather(*(store.write(postgres_tenant, notes.put, f"{prefix}{n:02}") for n in range(40)))
        )

    with raw(postgres_installation.settings) as other:
        assert asyncio.run(many("a")) == [True] * 40
        assert end_backends(other) >= 2
        assert asyncio.run(many("b")) == [True] * 40
        assert other.one(notes.COUNT, tenant=postgres_tenant) == 80
