"""`bedesten backup` creates a consistent copy of a running store, or none."""

import os
import stat
import threading
from pathlib import Path

import pytest

from bedesten.store import sqlite_file
from tests.support.cli_program import Program
from tests.support.postgres_databases import postgres_database


def test_a_backup_opens_with_the_secrets_and_has_the_data(shop: Program, tmp_path: Path) -> None:
    shop.run_json("partners", "create", "--tenant", "shop", "--email", "p@partner.example")
    copy = tmp_path / "copy.db"
    made = shop.run_json("backup", str(copy))
    assert made == {"file": str(copy), "bytes": copy.stat().st_size, "secrets": 1}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "data"]
    shop.run_json("tenants", "create", "later", "--host", "api.later.example")
    restored = Program(tmp_path / "restored")
    restored.data.mkdir(mode=0o700)
    copy.rename(restored.data / "bedesten.db")
    secrets = restored.data / "secrets.json"
    secrets.touch(0o600)
    secrets.write_bytes((shop.data / "secrets.json").read_bytes())
    assert [one["name"] for one in restored.run_json("tenants", "list")["tenants"]] == ["shop"]
    assert restored.run_json("check") == {"ok": True, "violations": []}


def test_an_existing_file_is_never_overwritten(shop: Program, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_bytes(b"precious")
    error = shop.run_error("backup", str(tmp_path / "copy.db"))
    assert "the file exists already" in error["message"]
    assert (tmp_path / "copy.db").read_bytes() == b"precious"
    assert shop.run("backup", str(tmp_path / "nowhere" / "copy.db")).code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "data"]


def test_a_failed_backup_leaves_no_file(shop: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sqlite_file, "backup", full)
    assert "No space left" in shop.run_error("backup", str(tmp_path / "copy.db"))["message"]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_backup_beside_writers_is_consistent(shop: Program, tmp_path: Path) -> None:
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set() or number == 0:
            assert shop.run_process("suppliers", "create", f"Acme {number}", "--tenant", "shop").code == 0
            number += 1

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for number in range(3):
            shop.run_json("backup", str(tmp_path / f"{number}.db"))
    finally:
        done.set()
        writing.join()
    for number in range(3):
        copy = Program(tmp_path / f"restored{number}")
        copy.data.mkdir(mode=0o700)
        (tmp_path / f"{number}.db").rename(copy.data / "bedesten.db")
        os.link(shop.data / "secrets.json", copy.data / "secrets.json")
        assert copy.run_json("check") == {"ok": True, "violations": []}


def test_a_store_on_postgresql_is_refused(tmp_path: Path) -> None:
    with postgres_database() as database:
        program = Program(tmp_path / "data", database)
        program.run_json("init")
        assert "pg_dump" in program.run_error("backup", str(tmp_path / "copy.db"))["message"]
        assert not (tmp_path / "copy.db").exists()
