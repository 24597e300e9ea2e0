"""The migrations lead to exactly what the tables declare, on both engines, and running them again changes nothing."""

import importlib
import pkgutil
import re
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint

import bedesten
from bedesten.server.installation import Installation, initialise
from bedesten.server.settings import Settings
from bedesten.store import migrate
from bedesten.store.sql import metadata
from tests.store.fresh import fresh_tenant
from tests.store.raw import RawConnection, raw
from tests.support.postgres_databases import postgres_database
from tests.support.postgres_server import server_url
from tests.support.sites import ENGINES, opened

NOT_DECLARED = {"alembic_version"}
for _module in pkgutil.walk_packages(bedesten.__path__, "bedesten."):
    if _module.name.endswith(".tables"):
        importlib.import_module(_module.name)  # every table registers itself


def database_of(settings: Settings) -> str | Path:
    """The address or file to which the migrations connect."""
    return settings.database or settings.sqlite_file


@pytest.fixture(params=ENGINES)
def declared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """A database created from the declared tables, without any migration."""
    if request.param == "sqlite":
        settings = Settings(data=tmp_path)
        settings.sqlite_file.touch()
        yield _made(settings)
    else:
        with postgres_database() as url:
            yield _made(Settings(data=tmp_path, database=url))


def _made(settings: Settings) -> Settings:
    engine = migrate.engine(database_of(settings))
    with engine.begin() as connection:
        metadata.create_all(connection)
    engine.dispose()
    return settings


def test_alembic_sees_no_difference_between_the_store_and_the_declared_tables(installation: Installation) -> None:
    engine = migrate.engine(database_of(installation.settings))
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
    finally:
        engine.dispose()


def shape(settings: Settings) -> set[str]:
    """Every column, constraint and index as the engine reports it, including what alembic does not compare."""
    with raw(settings) as other:
        if other.dialect == "postgresql":
            outcome = other.rows(
                "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable"
                " || ' ' || coalesce(column_default, '-') FROM information_schema.columns WHERE table_schema = 'public'"
                " UNION ALL SELECT conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid)"
                " FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
                " UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
            )
            return {line for (line,) in outcome if "alembic_version" not in line}
        named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        tables = [name for (name,) in other.rows(named)]
        return {
            line
            for table in tables
            if table not in NOT_DECLARED and not table.startswith("sqlite_")
            for line in sqlite_shape(other, table)
        }


def sqlite_shape(other: RawConnection, table: str) -> Iterator[str]:
    """Columns, references, indexes and checks of one table, without names that the engine generates."""
    sql = " ".join(other.one("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name", name=table).split())
    yield f"{table} {sql.rpartition(')')[2]}"
    for _, *column in other.rows(f"PRAGMA table_info({table})"):
        yield f"{table} column {column}"
    for _, *reference in other.rows(f"PRAGMA foreign_key_list({table})"):
        yield f"{table} reference {reference}"
    for _, name, unique, origin, partial in other.rows(f"PRAGMA index_list({table})"):
        columns = [column for _, _, column in other.rows(f"PRAGMA index_info({name})")]
        where = other.one("SELECT sql FROM sqlite_master WHERE name = :name", name=name) if partial else ""
        yield f"{table} index {unique} {origin} {columns} {' '.join(where.split())}"
    for name, condition in checks_in(sql):
        yield f"{table} check {name} {condition}"


def checks_in(sql: str) -> Iterator[tuple[str, str]]:
    """Name and condition of every check constraint, wherever the table's SQL declares it."""
    for found in re.finditer(r"CONSTRAINT (\w+) CHECK (?=\()", sql):
        depth = 0
        for end in range(found.end(), len(sql)):
            depth += {"(": 1, ")": -1}.get(sql[end], 0)
            if depth == 0:
                yield found[1], sql[found.end() : end + 1]
                break


def test_a_migrated_store_has_every_column_constraint_and_index_that_a_fresh_one_has(
    declared: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    engine = "postgresql" if declared.database else "sqlite"
    with opened(engine, tmp_path_factory.mktemp("migrated")) as migrated:
        found, wanted = shape(migrated.settings), shape(declared)
    assert len(wanted) > 150
    assert found - wanted == set()
    assert wanted - found == set()


def contents(settings: Settings) -> dict[str, int]:
    """The number of rows of each table."""
    with raw(settings) as other:
        return {table.name: other.one(f"SELECT count(*) FROM {table.name}") for table in metadata.sorted_tables}


def test_running_the_migrations_again_changes_neither_shape_nor_contents(own_installation: Installation) -> None:
    fresh_tenant(own_installation)
    settings = own_installation.settings
    before = shape(settings), contents(settings), migrate.current(database_of(settings))
    migrate.upgrade(database_of(settings))
    assert initialise(settings) is False
    assert (shape(settings), contents(settings), migrate.current(database_of(settings))) == before
    assert before[1]["tenants"] == before[1]["installation"] == before[1]["revision_counter"] == 1


def test_the_version_that_the_program_requires_is_that_of_the_last_migration(
    installation: Installation,
) -> None:
    assert migrate.head() == migrate.HEAD
    assert migrate.current(database_of(installation.settings)) == migrate.HEAD


def test_a_migration_that_fails_leaves_nothing_behind(own_installation: Installation) -> None:
    """They run in one transaction: a store is at one version or at another, never in between."""
    settings = own_installation.settings
    before = shape(settings)
    with raw(settings) as other:
        other.connection.execute("DELETE FROM alembic_version")
    with pytest.raises(Exception, match="already exists"):
        migrate.upgrade(database_of(settings))
    assert shape(settings) == before
    assert migrate.current(database_of(settings)) is None


def test_an_empty_database_has_no_version_and_an_unreachable_one_is_an_error(tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    empty.touch()
    assert migrate.current(empty) is None
    with postgres_database() as url:
        assert migrate.current(url) is None
    with pytest.raises(Exception, match="cannot be opened"):
        migrate.current(f"{url}_{secrets.token_hex(4)}")
    with psycopg.connect(server_url(), connect_timeout=10) as server:
        assert server.execute("SELECT 1").fetchone() == (1,)


def test_an_address_with_several_servers_and_ports_connects_to_the_one_that_accepts_writes() -> None:
    with postgres_database() as url, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but not listening
        parts = urlsplit(url)
        login, sign, host = parts.netloc.rpartition("@")
        several = urlunsplit(parts._replace(netloc=f"{login}{sign}127.0.0.1:{closed.getsockname()[1]},{host}"))
        assert migrate.current(several) is None
        migrate.upgrade(several)
        assert migrate.current(several) == migrate.current(url) == migrate.HEAD


def test_a_table_has_at_most_one_index_that_begins_with_the_tenant() -> None:
    """Without statistics PostgreSQL rates all indexes that begin with an equal column alike, and may then scan a whole
    tenant for one row. With a single such index it cannot confuse them."""
    for table in metadata.sorted_tables:
        unique = [one for one in table.constraints if isinstance(one, PrimaryKeyConstraint | UniqueConstraint)]
        whole = [one for one in table.indexes if one.dialect_options["postgresql"]["where"] is None]
        led = [list(one.columns.keys()) for one in [*unique, *whole] if one.columns.keys()[0] == "tenant_id"]
        assert len(led) <= 1, f"{table.name}: {led}"
