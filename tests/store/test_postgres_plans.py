"""How PostgreSQL finds rows: it scans neither a whole table nor a whole index to find some of its rows."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pysqlite3 import dbapi2 as sqlite
from sqlalchemy import Index, create_engine
from sqlalchemy.engine import Connection

from bedesten.catalogue import batches, inventory
from bedesten.store import migrate
from bedesten.store.sql import Statement, metadata
from tests.store.test_store_statements import STATEMENTS, examples_for, text_of
from tests.support.postgres_databases import postgres_database

READ_AS_A_WHOLE = "ix_audit_unsealed"
_PLACEHOLDER = r"(?:'x'::text|'\\\\x78'::bytea|'1'::bigint|\$\d+|\(InitPlan \d+\)\.\w+)"
_LOOKED_UP = re.compile(rf"\((\w+) = (?:ANY \()?{_PLACEHOLDER}")
"""Matches, in a condition of a plan, a column compared with a parameter, see `examples_for`."""
_DEFINITIONS = {
    "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    "postgresql": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
}


def partial_indexes() -> dict[str, Index]:
    """The partial indexes, by name."""
    every = (one for table in metadata.sorted_tables for one in table.indexes)
    return {str(one.name): one for one in every if one.dialect_options["postgresql"]["where"] is not None}


def definitions(connection: Connection) -> set[str]:
    """The definitions of the indexes as the database reports them."""
    texts = {" ".join(row[0].split()) for row in connection.exec_driver_sql(_DEFINITIONS[connection.dialect.name])}
    return {one for one in texts if "alembic_version" not in one}


def test_the_condition_of_a_partial_index_says_that_its_first_column_is_not_null() -> None:
    """So only a statement that compares this column implies the condition, see `store.sql.partial_index`."""
    conditions = {name: str(one.dialect_options["postgresql"]["where"]) for name, one in partial_indexes().items()}
    assert len(conditions) > 20
    without = [
        name for name, one in partial_indexes().items()
        if f"{one.columns.keys()[0]} IS NOT NULL" not in conditions[name].split(" AND ")
    ]  # fmt: skip
    assert without == [READ_AS_A_WHOLE]


def test_the_migrations_give_indexes_the_conditions_that_the_tables_declare(tmp_path: Path) -> None:
    """Alembic does not compare these conditions."""
    migrate.upgrade(tmp_path / "migrated.db")
    urls = [(f"sqlite:///{tmp_path}/migrated.db", f"sqlite:///{tmp_path}/declared.db")]
    with postgres_database() as migrated, postgres_database() as declared:
        migrate.upgrade(migrated)
        urls.append((migrated, declared))
        for migrated_url, declared_url in urls:
            found = []
            for url in (migrated_url, declared_url):
                module = {"module": sqlite} if url.startswith("sqlite") else {}
                engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), **module)
                if url == declared_url:
                    metadata.create_all(engine)
                with engine.connect() as connection:
                    found.append(definitions(connection))
                engine.dispose()
            assert found[0] == found[1]
            assert len(found[0]) > 60


def whole_scans(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The indexes that a plan scans completely, each with the filter on the rows found."""
    if "Index Name" in plan and "Index Cond" not in plan:
        yield plan["Index Name"], plan.get("Filter", "")
    for part in plan.get("Plans", ()):
        yield from whole_scans(part)


def test_no_statement_scans_a_whole_partial_index_to_find_some_of_its_rows() -> None:
    """Here the tables are empty, so the planner assumes that each of these indexes is empty. It also does so while its
    statistics predate new stock of a product that was sold out. Then each order read all of this stock."""
    partial, scanned, found = partial_indexes(), 0, []
    with postgres_database() as url:
        migrate.upgrade(url)
        with psycopg.connect(url) as connection:
            connection.execute("SET enable_seqscan = off")
            connection.execute("SET enable_bitmapscan = off")  # as `store.postgres_session` does
            for statement in STATEMENTS:
                sql = f"EXPLAIN (FORMAT JSON) {statement.compiled('postgresql')}"
                for (root,) in connection.execute(sql, examples_for(statement)).fetchall():
                    for index, condition in whole_scans(root[0]["Plan"]):
                        scanned += index in partial
                        if index in partial and set(_LOOKED_UP.findall(condition)) - {"tenant_id", "state", "status"}:
                            found.append((index, condition, text_of(statement)))
    assert found == []
    assert scanned > 0


