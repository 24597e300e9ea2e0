"""The file of an SQLite store: connections with the settings that this engine needs, and the online backup."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pysqlite3 import dbapi2

from bedesten.core import syscalls
from bedesten.store.transaction import StoreUnavailable

Connection = Any  # pysqlite3 ships no types

MIN_SQLITE_VERSION = (3, 51, 3)
"""Older SQLite versions can lose rows when the WAL is reset while another process reads."""

_PRAGMAS = (
    "PRAGMA busy_timeout = 10000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -32768",
    "PRAGMA wal_autocheckpoint = 2000",
)


def connect(path: Path) -> Connection:
    """Opens a connection in autocommit with this engine's settings; only the owner can read the file."""
    if dbapi2.sqlite_version_info < MIN_SQLITE_VERSION:
        raise RuntimeError(f"SQLite {dbapi2.sqlite_version} is too old; at least 3.51.3 is needed: upgrade pysqlite3")
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = dbapi2.connect(str(path), isolation_level=None, check_same_thread=False, cached_statements=512)
    for pragma in _PRAGMAS:
        connection.execute(pragma).fetchall()
    return connection


class SqliteFile:
    """The store's file. Checks that it is still the one that this process opened first.

    A file that was moved away or replaced still works in a process that has it open, but no other process sees the
    writes. The check costs a microsecond.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name = os.fsencode(path)
        self._known: tuple[int, int] | None = None

    def check(self) -> None:
        """Raises `StoreUnavailable` if the file is missing or was replaced."""
        try:
            here = syscalls.identity(self._name)
        except OSError as error:
            raise StoreUnavailable(f"there is no store at {self.path}") from error
        if self._known is None:
            self._known = here
        elif self._known != here:
            raise StoreUnavailable(f"another file has taken the place of {self.path}: start the server again")

    def open(self) -> Connection:
        """Opens a connection to an existing store. Never creates a missing file, which would be an empty store."""
        self.check()
        try:
            return connect(self.path)
        except dbapi2.Error as error:
            raise StoreUnavailable(f"the store cannot be opened: {error}") from error


def backup(source: Path, target: Path, progress: Callable[[int], None] | None = None) -> None:
    """A consistent copy of a running store, made by SQLite's own online backup."""
    from_, to = connect(source), connect(target)
    try:
        from_.backup(to, progress=(lambda _status, remaining, _total: progress(remaining)) if progress else None)
    finally:
        from_.close()
        to.close()
