"""`bedesten move` takes a store from SQLite to PostgreSQL and back, or leaves everything as it was."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bedesten.accounts import actions as accounts
from bedesten.catalogue.actions import ProductFields
from bedesten.gate.scopes import Surface
from bedesten.server import move
from bedesten.server.data_directory_lock import DataDirectoryLock
from bedesten.server.installation import open_installation
from bedesten.server.settings import Settings
from bedesten.store import raw_copy, sqlite_file
from bedesten.store.raw_copy import PostgresEnd, SqliteEnd
from bedesten.store.sql import metadata
from bedesten.tenants import listing
from tests.store.raw import raw
from tests.support.cli_program import Program
from tests.support.client import api_key, bearer
from tests.support.inprocess import InProcessServer
from tests.support.operator_actions import Operator
from tests.support.postgres_databases import postgres_database

HOST = "shop.example"


@pytest.fixture
def empty() -> Iterator[str]:
    """An empty database on PostgreSQL."""
    with postgres_database() as url:
        yield url


@pytest.fixture
def filled(tmp_path: Path) -> Program:
    """A shop on SQLite with some orders and events."""
    program = Program(tmp_path / "data")
    program.run_json("init")
    with used(program) as (server, operator):
        shop = operator.tenant("shop", [HOST])
        partner = operator.account(shop, "partner", "p@partner.example")
        operator.credit(shop, partner, 1_000_00)
        operator.endpoint(shop, partner, "https://partner.example/hook")
        card = operator.product(
            shop, ProductFields(sku="card", name="Card", price=5_00, currency="USD"), ["ONE-1", "TWO-2", "THREE-3"]
        )
        token = bearer(operator.mint(operator.claims(shop, Surface.RESELLER, partner)))
        for reference in ("first", "second"):
            basket = [{"deliverId": "1", "customerStoreProductId": card, "quantity": 1}]
            order = {"orderReference": reference, "basketData": basket}
            assert server.ask("POST", "/Orders/Create", token, order, host=HOST).status == 200
        assert server.code("POST", "/Orders/Create", token, {**order, "quantty": 1}, host=HOST) == -2
        server.write()
    return program


@contextlib.contextmanager
def used(program: Program) -> Iterator[tuple[InProcessServer, Operator]]:
    """The installation, served in this process."""
    installation = open_installation(Settings(data=program.data, database=program.database))
    try:
        yield InProcessServer(installation), Operator(installation)
    finally:
        installation.store.close()


def rows(end: SqliteEnd | PostgresEnd) -> dict[str, list[str]]:
    """Every row of every table, without the column `moved`."""
    with contextlib.closing(end):
        found: dict[str, list[str]] = {}
        for table in metadata.sorted_tables:
            columns = [column.name for column in table.columns if column.name != "moved"]
            found[table.name] = sorted(repr(tuple(row)) for row in end.rows(table.name, columns))
        return found


def test_every_row_is_there_after_the_move_and_after_moving_back(filled: Program, empty: str) -> None:
    before = rows(SqliteEnd(filled.data / "bedesten.db"))
    assert before["orders"]
    assert before["audit"]
    gone = filled.run_json("move", "--to", empty)

    assert (gone["rows"], gone["violations"]) == (sum(map(len, before.values())), [])
    assert rows(PostgresEnd(empty)) == before
    assert "kept on PostgreSQL" in filled.run_error("tenants", "list")["message"]
    there = Program(filled.data, empty)
    assert there.run_json("check") == {"ok": True, "violations": []}
    with psycopg.connect(empty) as connection, pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        connection.execute("DELETE FROM audit")

    kept = filled.data / "bedesten.db"
    assert "rename it first" in there.run_error("move", "--to", "sqlite")["message"]
    kept.rename(filled.data / "kept.db")
    there.run_json("move", "--to", "sqlite")
    assert rows(SqliteEnd(kept)) == before
    assert filled.run_json("check") == {"ok": True, "violations": []}
    assert f"was moved to {kept}" in there.run_error("tenants", "list")["message"]
    with contextlib.closing(sqlite_file.connect(kept)) as connection, pytest.raises(Exception, match="append-only"):
        connection.execute("DELETE FROM audit")


def test_credentials_and_codes_work_on_the_other_engine(filled: Program, empty: str) -> None:
    with used(filled) as (_, operator):
        shop = str(operator.across(listing.list_all)[0]["id"])
        supplier = operator.owner(shop, Surface.SUPPLIER, "Acme")
        key = operator.key(shop, Surface.SUPPLIER, supplier)
        ended = operator.key(shop, Surface.SUPPLIER, supplier)
        operator.revoke_key(shop, ended)
    filled.run_json("move", "--to", empty)
    with used(Program(filled.data, empty)) as (server, operator):
        assert server.ask("POST", "/Supplier/Products/List", api_key(key.text), {}, host=HOST).status == 200
        assert server.code("POST", "/Supplier/Products/List", api_key(ended.text), {}, host=HOST) == -23
        partner = operator.within(shop, lambda tx: accounts.find(tx, "partner", "p@partner.example")).id
        token = bearer(operator.mint(operator.claims(shop, Surface.RESELLER, partner)))
        read = server.ask("POST", "/Orders/Get", token, {"orderReference": "first"}, host=HOST)
        assert read.data["details"][0]["deliveryData"] == ["ONE-1"]


def test_a_store_in_use_is_not_moved(filled: Program, empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = DataDirectoryLock(filled.data / "serve.lock")
    lock.acquire()
    try:
        error = filled.run_error("move", "--to", empty)
    finally:
        lock.release()
    assert error["code"] == -8
    assert "another server" in error["message"]
    filled.run_json("move", "--to", empty)
    (filled.data / "bedesten.db").rename(filled.data / "kept.db")
    with psycopg.connect(empty), monkeypatch.context() as patch:
        patch.setattr(raw_copy, "MAX_DEPARTURE_S", 0.0)
        message = Program(filled.data, empty).run_error("move", "--to", "sqlite")["message"]
    assert "stop every server first" in message
    assert not (filled.data / "bedesten.db").exists()
    Program(filled.data, empty).run_json("move", "--to", "sqlite")


def test_a_move_waits_for_connections_that_are_about_to_end(
    filled: Program, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that has just stopped wrote last: the move includes what it committed."""
    filled.run_json("move", "--to", empty)
    (filled.data / "bedesten.db").rename(filled.data / "kept.db")
    with psycopg.connect(empty) as last:
        last.execute("UPDATE tenants SET created = 1")

        def end(_: float) -> None:
            if not last.closed:
                last.commit()
                last.close()

        monkeypatch.setattr(time, "sleep", end)
        Program(filled.data, empty).run_json("move", "--to", "sqlite")
    with raw(Settings(data=filled.data, database=None)) as store:
        assert {at for (at,) in store.rows("SELECT created FROM tenants")} == {1}


