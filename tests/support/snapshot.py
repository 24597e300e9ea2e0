"""Restores a store to an earlier state while servers use it, like a restored backup or a failover that lost commits."""

from collections.abc import Iterable
from pathlib import Path

import psycopg

from bedesten.server.settings import Settings
from bedesten.store import sqlite_file
from bedesten.store.sql import metadata

TABLES = tuple(table.name for table in metadata.sorted_tables)


class Snapshot:
    """A copy of the whole store at one moment."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._copy = folder / "snapshot.db"
        if settings.database:
            self._in_one_transaction(f"CREATE TABLE kept_{name} AS SELECT * FROM {name}" for name in TABLES)
        else:
            sqlite_file.backup(settings.sqlite_file, self._copy)

    def bring_back(self) -> None:
        """Restores the copy in one transaction: a reader sees either state, never a mixture."""
        if not self._settings.database:
            sqlite_file.backup(self._copy, self._settings.sqlite_file)
            return
        self._in_one_transaction(
            [
                "SET LOCAL session_replication_role = replica",  # disables triggers, including those of foreign keys
                *(f"DELETE FROM {name}" for name in TABLES),
                *(f"INSERT INTO {name} SELECT * FROM kept_{name}" for name in TABLES),
            ]
        )

    def _in_one_transaction(self, statements: Iterable[str]) -> None:
        assert self._settings.database is not None
        with psycopg.connect(self._settings.database) as connection:
            for statement in statements:
                connection.execute(statement)
