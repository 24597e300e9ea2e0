"""`bedesten init`, and installations whose parts do not belong together."""

import base64
import contextlib
import json
import secrets
import stat
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from bedesten.admin.keyring_file import write_keyring
from bedesten.cli.init import where
from bedesten.gate.keyring import Keyring
from bedesten.server.settings import Settings
from bedesten.store import sqlite_file
from tests.support.cli_program import Program
from tests.support.postgres_databases import postgres_database
from tests.support.postgres_server import server_url
from tests.support.sites import ENGINES


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_installation_is_created_once(tmp_path: Path) -> None:
    bedesten = Program(tmp_path / "deep" / "data")
    made = bedesten.run_json("init")
    assert made == {"data": str(bedesten.data), "database": str(bedesten.data / "bedesten.db"), "created": True}
    secrets = (bedesten.data / "secrets.json").read_bytes()
    assert bedesten.run_json("init")["created"] is False
    assert (bedesten.data / "secrets.json").read_bytes() == secrets
    assert bedesten.run_json("tenants", "list") == {"tenants": [], "nextCursor": None}


def test_only_the_owner_can_read_an_installation(tmp_path: Path) -> None:
    bedesten = Program(tmp_path / "data")
    bedesten.run_json("init")
    assert mode(bedesten.data) == 0o700
    files = [path for path in bedesten.data.rglob("*") if path.is_file()]
    assert len(files) >= 2
    assert {mode(path) for path in files} == {0o600}


def test_a_store_without_its_secrets_gets_no_new_ones(shop: Program) -> None:
    (shop.data / "secrets.json").rename(shop.data / "kept.json")
    error = shop.run_error("init")
    assert error["message"] == f"the store is in use, and its secrets are missing: put them at {shop.data}/secrets.json"
    assert not (shop.data / "secrets.json").exists()
    (shop.data / "kept.json").rename(shop.data / "secrets.json")
    assert shop.run_json("init")["created"] is False


def test_a_missing_store_is_not_replaced_by_an_empty_one(shop: Program) -> None:
    (shop.data / "bedesten.db").rename(shop.data / "kept.db")
    assert shop.run_error("tenants", "list")["message"] == f"the store is missing: put it at {shop.data}/bedesten.db"
    assert shop.run_error("init")["message"] == (
        f"{shop.data}/secrets.json is there and its store is not: put bedesten.db back beside it,"
        " or start again in an empty directory"
    )
    assert not (shop.data / "bedesten.db").exists()
    (shop.data / "kept.db").rename(shop.data / "bedesten.db")
    assert len(shop.run_json("tenants", "list")["tenants"]) == 1


def test_an_interrupted_init_is_completed(tmp_path: Path) -> None:
    bedesten = Program(tmp_path / "data")
    bedesten.data.mkdir(mode=0o700)
    (bedesten.data / "bedesten.db").touch(0o600)
    write_keyring(Keyring.generate(), bedesten.data / "secrets.json")
    assert bedesten.run_json("init")["created"] is True
    assert bedesten.run_json("tenants", "list") == {"tenants": [], "nextCursor": None}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("wrong", ["another installation's", "older than version 2, which is in use"])
