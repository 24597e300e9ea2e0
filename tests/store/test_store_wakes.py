"""Workers are woken after COMMIT on PostgreSQL; on SQLite, and when a message is lost, they poll."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedesten.store import wakes
from bedesten.store.store import Store
from bedesten.store.transaction import SystemTransaction
from tests.support.sites import opened

PATIENCE_S = 120.0


class Listener:
    """Counts the messages of a store."""

    def __init__(self, store: Store) -> None:
        self.count = 0
        self.changed = threading.Condition()
        self.stop = store.listen(self.take)

    def take(self) -> None:
        with self.changed:
            self.count += 1
            self.changed.notify_all()

    def wait_for(self, count: int) -> None:
        """Waits for this many messages."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.count >= count, PATIENCE_S), f"{self.count} of {count} came"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store on PostgreSQL that sends every message."""
    monkeypatch.setattr(wakes, "MIN_INTERVAL_S", 0.0)
    with opened("postgresql", tmp_path) as installation:
        yield installation.store


def wake(tx: SystemTransaction) -> None:
    tx.wake_worker()


def heard(store: Store) -> Listener:
    """A listener that has received its first message."""
    made = Listener(store)
    end = threading.Event()
    while made.count == 0:
        store.write_now(wake)
        end.wait(0.02)
    return made


def test_a_message_is_sent_after_each_commit_that_requests_it(store: Store) -> None:
    listener = heard(store)
    before = listener.count
    for _ in range(3):
        store.write_now(wake)
    listener.wait_for(before + 3)
    listener.stop()


def test_no_message_is_sent_after_a_rollback_or_without_a_request(store: Store) -> None:
    listener = heard(store)

    def undone(tx: SystemTransaction) -> None:
        tx.wake_worker()
        raise LookupError("undone")

    before = listener.count
    with pytest.raises(LookupError):
        store.write_now(undone)
    store.write_now(lambda tx: None)
    store.write_now(wake)  # messages arrive in order
    listener.wait_for(before + 1)
    store.write_now(wake)
    listener.wait_for(before + 2)
    assert listener.count == before + 2
    listener.stop()


def test_messages_in_quick_succession_are_combined(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = heard(store)
    before = listener.count
    store.write_now(wake)
    monkeypatch.setattr(wakes, "MIN_INTERVAL_S", 3_600.0)
    for _ in range(5):
        store.write_now(wake)
    monkeypatch.setattr(wakes, "MIN_INTERVAL_S", 0.0)
    store.write_now(wake)
    listener.wait_for(before + 2)
    assert listener.count == before + 2
    listener.stop()


def test_a_listener_that_lost_its_connection_listens_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakes, "RECONNECT_INTERVAL_S", 0.0)
    listener = heard(store)
    ended = store.write_now(
        lambda tx: tx.text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
    )
    assert ended == (1,)
    before = listener.count
    end = threading.Event()
    while listener.count == before:
        store.write_now(wake)
        end.wait(0.02)
    listener.stop()


def test_sqlite_sends_no_message_and_accepts_a_write_that_requests_one(tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as installation:
        listener = Listener(installation.store)
        installation.store.write_now(wake)
        assert listener.count == 0
        listener.stop()
