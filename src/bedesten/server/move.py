"""Moves an installation's store from SQLite to PostgreSQL or back: every row, verified, all or nothing.

No server may run on the source, which is locked against writes while it is copied. One transaction writes every row to
the target, reads the rows back, and compares them with those read from the source before it commits. Then `check` runs
on the target. Only after that is the source marked, so that no process opens it again. Nothing else in the source
changes: until the mark, a failure at any point leaves an installation that works as before.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import psycopg
from pysqlite3 import dbapi2
from sqlalchemy import MetaData, Table

from bedesten.integrity.check import violations
from bedesten.server.data_directory_lock import AlreadyServing, DataDirectoryLock
from bedesten.server.database_url import DatabaseUrl
from bedesten.server.installation import open_installation
from bedesten.server.secret_cache import SecretCache
from bedesten.server.settings import Settings
from bedesten.store import migrate
from bedesten.store.raw_copy import CHUNK_ROWS, InUse, PostgresEnd, Row, SqliteEnd

End = SqliteEnd | PostgresEnd
Progress = Callable[[int], object]
"""Called with the number of rows handled since the last call. Each row is handled twice: copied, then compared."""


class MoveError(Exception):
    """The store cannot be moved. The text gives the reason; nothing was changed."""


@dataclass(frozen=True, slots=True)
class MoveResult:
    """How much was copied, and the violations that `check` found in the copy: with any, the source is not marked."""

    tables: int
    rows: int
    violations: list[str]


class Move:
    """One prepared move: the source is locked, and the target has empty tables. A context manager."""

    def __init__(self, source: Settings, target: Settings) -> None:
        """Raises `MoveError`, `StoreUnavailable`."""
        self._source, self._target = source, target
        self._secrets = SecretCache.inherited()
        self._stack = ExitStack()
        self._stack.callback(self._remove_unfinished)
        self._finished = False
        try:
            self._prepare_target()
            self._tables = self._reflected()
            self._old = self._stack.enter_context(closing(self._locked_source()))
            self.rows = sum(self._old.count(table.name) for table in self._tables)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> "Move":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, shown: str, progress: Progress) -> MoveResult:
        """Copies, compares, checks, and marks the source with `shown`, which names the target without a password.

        Raises `MoveError` if the copy differs or cannot be written: then the target has no rows.
        """
        try:
            with closing(self._end(self._target)) as new:
                self._copy(new, progress)
                new.complete()
        except (psycopg.Error, dbapi2.Error, ValueError) as problem:
            raise MoveError(f"the target cannot be written: {str(problem).splitlines()[0]}") from problem
        self._finished = True
        found = self._checked()
        if not found:
            self._old.mark(shown)
        return MoveResult(len(self._tables), self.rows, found)

    def _prepare_target(self) -> None:
        """Makes the target's tables. Raises `MoveError` if it has rows, or is of another version."""
        settings = self._target
        if not settings.database:
            settings.sqlite_file.touch(mode=0o600)
        place = self._place(settings)
        found = migrate.current(place)
        if found is None:
            migrate.upgrade(place)
        elif found != migrate.HEAD:
            raise MoveError(f"the target has tables of version {found}, this program needs {migrate.HEAD}")
        with closing(self._end(settings)) as end:
            if end.count("installation"):
                raise MoveError("the target is an installation already: give an empty one")

    def _remove_unfinished(self) -> None:
        """Removes the new SQLite file, unless the copy was completed."""
        if not self._target.database and not self._finished:
            for ending in ("", "-wal", "-shm"):
                Path(f"{self._target.sqlite_file}{ending}").unlink(missing_ok=True)

    def _locked_source(self) -> End:
        """Opens the source and locks it against writes. Raises `MoveError`."""
        settings = self._source
        found = migrate.current(self._place(settings))
        if found != migrate.HEAD:
            raise MoveError(f"the store has version {found}, this program moves {migrate.HEAD}")
        try:
            if settings.database:
                return PostgresEnd(self._address(settings), [table.name for table in self._tables])
            lock = DataDirectoryLock(settings.lock_file)
            lock.acquire()
            self._stack.callback(lock.release)
            return SqliteEnd(settings.sqlite_file)
        except (AlreadyServing, InUse) as problem:
            raise MoveError(str(problem)) from problem

    def _copy(self, new: End, progress: Progress) -> None:
        new.empty([table.name for table in reversed(self._tables)])
        digests = [_Digest() for _ in self._tables]
        for table, digest in zip(self._tables, digests, strict=True):
            columns = table.columns.keys()
            new.fill(table.name, columns, _followed(self._old.rows(table.name, columns), digest, progress))
        for table, written in zip(self._tables, digests, strict=True):
            read = _Digest()
            for _ in _followed(new.rows(table.name, table.columns.keys()), read, progress):
                pass
            if read != written:
                raise MoveError(f"the copy of the table {table.name} differs from the original")

    def _checked(self) -> list[str]:
        """Returns the violations in the copy."""
        elsewhere = self._target.elsewhere_file
        if not self._target.database:
            elsewhere.unlink(missing_ok=True)
        installation = open_installation(self._target, secret_cache=self._secrets)
        try:
            found = violations(installation)
        finally:
            installation.store.close()
        if found and not self._source.database:
            elsewhere.unlink(missing_ok=True)  # opening the target created it; the source stays in use
        elif found:
            elsewhere.touch(mode=0o600)
        return found

    def _reflected(self) -> list[Table]:
        """The tables, each after those that it references."""
        engine = migrate.engine(self._place(self._target))
        try:
            metadata = MetaData()
            metadata.reflect(engine)
        finally:
            engine.dispose()
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # tables with circular references would have no order
            return [table for table in metadata.sorted_tables if table.name != "alembic_version"]

    def _end(self, settings: Settings) -> End:
        return PostgresEnd(self._address(settings)) if settings.database else SqliteEnd(settings.sqlite_file)

    def _place(self, settings: Settings) -> str | Path:
        return self._address(settings) if settings.database else settings.sqlite_file

    def _address(self, settings: Settings) -> str:
        return DatabaseUrl(settings, self._secrets).read()


@dataclass(slots=True)
class _Digest:
    """The number of rows and the sum of their hashes, which do not depend on their order."""

    rows: int = 0
    total: int = 0

    def add(self, row: Row) -> None:
        self.rows += 1
        self.total += int.from_bytes(blake2b(repr(tuple(row)).encode(), digest_size=16).digest())


def _followed(rows: Iterable[Row], digest: _Digest, progress: Progress) -> Iterator[Row]:
    for row in rows:
        digest.add(row)
        yield row
        if digest.rows % CHUNK_ROWS == 0:
            progress(CHUNK_ROWS)
    progress(digest.rows % CHUNK_ROWS)
