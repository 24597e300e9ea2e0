"""Brings a store's schema to the version of this program, and says which version it has."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pysqlite3 import dbapi2
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError

from bedesten.store.transaction import StoreUnavailable

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0001"
"""The version that this program needs. Written down, so that opening a store need not load the migrations; a test
compares it with them."""


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
    from bedesten.store.postgres_session import missing_defaults

    return create_engine(
        f"postgresql+psycopg://{rest}", connect_args={**missing_defaults(database), "prepare_threshold": None}
    )


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


def upgrade(database: str | Path) -> None:
    """Runs every migration that the store does not have yet, in one transaction. Safe to call again."""
    from alembic import command

    config = _config()
    made = engine(database)
    try:
        with made.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        made.dispose()


def head() -> str:
    """The version that the migrations lead to."""
    from alembic.script import ScriptDirectory

    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


def knows(version: str) -> bool:
    """Whether the migrations come by this version."""
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
