"""On SQLite the revision check queries the store only after a commit. It must detect every commit."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedesten.server.installation import Installation, open_store
from bedesten.store.sqlite import SqliteStore
from bedesten.store.sqlite_file import backup
from bedesten.store.transaction import StoreUnavailable
from bedesten.store.wal_index import WalIndex
from tests.store import notes
from tests.store.changer import change
from tests.support.sites import opened

CHANGER = Path(__file__).with_name("changer.py")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Installation]:
    """An installation for one test only, on SQLite."""
    with opened("sqlite", tmp_path) as made:
        yield made


@pytest.fixture
def store(own: Installation) -> SqliteStore:
    """The installation's store, which has passed the revision check before."""
    assert isinstance(own.store, SqliteStore)
    own.store.counter_now()
    return own.store


@pytest.fixture
def elsewhere(own: Installation) -> Iterator["subprocess.Popen[str]"]:
    """Another process that makes one change for each line, and prints the counter after it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHANGER.parents[2]), *sys.path])}
    command = [sys.executable, str(CHANGER), own.settings.model_dump_json()]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(120) == 0


def changed(process: "subprocess.Popen[str]") -> int:
    """Makes one change in the other process; returns the counter after it."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def asked(store: SqliteStore) -> list[str]:
    """A growing list of the statements that this thread's reader runs from now on."""
    statements: list[str] = []
    store._reader().set_trace_callback(statements.append)
    return statements


def test_the_store_is_queried_once_for_each_commit_and_not_for_each_request(store: SqliteStore) -> None:
    before, statements = store.counter_now().number, asked(store)
    assert {store.counter_now().number for _ in range(100)} == {before}
    assert statements == []
    store.write_now(lambda tx: notes.put(tx.for_tenant("a"), "no right was changed"))
    assert {store.counter_now().number for _ in range(100)} == {before}
    assert len(statements) == 1
    store.write_now(change)
    assert {store.counter_now().number for _ in range(100)} == {before + 1}
    assert len(statements) == 2


def test_a_commit_of_another_process_is_detected_at_once(
    store: SqliteStore, elsewhere: "subprocess.Popen[str]"
) -> None:
    for _ in range(300):
        assert changed(elsewhere) == store.counter_now().number


@pytest.mark.slow
def test_every_thread_detects_commits_of_other_threads_and_processes_at_once(
    store: SqliteStore, elsewhere: "subprocess.Popen[str]"
) -> None:
    wrong: list[tuple[int, int]] = []
    done = threading.Event()

    def look() -> None:
        last = 0
        while not done.is_set():
            last, before = store.counter_now().number, last
            if last < before:
                wrong.append((before, last))

    def write() -> None:
        for _ in range(100):
            committed = store.write_now(change)
            if store.counter_now().number < committed:
                wrong.append((committed, -1))

    looking = [threading.Thread(target=look) for _ in range(3)]
    writing = [threading.Thread(target=write) for _ in range(4)]
    for thread in (*looking, *writing):
        thread.start()
    for _ in range(100):
        committed = changed(elsewhere)
        if store.counter_now().number < committed:
            wrong.append((committed, -2))
    for thread in writing:
        thread.join()
    done.set()
    for thread in looking:
        thread.join()
    assert wrong == []


def test_a_checkpoint_and_a_restarted_log_do_not_look_like_commits_and_hide_none(
    own: Installation, store: SqliteStore
) -> None:
    before, statements = store.counter_now().number, asked(store)
    for kind in ("PASSIVE", "RESTART", "TRUNCATE"):
        store.write_now(change)
        code = f"import sys, sqlite3; sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint({kind})').fetchall()"
        subprocess.run([sys.executable, "-c", code, str(own.settings.sqlite_file)], check=True)
        before += 1
        assert store.counter_now().number == before
    assert len([one for one in statements if "SELECT" in one]) <= 6


def test_a_backup_restored_into_the_running_store_is_detected(
    own: Installation, store: SqliteStore, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    before = store.counter_now().number
    backup(own.settings.sqlite_file, copy)
    store.write_now(change)
    assert store.counter_now().number == before + 1
    backup(copy, own.settings.sqlite_file)
    assert store.counter_now().number == before


def test_a_moved_or_replaced_file_is_detected_although_nothing_was_committed(
    own: Installation, store: SqliteStore, tmp_path: Path
) -> None:
    file = own.settings.sqlite_file
    file.rename(tmp_path / "away.db")
    with pytest.raises(StoreUnavailable):
        store.counter_now()
    backup(tmp_path / "away.db", file)
    with pytest.raises(StoreUnavailable, match="another file"):
        store.counter_now()


def test_closing_a_store_releases_no_lock_of_another_store_of_the_same_file(
    own: Installation, store: SqliteStore
) -> None:
    """Without its lock, the next process that opens and closes the store would assume that it is the last one."""
    index = own.settings.sqlite_file.with_name("bedesten.db-shm")
    other = open_store(own.settings)
    assert isinstance(other, SqliteStore)
    other.counter_now()
    before = index.stat().st_ino
    other.close()
    read = "c.execute('SELECT * FROM revision_counter').fetchall()"
    code = f"import sys, sqlite3; c = sqlite3.connect(sys.argv[1]); {read}; c.close()"
    subprocess.run([sys.executable, "-c", code, str(own.settings.sqlite_file)], check=True)
    assert index.stat().st_ino == before
    committed = store.write_now(change)
    assert store.counter_now().number == committed


def test_closing_the_last_store_of_a_file_leaves_no_file_open(own: Installation, store: SqliteStore) -> None:
    others = [open_store(own.settings) for _ in range(3)]
    for one in others:
        assert isinstance(one, SqliteStore)
        one.counter_now()
        one.close()
        one.close()
    assert _open_files("bedesten.db-shm", own) > 0
    store.close()
    assert _open_files("bedesten.db-shm", own) == 0
    with pytest.raises(StoreUnavailable):
        store.counter_now()


def _open_files(name: str, own: Installation) -> int:
    links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd)]
    return links.count(str(own.settings.data / name))


def _is_open(descriptor: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{descriptor}")


@pytest.mark.parametrize(
    "raw",
    [
        bytes(96),
        (3_007_000).to_bytes(4, sys.byteorder) + bytes(44) + (3_007_000).to_bytes(4, sys.byteorder) + b"x" + bytes(43),
        ((3_007_001).to_bytes(4, sys.byteorder) + bytes(44)) * 2,
    ],
)
def test_a_torn_header_or_one_of_another_version_is_ignored(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x.db-shm").write_bytes(raw + bytes(32_000))
    index = WalIndex(tmp_path / "x.db")
    assert index.header() is None
    index.close()
    assert index.header() is None


def test_an_index_file_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.db-shm").write_bytes(bytes(95))
    with pytest.raises(OSError, match="no header"):
        WalIndex(tmp_path / "x.db")


def test_without_the_index_the_store_is_queried_each_time(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WalIndex, "header", lambda _: None)
    before, statements = store.counter_now().number, asked(store)
    assert [store.counter_now().number for _ in range(3)] == [before] * 3
    assert len(statements) == 3
