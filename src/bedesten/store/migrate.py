"""Brings a store's schema to the version of this program, and says which version it has."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pysqlite3 import dbapi2
from sqlalchemy import Engine, create_engine, event


def engine(database: str | Path) -> Engine:
    """An SQLAlchemy engine for migrations and inspection only; requests never go through it."""
    if isinstance(database, Path):
        made = create_engine(f"sqlite:///{database}", module=dbapi2)
        event.listen(made, "connect", _own_transactions)
        event.listen(made, "begin", _begin)
        return made
    scheme, _, rest = database.partition("://")
    if scheme not in ("postgresql", "postgres") or not rest:
        raise ValueError("the database must be given as postgresql://…")
    return create_engine(f"postgresql+psycopg://{rest}")


def _own_transactions(connection: Any, _record: object) -> None:
    connection.isolation_level = None


def _begin(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(database: str | Path) -> None:
    """Runs every migration that the store does not have yet, in one transaction. Safe to call again."""
    config = _config()
    made = engine(database)
    try:
        with made.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        made.dispose()


def head() -> str:
    """The version that this program needs."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def current(database: str | Path) -> str | None:
    """The version that the store has, or None if it is empty."""
    made = engine(database)
    try:
        with made.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        made.dispose()
