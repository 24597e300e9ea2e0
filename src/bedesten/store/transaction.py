"""The transaction that an action receives: bound to one tenant, or, as a `SystemTransaction`, to none."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar, cast

from msgspec import Struct

from bedesten.core.revision import new_nonce
from bedesten.store.revision_log import ADVANCE, APPEND, INSERT_COUNTER
from bedesten.store.sql import CrossTenantStatement, DialectName, Statement, batch, guarded_batch

Row = TypeVar("Row")

MAX_BATCH_STEPS: Final = 12
"""Most steps that a server gets as one statement: an order of one line fits."""


MAX_LAST_STEPS: Final = 40
"""Most of an action's last steps that a server gets as one statement: an order of nine lines fits."""


class Cursor(Protocol):
    """The part of a DB-API cursor that is used here."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> tuple[Any, ...] | None: ...
    def fetchall(self) -> list[tuple[Any, ...]]: ...


class Connection(Protocol):
    """The part of a driver's connection that is used here; pysqlite3 and psycopg both have it."""

    def execute(self, sql: Any, parameters: Any = ..., /) -> Any: ...


class IdSource(Protocol):
    """Generates ids (`core.ids`)."""

    def new(self, prefix: str, /) -> str: ...


class BatchConnection(Connection, Protocol):
    """A connection to a server that sends many statements in one round trip."""

    wakes_worker: bool

    def executemany(self, sql: str, rows: Sequence[dict[str, Any]], /) -> int: ...
    def fetch_each(self, queries: Sequence[tuple[str, dict[str, Any]]], /) -> list[list[tuple[Any, ...]]]: ...
    def defer(self, changes: Any, /) -> None: ...
    def flush(self) -> None: ...


class StoreUnavailable(Exception):
    """The store is unreachable, full, or lost the transaction. Nothing was committed, but see `OutcomeUnknown`."""


class OutcomeUnknown(StoreUnavailable):
    """The store was lost, or was silent, at COMMIT: the action was committed as a whole, or not at all."""


class NotWritable(StoreUnavailable):
    """The store takes no writes at present. The text may be shown to every caller."""


class RetryTransaction(Exception):
    """Raised by an action that lost a race: its transaction is rolled back and it runs again."""


_defect = partial(AssertionError, "a row that had to change did not")


class Step(Struct, frozen=True):
    """A statement without result rows, its parameters, and how many rows it must change; otherwise `error` is raised.

    `sums` names parameters that may be added up over steps whose other parameters are equal: one step with the sums has
    the effect of all of them, and fails if one of them would fail after the others.
    """

    statement: Statement[Any]
    parameters: dict[str, Any]
    rows: int = 1
    error: Callable[[], Exception] = _defect
    sums: tuple[str, ...] = ()


class Changes(Struct, frozen=True):
    """Steps that are sent together with COMMIT, as one guarded statement (`sql.guarded_batch`).

    `joins`: they may share a transaction with the changes of other actions of the tenant (`store.group_commit`).
    """

    tenant: str
    steps: Sequence[Step]
    joins: bool = False

    @property
    def text(self) -> str:
        """The statement, which also needs the parameter `part`."""
        return guarded_batch(tuple(step.statement for step in self.steps))

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the statement by their names."""
        parameters: dict[str, Any] = {"tenant": self.tenant}
        for at, step in enumerate(self.steps):
            parameters.update((f"{at}_{name}", value) for name, value in step.parameters.items())
            parameters[f"{at}__rows"] = step.rows
        return parameters

    def raise_for(self, counts: Sequence[int]) -> None:
        """Raises the error of the step that changed a wrong number of rows."""
        for step, changed in zip(self.steps, counts, strict=True):
            _check_count(step, changed)


class Query(Struct, Generic[Row], frozen=True):
    """A statement that reads, and its parameters."""

    statement: Statement[Row]
    parameters: dict[str, Any]


class _StatementRunner:
    """Runs compiled statements on a driver's connection."""

    __slots__ = ("_connection", "_dialect", "_ids", "at", "attempt", "connection_id", "now", "request_id")

    def __init__(
        self, connection: Connection, dialect: DialectName, now: int, ids: IdSource, *, at: int | None
    ) -> None:
        self._connection = connection
        self._ids = ids
        self._dialect: DialectName = dialect
        self.now = now
        self.at = at
        self.attempt = 1
        """Number of this attempt, from 1. From the second on, the action expects contention."""
        self.connection_id = 0
        """A number of the connection. Connections with different numbers update different counter rows."""
        self.request_id: str | None = None
        """Id of the request that it serves, None outside of a request."""

    def new_id(self, prefix: str) -> str:
        """Returns a fresh id such as `ord_01jd…`, from the generator of the store."""
        return self._ids.new(prefix)

    def wake_worker(self) -> None:
        """Wakes the workers after COMMIT, on PostgreSQL only. On both engines they poll as well."""
        if self._dialect == "postgresql":
            cast(BatchConnection, self._connection).wakes_worker = True

    def _execute(self, statement: Statement[Any], parameters: dict[str, Any]) -> Any:
        if self._dialect == "sqlite":
            text, values = statement.numbered
            return self._connection.execute(text, values(parameters))
        return self._connection.execute(statement.compiled(self._dialect), parameters)

    def _execute_each(self, statement: Statement[Any], rows: Sequence[dict[str, Any]]) -> int:
        """Runs a statement for each set of parameters, without a round trip each; returns how many rows it changed."""
        if self._dialect == "postgresql" and rows:
            return cast(BatchConnection, self._connection).executemany(statement.compiled(self._dialect), rows)
        counts: Iterable[int] = (self._execute(statement, row).rowcount for row in rows)
        return sum(counts)


