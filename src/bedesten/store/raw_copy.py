"""The two ends of a move between SQLite and PostgreSQL: one connection each, whole tables in, whole tables out.

Everything else uses the store's transactions. A move needs what they do not offer: the raw rows of every tenant,
disabled triggers while history is copied, and a lock on all tables at once.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from pysqlite3 import dbapi2

from bedesten.store import sqlite_file
from bedesten.store.postgres_session import missing_defaults
from bedesten.store.transaction import StoreUnavailable

Row = tuple[Any, ...]
CHUNK_ROWS = 5_000
LOCK_TIMEOUT_MS = 5_000
MAX_DEPARTURE_S = 5.0
"""How long to wait for the connections of a server that has just been stopped to end."""
DEPARTURE_POLL_S = 0.05


class InUse(Exception):
    """Another program uses the store."""


class SqliteEnd:
    """An SQLite file, in one write transaction from the start: no other program can write to it."""

    def __init__(self, path: Path) -> None:
        """Raises `InUse`, `StoreUnavailable`."""
        self._connection = sqlite_file.connect(path)
        try:
            self._connection.execute(f"PRAGMA busy_timeout = {LOCK_TIMEOUT_MS}")
            self._connection.execute("PRAGMA foreign_keys = OFF")  # checked as a whole before COMMIT
            self._connection.execute("BEGIN IMMEDIATE")
        except dbapi2.OperationalError as problem:
            self._connection.close()
            raise InUse("another program writes to the store") from problem
        self._triggers: list[tuple[str, str]] = []

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        """Every row of the table."""
        found = self._connection.execute(f"SELECT {', '.join(columns)} FROM {table}")  # noqa: S608
        while chunk := found.fetchmany(CHUNK_ROWS):
            yield from chunk

    def count(self, table: str) -> int:
        """How many rows the table has."""
        count: int = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        return count

    def empty(self, tables: Iterable[str]) -> None:
        """Takes the triggers off and deletes every row. `tables` in the order in which they may be deleted."""
        self._triggers = self._connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in self._triggers:
            self._connection.execute(f"DROP TRIGGER {name}")
        for table in tables:
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608

    def fill(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Inserts rows."""
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608

    def complete(self) -> None:
        """Restores the triggers and commits. Raises ValueError if a foreign key is violated."""
        for _, statement in self._triggers:
            self._connection.execute(statement)
        if self._connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
            raise ValueError("a row refers to one that is not there")
        self._connection.execute("COMMIT")

    def mark(self, moved: str) -> None:
        """Writes where the store has gone, and commits."""
        self._connection.execute("UPDATE installation SET moved = ?", (moved,))
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Closes the connection, and so rolls back what was not committed."""
        self._connection.close()


class PostgresEnd:
    """A PostgreSQL database, in one transaction. The tables in `lock` are locked against writes from the start."""

    def __init__(self, url: str, lock: Sequence[str] = ()) -> None:
        """Raises `InUse`, `StoreUnavailable`."""
        try:
            self._connection = psycopg.connect(url, **missing_defaults(url))  # type: ignore[arg-type]
        except psycopg.Error as problem:
            raise StoreUnavailable(f"the store cannot be reached: {problem}") from problem
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._triggered: list[str] = []
        try:
            if lock:
                self._lock(lock)
        except BaseException:
            self._connection.close()
            raise

    def _lock(self, tables: Sequence[str]) -> None:
        deadline = time.monotonic() + MAX_DEPARTURE_S
        while self._has_others():
            if time.monotonic() >= deadline:
                raise InUse("other programs are connected to the database: stop every server first")
            self._connection.rollback()  # otherwise the copy would use a snapshot from before they ended
            time.sleep(DEPARTURE_POLL_S)
        self._connection.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        names = sql.SQL(", ").join(map(sql.Identifier, tables))
        try:
            self._connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(names))
        except psycopg.errors.LockNotAvailable as problem:
            raise InUse("another program writes to the store") from problem

    def _has_others(self) -> bool:
        others = self._connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        ).fetchone()
        return others != (0,)

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        """Every row of the table."""
        with self._connection.cursor(name="move") as cursor:
            cursor.itersize = CHUNK_ROWS
            yield from cursor.execute(_select(table, columns))

    def count(self, table: str) -> int:
        """How many rows the table has."""
        found = self._connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        assert found is not None
        return int(found[0])

    def empty(self, tables: Iterable[str]) -> None:
        """Takes the triggers off and deletes every row. `tables` in the order in which they may be deleted."""
        self._triggered = [
            name
            for (name,) in self._connection.execute(
                "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal"
            )
        ]
        for name in self._triggered:
            self._connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER USER").format(sql.Identifier(name)))
        for table in tables:
            self._connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))

    def fill(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Inserts rows."""
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        with self._connection.cursor() as cursor, cursor.copy(into) as copy:
            for row in rows:
                copy.write_row(row)

    def complete(self) -> None:
        """Restores the triggers and commits."""
        for name in self._triggered:
            self._connection.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER USER").format(sql.Identifier(name)))
        self._connection.commit()
        self._connection.autocommit = True
        self._connection.execute("ANALYZE")

    def mark(self, moved: str) -> None:
        """Writes where the store has gone, and commits."""
        self._connection.execute("UPDATE installation SET moved = %s", (moved,))
        self._connection.commit()

    def close(self) -> None:
        """Closes the connection, and so rolls back what was not committed."""
        self._connection.close()


def _select(table: str, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table))
