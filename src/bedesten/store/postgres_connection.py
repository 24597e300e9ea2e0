"""A connection to PostgreSQL as actions see it: it delays BEGIN, pipelines statements, and tells its job when it waits
for the server.

A writing action reads without a transaction until its first change: at READ COMMITTED each statement sees what is
committed when it begins, inside a transaction or outside. BEGIN is sent with the first statement that needs it, and the
last changes are sent with COMMIT. A single statement is its own transaction.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import psycopg
from psycopg import errors as pg

from bedesten.store.joint_changes import joined
from bedesten.store.sql import COUNTS_MARK
from bedesten.store.transaction import Changes, StoreUnavailable

Connection = psycopg.Connection[tuple[object, ...]]
Cursor = psycopg.RawCursor[tuple[Any, ...]]
BEGIN_PLAIN = ("BEGIN",)


class Waiter(Protocol):
    """Measures how long the server takes to answer."""

    def wait_started(self) -> None: ...
    def wait_ended(self) -> None: ...


class NumberedText(NamedTuple):
    """A statement with `$1`, `$2` in place of names, and the names in that order.

    `reads` means that it neither changes nor locks anything.
    """

    sql: bytes
    names: tuple[str, ...]
    reads: bool


_NAME = re.compile(r"%\((\w+)\)s")
_DOES_MORE = re.compile(r"\bFOR (UPDATE|SHARE|NO KEY|KEY)\b|\bpg_|\bset_config\b|\bnextval\b")


@lru_cache(4096)
def numbered(text: str) -> NumberedText:
    """Returns the text with numbered parameters. Cached, since the driver would parse a long statement each time."""
    names: dict[str, int] = {}
    sql = _NAME.sub(lambda found: f"${names.setdefault(found[1], len(names) + 1)}", text)
    reads = text.startswith("SELECT") and not _DOES_MORE.search(text)
    return NumberedText(sql.encode(), tuple(names), reads)


class PostgresConnection:
    """The connection of one transaction."""

    __slots__ = ("_begin", "_connection", "_pending", "_reads_outside", "_waiter", "answered", "opened", "wakes_worker")

    def __init__(
        self, connection: Connection, waiter: Waiter, begin: Sequence[str] = BEGIN_PLAIN, *, reads_outside: bool = False
    ) -> None:
        """`begin` starts a transaction. With `reads_outside`, reads before the first change run outside of one."""
        self._connection = connection
        self._waiter = waiter
        self._begin = begin
        self._reads_outside = reads_outside
        self._pending: list[Changes] = []
        self.opened = False
        """Whether a transaction is open on the server."""
        self.answered = False
        """Whether the server has answered anything."""
        self.wakes_worker = False

    def execute(self, sql: str, parameters: dict[str, Any] | None = None, /) -> Any:
        """Runs one statement."""
        self.flush()
        text = numbered(sql)
        if self.opened or (self._reads_outside and text.reads):
            return self._sent([(text, parameters)])[0]
        return self._sent([*self._opening(), (text, parameters)])[-1]

    def executemany(self, sql: str, rows: Sequence[dict[str, Any]], /) -> int:
        """Runs one statement with each set of parameters, pipelined; returns how many rows changed."""
        self.flush()
        if not self.opened:
            self._sent(self._opening())
        text = numbered(sql)
        self._waiter.wait_started()
        try:
            with psycopg.RawCursor(self._connection) as cursor:
                cursor.executemany(text.sql, [[row[name] for name in text.names] for row in rows])
                return cursor.rowcount
        finally:
            self._waiter.wait_ended()

    def fetch_each(self, queries: Sequence[tuple[str, dict[str, Any]]], /) -> list[list[tuple[Any, ...]]]:
        """Returns the rows of several queries, in one round trip."""
        self.flush()
        texts = [(numbered(sql), parameters) for sql, parameters in queries]
        outside = self._reads_outside and all(text.reads for text, _ in texts)
        before = [] if self.opened or outside else self._opening()
        return [cursor.fetchall() for cursor in self._sent([*before, *texts])[len(before) :]]

    def defer(self, changes: Changes) -> None:
        """Keeps the changes, to run them with the next statement or with COMMIT."""
        self._pending.append(changes)

    def flush(self) -> None:
        """Runs the deferred changes. Raises what `raise_for` does."""
        if self._pending:
            before = [] if self.opened else self._opening()
            self._run_pending(before, [])

    def commit(self) -> None:
        """Runs the deferred changes and commits, in one round trip."""
        alone = len(self._pending) == 1 and not self.opened and self._begin is BEGIN_PLAIN
        if alone:
            self._run_pending([], [])
        elif self._pending or self.opened:
            before = [] if self.opened else self._opening()
            done = self._run_pending(before, [(_COMMIT, None)])[-1]
            self.opened = False
            if done.statusmessage != "COMMIT":
                # the action swallowed an error that had aborted the transaction, so COMMIT rolled it back
                raise StoreUnavailable("the transaction ended under an action")

    @property
    def joint_changes(self) -> Changes | None:
        """The deferred changes, if they may be committed together with those of other actions."""
        if self.opened or len(self._pending) != 1 or self._begin is not BEGIN_PLAIN or not self._pending[0].joins:
            return None
        return self._pending[0]

    def commit_joint(self, changes: Sequence[Changes]) -> None:
        """Commits the changes of several actions of one shape in one round trip; see `joint_changes.joined`.

        Raises `psycopg.Error`: then the caller rolls back; changes that are deferred here stay deferred.
        """
        begin = [(numbered(sql), None) for sql in self._begin]
        self._sent([*begin, *((numbered(text), values) for text, values in joined(changes)), (_COMMIT, None)])

    def _opening(self) -> list[tuple[NumberedText, None]]:
        self.opened = True
        return [(numbered(sql), None) for sql in self._begin]

    def _run_pending(
        self, before: list[tuple[NumberedText, None]], after: list[tuple[NumberedText, None]]
    ) -> list[Cursor]:
        pending, self._pending = self._pending, []
        changes = [(numbered(one.text), {**one.parameters, "part": part}) for part, one in enumerate(pending)]
        sent = [*before, *changes, *after]
        try:
            return self._sent(sent)
        except pg.InvalidTextRepresentation as error:
            found = _COUNTS.search(str(error))
            if found is None:
                raise
            part, *counts = (int(one) for one in found[1].split(","))
            pending[part].raise_for(counts)
            raise AssertionError("the guard of a batch refuses wrong counts only") from error

    def _sent(self, statements: Sequence[tuple[NumberedText, dict[str, Any] | None]]) -> list[Cursor]:
        """Runs statements in one round trip; a single one needs no pipeline.

        The server skips what follows a failed statement. The driver counts it as prepared until the caller rolls back.
        """
        self._waiter.wait_started()
        try:
            if len(statements) == 1:
                cursors = [self._started(*statements[0])]
            else:
                with self._connection.pipeline():
                    cursors = [self._started(*one) for one in statements]
        finally:
            self._waiter.wait_ended()
        self.answered = True
        return cursors

    def _started(self, text: NumberedText, parameters: dict[str, Any] | None) -> Cursor:
        cursor = psycopg.RawCursor(self._connection)
        if parameters is None:
            return cursor.execute(text.sql, prepare=None if text.reads else False)
        return cursor.execute(text.sql, [parameters[name] for name in text.names])


_COMMIT = numbered("COMMIT")
_COUNTS = re.compile(re.escape(COUNTS_MARK) + r"([\d,]+)")
