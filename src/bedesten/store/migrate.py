"""Upgrades a store's schema to the version of this program, and reports which version it has.

A migration either expands or contracts. One that *expands* (adds a table, an index, a nullable column) names in
`oldest_program` the lowest version whose programs can use the new schema; they keep running during the upgrade. One
that *contracts* (removes or changes what older programs use) names its own version: it is refused while older programs
are connected. Versions have four digits, so they compare as text.
"""

from collections.abc import Callable
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, Any

from pysqlite3 import dbapi2
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, OperationalError

from bedesten.store import sqlite_statistics
from bedesten.store.tables import SCHEMA_VERSION
from bedesten.store.transaction import StoreUnavailable

if TYPE_CHECKING:
    import psycopg
    from alembic.config import Config
    from sqlalchemy import Connection as SqlConnection
    from sqlalchemy import CursorResult

MAX_ATTEMPTS, RETRY_S = 40, 0.25
LOCK_TIMEOUT_MS = 500
"""How long a migration waits for a table in use. While it waits, requests for that table wait behind it."""

HEAD = SCHEMA_VERSION


class OlderPrograms(Exception):
    """The store is in use by a program that would not work after the upgrade."""


def engine(database: str | Path) -> Engine:
    """An SQLAlchemy engine for migrations and inspection only; requests never go through it.

    libpq parses the address, as for every other connection: SQLAlchemy cannot parse several hosts with ports. Raises
    ValueError for any other address; connecting raises `StoreUnavailable` if the database's encoding is not UTF-8.
    """
    if isinstance(database, Path):
        made = create_engine(f"sqlite:///{database}", module=dbapi2)
        event.listen(made, "connect", _own_transactions)
        event.listen(made, "begin", _begin)
        return made
    scheme, _, rest = database.partition("://")
    if scheme not in ("postgresql", "postgres") or not rest:
        raise ValueError("the database must be given as postgresql://…")
    import psycopg
    from psycopg.conninfo import make_conninfo

    from bedesten.store.postgres_session import missing_defaults

    address = make_conninfo(database, **missing_defaults(database))

    def connect() -> "psycopg.Connection[Any]":
        made = psycopg.connect(address, prepare_threshold=None)
        encoding = made.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            made.close()
            raise StoreUnavailable(
                f"the encoding of the database is {encoding}: make one with ENCODING 'UTF8' TEMPLATE template0"
            )
        return made

    return create_engine("postgresql+psycopg://", creator=connect)


def _own_transactions(connection: Any, _record: object) -> None:
    connection.isolation_level = None


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(database: str | Path, older_programs: Callable[[str], bool] = lambda _version: False) -> None:
    """Runs every pending migration in one transaction. Idempotent.

    `older_programs` says whether a program older than a version uses the store beside this process; on PostgreSQL the
    list of connections says so too. Raises `OlderPrograms`, and `StoreUnavailable` if a table stays locked too long.
    """
    made = engine(database)
    try:
        for last in (False,) * (MAX_ATTEMPTS - 1) + (True,):
            try:
                with made.begin() as connection:
                    _upgrade(connection, older_programs)
                return
            except OperationalError as error:  # lock timeout: let the requests queued behind this one go first
                if last or not _is_lock_timeout(error):
                    raise StoreUnavailable(f"the schema cannot be changed now: {str(error.orig).strip()}") from error
                sleep(RETRY_S)
    finally:
        made.dispose()


def _upgrade(connection: "SqlConnection", older_programs: Callable[[str], bool]) -> None:
    from alembic import command
    from alembic.runtime.migration import MigrationContext

    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_MS}ms'")
    before = MigrationContext.configure(connection).get_current_revision()
    oldest = oldest_program(before)
    if (
        before is not None
        and _present_oldest(connection) < oldest
        and (older_programs(oldest) or _older_are_connected(connection, oldest))
    ):
        raise OlderPrograms(
            f"a program of a version before {oldest} uses the store, and cannot go on after this upgrade: stop it, or bring"
            " it to a later version first"
        )
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if connection.dialect.name == "sqlite":
        sqlite_statistics.write(lambda sql: _rows(connection.exec_driver_sql(sql)))
    if before is not None:
        connection.execute(
            text("UPDATE installation SET oldest_program = :oldest WHERE oldest_program < :oldest"), {"oldest": oldest}
        )


def _rows(result: "CursorResult[Any]") -> list[Any]:
    return list(result) if result.returns_rows else []


def _present_oldest(connection: "SqlConnection") -> str:
    """The lowest version whose programs can use the store now; `HEAD` if it is not an installation yet."""
    return connection.execute(text("SELECT oldest_program FROM installation")).scalar() or HEAD


def oldest_program(since: str | None = None) -> str:
    """The lowest version whose programs can use a store of this version, judged by the migrations after `since`."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(_config()).walk_revisions()
    return max((one.module.oldest_program for one in scripts if since is None or one.revision > since), default=HEAD)


def _older_are_connected(connection: "SqlConnection", version: str) -> bool:
    if connection.dialect.name != "postgresql":
        return False
    found = connection.execute(
        text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND application_name LIKE 'bedesten %' AND substr(application_name, 10, 4) < :version"
        ),
        {"version": version},
    ).scalar_one()
    return bool(found)


def _is_lock_timeout(error: DatabaseError) -> bool:
    return type(error.orig).__name__ in ("LockNotAvailable", "DeadlockDetected")


def head() -> str:
    """The version that the migrations lead to."""
    from alembic.script import ScriptDirectory

    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def knows(version: str) -> bool:
    """Whether there is a migration to this version."""
    if version == HEAD:
        return True
    from alembic.script import ScriptDirectory

    return any(one.revision == version for one in ScriptDirectory.from_config(_config()).walk_revisions())


def current(database: str | Path) -> str | None:
    """The version that the store has, or None if it is empty. Raises `StoreUnavailable`."""
    from alembic.runtime.migration import MigrationContext

    made = engine(database)
    try:
        with made.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except DatabaseError as error:
        raise StoreUnavailable(f"the store cannot be opened: {str(error.orig).partition(chr(10))[0]}") from error
    finally:
        made.dispose()