class Transaction(_StatementRunner):
    """One transaction that sees one tenant. `now` is the moment at which it began, in epoch milliseconds, by this
    machine's clock; `at` is the parameter of statements that hold `store.database_clock.DATABASE_NOW`.

    Expected conflicts are handled by conditional statements (`ON CONFLICT DO NOTHING`, `UPDATE … WHERE`) whose row
    count is checked; a violated constraint is a defect and rolls back the whole action.
    """

    __slots__ = ("tenant",)

    def __init__(
        self, connection: Connection, dialect: DialectName, now: int, ids: IdSource, tenant: str, *, at: int | None
    ) -> None:
        super().__init__(connection, dialect, now, ids, at=at)
        self.tenant = tenant

    def one(self, statement: Statement[Row], **parameters: Any) -> Row | None:
        """The first row, or None."""
        parameters["tenant"] = self.tenant
        row = self._execute(statement, parameters).fetchone()
        return None if row is None else statement.make_row(*row)

    def all(self, statement: Statement[Row], **parameters: Any) -> list[Row]:
        """Every row."""
        parameters["tenant"] = self.tenant
        make_row = statement.make_row
        return [make_row(*row) for row in self._execute(statement, parameters).fetchall()]

    def run(self, statement: Statement[Any], **parameters: Any) -> int:
        """Runs a statement without result rows; returns how many rows it changed."""
        parameters["tenant"] = self.tenant
        count: int = self._execute(statement, parameters).rowcount
        return count

    def run_step(self, step: Step) -> None:
        """Runs one step; raises its error if it changed a wrong number of rows."""
        _check_count(step, self._execute(step.statement, {**step.parameters, "tenant": self.tenant}).rowcount)

    def one_each(self, statement: Statement[Row], rows: Sequence[dict[str, Any]]) -> list[Row | None]:
        """`one` for each set of parameters, in their order; a server gets them all in one round trip."""
        found = self.all_each([Query(statement, row) for row in rows])
        return [next(iter(one), None) for one in found]

    def all_each(self, queries: Sequence[Query[Any]]) -> list[list[Any]]:
        """`all` for each query, in their order; a server gets them all in one round trip."""
        bound = [{**one.parameters, "tenant": self.tenant} for one in queries]
        if self._dialect == "postgresql":
            texts = [one.statement.compiled(self._dialect) for one in queries]
            found = cast(BatchConnection, self._connection).fetch_each(list(zip(texts, bound, strict=True)))
        else:
            found = [self._execute(one.statement, row).fetchall() for one, row in zip(queries, bound, strict=True)]
        return [[one.statement.make_row(*row) for row in rows] for one, rows in zip(queries, found, strict=True)]

    def run_each(self, statement: Statement[Any], rows: Iterable[dict[str, Any]]) -> int:
        """Runs a statement once for each set of parameters; returns how many rows changed in all."""
        return self._execute_each(statement, [{**row, "tenant": self.tenant} for row in rows])

    def run_all(self, steps: Sequence[Step]) -> None:
        """Runs steps that neither need nor see each other's changes.

        A server gets them together, up to `MAX_BATCH_STEPS` at a time: others wait for the rows that a transaction has
        locked, and round trips would make up most of that wait.
        """
        if self._dialect == "sqlite":
            for step in steps:
                self.run_step(step)
            return
        for start in range(0, len(steps), MAX_BATCH_STEPS):
            part = steps[start : start + MAX_BATCH_STEPS]
            for step, changed in zip(part, self._run_batch(part), strict=True):
                _check_count(step, changed)

    def run_last(self, *batches: Sequence[Step], joins: bool = False) -> None:
        """Runs batches of steps, one after another, as the last changes of the action: a server gets them with COMMIT.

        The steps of a batch neither need nor see each other's changes. The step with the most contended row comes last.
        A wrong count raises after the action has returned, or at its next statement, or in `run_pending`. With `joins`
        a server may commit the steps together with those of other actions of the tenant that differ only in their
        values. Then the first values of a step must name the row that it changes, and rows of one statement must be
        locked in the order of those values: see `store.joint_changes`.
        """
        if self._dialect == "sqlite":
            for steps in batches:
                self.run_all(steps)
            return
        for steps in batches:
            for start in range(0, len(steps), MAX_LAST_STEPS):
                changes = Changes(self.tenant, steps[start : start + MAX_LAST_STEPS], joins)
                cast(BatchConnection, self._connection).defer(changes)

    def run_pending(self) -> None:
        """Runs the steps that `run_last` left for COMMIT, and raises their errors."""
        if self._dialect == "postgresql":
            cast(BatchConnection, self._connection).flush()

    def _run_batch(self, steps: Sequence[Step]) -> tuple[int, ...]:
        parameters: dict[str, Any] = {"tenant": self.tenant}
        for at, step in enumerate(steps):
            parameters.update((f"{at}_{name}", value) for name, value in step.parameters.items())
        counts: tuple[int, ...] = self._connection.execute(
            batch(tuple(step.statement for step in steps)), parameters
        ).fetchone()
        return counts

    def advance_revision(self, kind: str, ref: str) -> None:
        """Advances the revision: this transaction grants or revokes a right. See `store.revision_log` for the kinds."""
        advance_revision(self._connection, self._dialect, kind, ref)


