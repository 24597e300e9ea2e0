"""Every check that the tables declare is in the migrated store: alembic by itself omits those of single columns."""

from pathlib import Path

from sqlalchemy import CheckConstraint, inspect

from bedesten.server.installation import Installation
from bedesten.store import migrate
from bedesten.store.sql import metadata


def declared() -> set[str]:
    """The name of every check constraint of every table, including those of single columns."""
    checks = [check for table in metadata.tables.values() for check in table.constraints]
    checks += [check for table in metadata.tables.values() for column in table.columns for check in column.constraints]
    return {str(check.name) for check in checks if isinstance(check, CheckConstraint)}


def test_the_migrated_store_has_every_check_constraint_that_the_tables_declare(installation: Installation) -> None:
    settings = installation.settings
    database: str | Path = settings.database or settings.sqlite_file
    engine = migrate.engine(database)
    try:
        inspector = inspect(engine)
        found = {
            str(check["name"])
            for table in inspector.get_table_names()
            for check in inspector.get_check_constraints(table)
        }
    finally:
        engine.dispose()
    assert declared() >= {"ck_audit_chain_single", "ck_stock_levels_never_oversold", "ck_holds_never_more_than_placed"}
    assert found >= declared()