CODES, FREE_CODES = 60_000, 5_000
_SOLD = f"n <= {CODES - FREE_CODES}"
_FILL = f"""
INSERT INTO stock_codes (id, tenant_id, product_id, digest, folded_digest, folds, ciphertext, state, batch_id, position,
                         line_id, line_quantity, unit)
SELECT 'code' || n, 'x', 'x', sha256(n::text::bytea), sha256(n::text::bytea), 0, repeat('c', 80)::bytea,
       CASE WHEN {_SOLD} THEN 2 ELSE 0 END, CASE WHEN {_SOLD} THEN 'batch' || n / 1000 ELSE 'free' END, n,
       CASE WHEN {_SOLD} THEN 'line' || n END, CASE WHEN {_SOLD} THEN 1 END, CASE WHEN {_SOLD} THEN 0 END
FROM generate_series(1, {CODES}) n
"""
"""All free codes are in one batch."""
_NAMED = re.compile(r"%\((\w+)\)s")


def read_whole(plan: dict[str, Any]) -> Iterator[str]:
    """The tables that a plan scans completely."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from read_whole(part)


def root_of(
    connection: psycopg.Connection[Any], statement: Statement[Any], mode: str, **other: object
) -> dict[str, Any]:
    """The plan of a prepared statement: for any parameters (`force_generic_plan`) or for some (`force_custom_plan`)."""
    sql = statement.compiled("postgresql")
    values = {
        name: str(value)
        for name, value in (examples_for(statement) | {"quantity": 1, "most": 1, "batch": "batch"}).items()
    }
    names = list(dict.fromkeys(_NAMED.findall(sql)))
    for position, name in enumerate(names, 1):
        sql = sql.replace(f"%({name})s", f"${position}")
    connection.execute(f"SET plan_cache_mode = {mode}")
    connection.execute(f"PREPARE tried AS {sql}")
    executed = f"EXECUTE tried ({', '.join(repr(values[name]) for name in names)})"
    ((root,),) = connection.execute(f"EXPLAIN (FORMAT JSON) {executed}").fetchall()
    connection.execute("DEALLOCATE tried")
    plan: dict[str, Any] = root[0]["Plan"]
    return plan


@pytest.fixture(scope="module")
def filled() -> Iterator[psycopg.Connection[Any]]:
    """A database with many codes of one product and up-to-date statistics."""
    with postgres_database() as url:
        migrate.upgrade(url)
        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
            connection.execute("SET session_replication_role = replica")  # no foreign keys: only the codes matter
            connection.execute("SET enable_bitmapscan = off")
            connection.execute(_FILL)
            connection.execute("VACUUM ANALYZE stock_codes")
            yield connection


def test_a_statement_that_changes_some_codes_uses_an_index_however_many_codes_there_are(
    filled: psycopg.Connection[Any],
) -> None:
    """So does the generic plan, which expects a tenth of the free codes."""
    with_parts = [one for one in STATEMENTS if re.search(r"stock_codes.* LIMIT .*\)", text_of(one))]
    changing = [one for one in with_parts if re.match("UPDATE|DELETE|WITH", text_of(one))]
    assert len(changing) >= 8
    for statement in changing:
        for mode in ("force_generic_plan", "force_custom_plan"):
            root = root_of(filled, statement, mode)
            assert "stock_codes" not in list(read_whole(root)), (text_of(statement), root)


def test_the_free_codes_of_a_batch_are_found_without_scanning_the_table(filled: psycopg.Connection[Any]) -> None:
    """A batch may be a large part of the table, most of it sold."""
    for statement in (batches._FIRST_EXPIRY, inventory._WITHDRAW_BATCH):
        root = root_of(filled, statement, "force_custom_plan", batch="free")
        assert "stock_codes" not in list(read_whole(root)), (text_of(statement), root)


def test_the_generic_plan_for_an_order_of_one_unit_costs_no_more_than_its_custom_plan(
    filled: psycopg.Connection[Any],
) -> None:
    """So PostgreSQL keeps the generic plan. Planning the statement for each order takes longer than running it."""
    claims = [one for one in STATEMENTS if re.search(r"^UPDATE stock_codes .*stock_codes.id = \(SELECT", text_of(one))]
    assert len(claims) == 3
    for statement in claims:
        kept, made = (root_of(filled, statement, f"force_{kind}_plan")["Total Cost"] for kind in ("generic", "custom"))
        assert kept < made + 1
