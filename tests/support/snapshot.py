"""A store that goes back to an earlier state under whatever runs on it: a restored backup, or a lost failover, in short."""

from collections.abc import Iterable
from pathlib import Path

import psycopg

from bedesten.server.settings import Settings
from bedesten.store import sqlite_file
from bedesten.store.sql import metadata

TABLES = tuple(table.name for table in metadata.sorted_tables)


class Snapshot:
    """The whole store at one moment, kept beside it."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._copy = folder / "snapshot.db"
        if settings.database:
            self._in_one_transaction(f"CREATE TABLE kept_{name} AS SELECT * FROM {name}" for name in TABLES)
        else:
            sqlite_file.backup(settings.sqlite_file, self._copy)

    def bring_back(self) -> None:
        """Everything is as it was then, in one transaction: a reader sees the one state or the other."""
        if not self._settings.database:
            sqlite_file.backup(self._copy, self._settings.sqlite_file)
            return
        self._in_one_transaction(
            [
                "SET LOCAL session_replication_role = replica",  # without triggers, those of foreign keys included
                *(f"DELETE FROM {name}" for name in TABLES),
                *(f"INSERT INTO {name} SELECT * FROM kept_{name}" for name in TABLES),
            ]
        )

    def _in_one_transaction(self, statements: Iterable[str]) -> None:
        assert self._settings.database is not None
        with psycopg.connect(self._settings.database) as connection:
            for statement in statements:
                connection.execute(statement)