@pytest.mark.parametrize(
    ("to", "reason"),
    [("sqlite", "the SQLite file already"), ("mysql://x/y", "must be postgresql"), ("postgresql://127.0.0.1:1/x", "")],
)
def test_an_invalid_target_is_refused(filled: Program, to: str, reason: str) -> None:
    assert reason in filled.run_error("move", "--to", to)["message"]
    assert filled.run_json("check")["ok"]


def test_a_target_with_an_installation_is_never_overwritten(filled: Program, tmp_path: Path, empty: str) -> None:
    other = Program(tmp_path / "other", empty)
    other.run_json("init")
    other.run_json("tenants", "create", "precious", "--host", "precious.example")
    assert "an installation already" in filled.run_error("move", "--to", empty)["message"]
    assert [one["name"] for one in other.run_json("tenants", "list")["tenants"]] == ["precious"]
    assert filled.run_json("check")["ok"]


def test_a_copy_that_lacks_a_row_is_detected_and_discarded(
    filled: Program, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill = PostgresEnd.fill

    def losing(self: PostgresEnd, table: str, columns: Sequence[str], rows: Iterable[Any]) -> None:
        kept = list(rows)
        fill(self, table, columns, kept[1:] if table == "deliveries" else kept)

    monkeypatch.setattr(PostgresEnd, "fill", losing)
    assert "the table deliveries differs" in filled.run_error("move", "--to", empty)["message"]
    assert filled.run_json("check")["ok"]
    monkeypatch.undo()
    assert filled.run_json("move", "--to", empty)["violations"] == []


def test_an_interrupted_move_can_be_repeated(filled: Program, empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill = PostgresEnd.fill

    def interrupted(self: PostgresEnd, table: str, columns: Sequence[str], rows: Iterable[Any]) -> None:
        fill(self, table, columns, rows)
        if table == "orders":
            raise KeyboardInterrupt

    monkeypatch.setattr(PostgresEnd, "fill", interrupted)
    assert filled.run("move", "--to", empty).code == 130
    monkeypatch.undo()
    assert filled.run_json("check")["ok"]
    assert filled.run_json("move", "--to", empty)["violations"] == []


def test_a_store_that_violates_an_invariant_stays_in_use(filled: Program, empty: str) -> None:
    with contextlib.closing(sqlite_file.connect(filled.data / "bedesten.db")) as connection:
        connection.execute("UPDATE ledger_accounts SET posted = posted + 1 WHERE kind = 'partner'")
    outcome = filled.run("move", "--to", empty, "--json")
    assert outcome.code == 1
    assert outcome.document["violations"]
    assert [one["name"] for one in filled.run_json("tenants", "list")["tenants"]] == ["shop"]


def test_progress_counts_every_row_twice(filled: Program, empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(move, "CHUNK_ROWS", 2)
    monkeypatch.setattr(raw_copy, "CHUNK_ROWS", 2)
    steps: list[int] = []
    source = Settings(data=filled.data)
    with move.Move(source, Settings(data=filled.data, database=empty)) as prepared:
        moved = prepared.run("there", steps.append)
    assert sum(steps) == 2 * moved.rows == 2 * prepared.rows
    assert max(steps) == 2
