"""A separate connection through the engine's own driver: shows what the database holds, bypassing our code."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import psycopg

from bedesten.core.ids import IdGenerator
from bedesten.server.settings import Settings
from bedesten.store import sqlite_file
from bedesten.store.sql import DialectName
from bedesten.store.transaction import SystemTransaction


def dialect_of(settings: Settings) -> DialectName:
    """The engine that the settings name."""
    return "postgresql" if settings.database else "sqlite"


def connect(settings: Settings) -> Any:
    """A fresh connection in autocommit."""
    if settings.database:
        return psycopg.connect(settings.database, autocommit=True)
    return sqlite_file.connect(settings.sqlite_file)


class RawConnection:
    """Runs SQL unchanged; parameters are written `:name` for both engines."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.dialect = dialect_of(settings)
        self.connection = connect(settings)

    def rows(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        found: list[tuple[Any, ...]] = self._execute(sql, parameters).fetchall()
        return found

    def one(self, sql: str, **parameters: object) -> Any:
        """The first column of the only row."""
        (row,) = self.rows(sql, **parameters)
        return row[0]

    def run(self, sql: str, **parameters: object) -> int:
        """Runs a statement; returns the number of rows that it changed."""
        count: int = self._execute(sql, parameters).rowcount
        return count

    def _execute(self, sql: str, parameters: dict[str, object]) -> Any:
        if not parameters:
            return self.connection.execute(sql)
        if self.dialect == "postgresql":
            sql = re.sub(r"(?<!:):(\w+)", r"%(\1)s", sql)
        return self.connection.execute(sql, parameters)

    @contextlib.contextmanager
    def undone(self) -> Iterator[SystemTransaction]:
        """A transaction of ours on this very connection, which is always rolled back.

        The time limit of a test may interrupt psycopg in the middle of a statement, and psycopg cancels that statement
        only for Ctrl-C. Such a connection refuses even ROLLBACK, so it is replaced; the server ends its transaction.
        """
        self.connection.execute("BEGIN")
        try:
            yield SystemTransaction(self.connection, self.dialect, 0, IdGenerator(), at=0)
        finally:
            if self._is_interrupted():
                self.connection.close()
                self.connection = connect(self._settings)
            else:
                self.connection.execute("ROLLBACK")

    def _is_interrupted(self) -> bool:
        """Whether the connection still waits for the result of a statement."""
        return (
            self.dialect == "postgresql"
            and self.connection.info.transaction_status == psycopg.pq.TransactionStatus.ACTIVE
        )

    def close(self) -> None:
        """Closes the connection."""
        self.connection.close()


@contextlib.contextmanager
def raw(settings: Settings) -> Iterator[RawConnection]:
    """A connection for the duration of a block."""
    with contextlib.closing(RawConnection(settings)) as opened:
        yield opened