def _check_count(step: Step, changed: int) -> None:
    if changed != step.rows:
        raise step.error()


class SystemTransaction(_StatementRunner):
    """One transaction over all tenants: for the operator, the worker and the gate's look-ups.

    `bound` narrows it to one tenant; statements that are bound to a tenant run only there.
    """

    __slots__ = ()

    @property
    def ids(self) -> IdSource:
        """The generator of ids."""
        return self._ids

    def observed(self, wrap: Callable[[Connection], Connection], ids: IdSource) -> "SystemTransaction":
        """Returns the same transaction on a wrapped connection: the one that `wrap` returns."""
        made = SystemTransaction(wrap(self._connection), self._dialect, self.now, ids, at=self.at)
        made.attempt, made.connection_id, made.request_id = self.attempt, self.connection_id, self.request_id
        return made

    def for_tenant(self, tenant: str) -> Transaction:
        """The same transaction, seen by one tenant."""
        bound = Transaction(self._connection, self._dialect, self.now, self._ids, tenant, at=self.at)
        bound.attempt, bound.connection_id, bound.request_id = self.attempt, self.connection_id, self.request_id
        return bound

    def one(self, statement: CrossTenantStatement[Row], **parameters: Any) -> Row | None:
        """The first row, or None."""
        row = self._execute(statement, parameters).fetchone()
        return None if row is None else statement.make_row(*row)

    def all(self, statement: CrossTenantStatement[Row], **parameters: Any) -> list[Row]:
        """Every row."""
        return [statement.make_row(*row) for row in self._execute(statement, parameters).fetchall()]

    def run(self, statement: CrossTenantStatement[Any], **parameters: Any) -> int:
        """Runs a statement without result rows; returns how many rows it changed."""
        count: int = self._execute(statement, parameters).rowcount
        return count

    def text(self, sql: str) -> tuple[Any, ...]:
        """The first row of engine-specific SQL, or an empty tuple. Not for actions."""
        cursor = self._connection.execute(sql)
        row: tuple[Any, ...] = cursor.fetchone() if cursor.description else ()
        return row

    def run_each(self, statement: CrossTenantStatement[Any], rows: Iterable[dict[str, Any]]) -> int:
        """Runs a statement once for each set of parameters; returns how many rows changed in all."""
        return self._execute_each(statement, list(rows))

    def advance_revision(self, kind: str, ref: str) -> None:
        """Advances the revision: this transaction grants or revokes a right."""
        advance_revision(self._connection, self._dialect, kind, ref)


def insert_revision(tx: SystemTransaction) -> None:
    """Inserts the counter's row and its row in the list of changes, unless they exist."""
    nonce = new_nonce()
    if tx.run(INSERT_COUNTER, id=1, counter=0, nonce=nonce):
        tx.run(APPEND, seq=0, nonce=nonce, kind="installation", ref="")


def advance_revision(connection: Connection, dialect: DialectName, kind: str, ref: str) -> None:
    """Advances the revision and appends the change to the list of changes.

    The counter's row stays locked until COMMIT, so on every engine changes become visible in the order of their
    numbers and without gaps.
    """
    nonce = new_nonce()
    seq = connection.execute(ADVANCE.compiled(dialect), {"nonce": nonce}).fetchone()[0]
    connection.execute(APPEND.compiled(dialect), {"seq": seq, "nonce": nonce, "kind": kind, "ref": ref})