def test_every_command_refuses_master_secrets_of_another_store(engine: str, wrong: str, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(postgres_database()) if engine == "postgresql" else None
        shop = Program(tmp_path / "data", database)
        shop.run_json("init")
        old = (shop.data / "secrets.json").read_bytes()
        shop.run_json("tenants", "create", "shop", "--host", "api.shop.example")
        shop.run_json("secrets", "rotate", "--pepper")
        right = (shop.data / "secrets.json").read_bytes()
        if wrong == "another installation's":
            write_keyring(Keyring.generate().rotate_digest(), shop.data / "secrets.json", overwrite=True)
        else:
            (shop.data / "secrets.json").write_bytes(old)
        for command in (
            ("tenants", "list"), ("check",), ("secrets", "rotate"), ("keys", "leaked", "--stdin"),
            ("keys", "create", "--tenant", "shop", "--surface", "supplier", "--owner", "Acme"), ("serve", "--port", "0"),
        ):  # fmt: skip
            message = shop.run_error(*command)["message"]
            assert message.startswith("the secrets file cannot be used: ")
            assert wrong in message
        (shop.data / "secrets.json").write_bytes(right)
        assert shop.run_json("check")["violations"] == []


def test_a_forgotten_database_setting_opens_no_other_store(tmp_path: Path) -> None:
    with postgres_database() as database:
        Program(tmp_path / "data", database).run_json("init")
        forgetful = Program(tmp_path / "data")
        for command in (("init",), ("tenants", "list"), ("tokens", "revoke", "--everyone"), ("serve", "--port", "0")):
            message = forgetful.run_error(*command)["message"]
            assert "is kept on PostgreSQL: set BEDESTEN_DATABASE" in message
        assert not (tmp_path / "data" / "bedesten.db").exists()
        (tmp_path / "data" / "store-is-elsewhere").unlink()  # another machine, with a copy of the secrets
        Program(tmp_path / "data", database).run_json("tenants", "list")
        assert "is kept on PostgreSQL" in forgetful.run_error("tenants", "list")["message"]


def test_a_store_of_another_version_is_refused(shop: Program) -> None:
    with closing(sqlite_file.connect(shop.data / "bedesten.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        assert shop.run("tenants", "list").code == 0, "which says that this program may still use it"
        connection.execute("UPDATE installation SET oldest_program = '9999'")
    newer = "the store has version 9999, which this program does not know: another version of the program made it"
    assert shop.run_error("tenants", "list")["message"] == newer
    assert shop.run_error("init")["message"] == newer


def test_an_invalid_store_file_is_refused_in_one_line(shop: Program) -> None:
    for name in ("bedesten.db-wal", "bedesten.db-shm"):
        (shop.data / name).unlink(missing_ok=True)
    (shop.data / "bedesten.db").write_bytes(b"not a database" * 100)
    outcome = shop.run("tenants", "list")
    assert outcome.code == 1
    assert outcome.err == "bedesten: the store cannot be opened: file is not a database\n"


@pytest.mark.requirement(76, 212)
@pytest.mark.parametrize("command", [("tenants", "list"), ("serve", "--port", "0", "--admin-port", "0")])
def test_weak_or_readable_secrets_are_refused_in_one_line(shop: Program, command: tuple[str, ...]) -> None:
    path = shop.data / "secrets.json"
    path.chmod(0o640)
    outcome = shop.run(*command)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == f"bedesten: {path} has mode 0640: others can reach it: chmod 600 {path}\n"
    key_sets = json.loads(path.read_text())
    weak = base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("=")
    key_sets["sign"]["secrets"] = {key_sets["sign"]["current"]: weak}
    path.write_text(json.dumps(key_sets))
    path.chmod(0o600)
    outcome = shop.run(*command)
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "all bytes are equal" in outcome.err
    assert weak not in outcome.err


def test_an_unreachable_store_is_refused_in_one_line(shop: Program) -> None:
    database = "postgresql://me:hunter2@127.0.0.1:1/nothing"
    outcome = Program(shop.data, database).run("tenants", "list")
    assert outcome.code == 1
    assert outcome.err.startswith("bedesten: the store cannot be ")
    assert outcome.err.count("\n") == 1
    assert "hunter2" not in outcome.err


@pytest.mark.parametrize("command", ["init", "move"])
def test_a_database_whose_text_is_not_utf_8_is_refused_in_one_line(tmp_path: Path, command: str) -> None:
    name = f"bedesten_test_ascii_{secrets.token_hex(4)}"
    with psycopg.connect(server_url(), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
        try:
            url = urlunsplit(urlsplit(server_url())._replace(path=f"/{name}"))
            if command == "init":
                outcome = Program(tmp_path / "new", url).run("init")
            else:
                known = Program(tmp_path / "known")
                assert known.run("init").code == 0
                outcome = known.run("move", "--to", url)
            assert (outcome.code, outcome.err.count("\n")) == (1, 1)
            assert "the encoding of the database is SQL_ASCII" in outcome.err
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_the_password_of_a_database_is_never_shown(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, database="postgresql://me:hunter2@db.example:5433/shop?sslmode=require")
    assert where(settings) == "postgresql://me@db.example:5433/shop"
    assert "hunter2" not in repr(settings)
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
