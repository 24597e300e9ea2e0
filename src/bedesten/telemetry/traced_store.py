"""A store whose transactions and statements are spans of the request that they serve.

Work outside a recorded request goes straight to the store. The name of a statement's span is its verbs and tables; its
text and the values of its parameters are not recorded.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from bedesten.core.revision import Revision
from bedesten.store.store import Store, Work
from bedesten.store.transaction import Changes, IdSource, StoreUnavailable, SystemTransaction, Transaction
from bedesten.telemetry.tracing import Tracing

Result = TypeVar("Result")
Args = ParamSpec("Args")

LINKED = frozenset({"ord", "odl", "evt", "pay", "dep"})
"""Prefixes of the new ids that a span records. Spans of webhooks have the request id; spans of purchases the line's."""
MAX_LINKED = 16
MAX_SUMMARY = 255
_CHANGE = re.compile(r"\b(INSERT INTO|(?<!FOR )(?<!DO )UPDATE|DELETE FROM) (\w+)")
_SOURCE = re.compile(r"\bFROM (\w+)")


class TracedStore(Store):
    """A store that records spans; otherwise the same as the store that it wraps."""

    def __init__(self, store: Store, tracing: Tracing) -> None:
        self._store, self._tracing = store, tracing
        self.dialect, self.ids, self.stats = store.dialect, store.ids, store.stats
        self._system: dict[str, str] = {"db.system.name": store.dialect}

    @property
    def observe(self) -> Callable[[str, float], None]:
        """The observer of the wrapped store."""
        return self._store.observe

    @observe.setter
    def observe(self, observer: Callable[[str, float], None]) -> None:
        self._store.observe = observer

    def load(self) -> Iterable[tuple[str, int, int]]:
        return self._store.load()

    async def read(
        self,
        tenant: str,
        action: Callable[Concatenate[Transaction, Args], Result],
        *args: Args.args,
        **kwargs: Args.kwargs,
    ) -> Result:
        work = partial(_bound, tenant, action, *args, **kwargs)
        return await self._traced("read", self._store.read_across, work, tenant, action)

    async def write(
        self,
        tenant: str,
        action: Callable[Concatenate[Transaction, Args], Result],
        *args: Args.args,
        **kwargs: Args.kwargs,
    ) -> Result:
        work = partial(_bound, tenant, action, *args, **kwargs)
        return await self._traced("write", self._store.write_across, work, tenant, action)

    async def read_across(self, work: Work[Result], tenant: str = "") -> Result:
        return await self._traced("read", self._store.read_across, work, tenant, work)

    async def write_across(self, work: Work[Result], tenant: str = "") -> Result:
        return await self._traced("write", self._store.write_across, work, tenant, work)

    def read_now(self, work: Work[Result]) -> Result:
        return self._store.read_now(work)

    def write_now(self, work: Work[Result]) -> Result:
        return self._store.write_now(work)

    def listen(self, on_wake: Callable[[], None]) -> Callable[[], None]:
        return self._store.listen(on_wake)

    async def counter(self) -> Revision:
        return await self._store.counter()

    def counter_now(self) -> Revision | None:
        return self._store.counter_now()

    def check_writable(self) -> None:
        self._store.check_writable()

    def check_room(self) -> None:
        self._store.check_room()

    def close(self) -> None:
        self._store.close()

    async def _traced(
        self, kind: str, run: Callable[..., Any], work: Work[Result], tenant: str, action: Callable[..., object]
    ) -> Result:
        parent = self._tracing.current()
        if parent is None:
            unobserved: Result = await run(work, tenant)
            return unobserved
        attributes = {**self._system, "db.operation.name": kind} | ({"bedesten.tenant.id": tenant} if tenant else {})
        span = self._tracing.start_child(f"{kind} {name_of(action)}", parent, attributes)
        spans = _ActionSpans(self._tracing, span, self._system, commits=kind == "write")
        try:
            result: Result = await run(partial(spans.run, work), tenant)
            return result
        except StoreUnavailable as problem:
            self._tracing.failed(span, type(problem).__name__)
            raise
        finally:
            spans.end()


class _ActionSpans:
    """Records the spans of one action, in the thread in which it runs."""

    def __init__(self, tracing: Tracing, span: Any, attributes: dict[str, str], *, commits: bool) -> None:
        self._tracing, self._span, self._attributes, self._commits = tracing, span, attributes, commits
        self._commit: Any = None

    def run(self, work: Work[Result], tx: SystemTransaction) -> Result:
        """Runs the action. The time from the end of a write to the store's answer is the span of COMMIT."""
        self._end_commit()
        ids = _Ids(tx.ids)
        result = work(tx.observed(lambda connection: _Connection(connection, self), ids))
        if ids.linked:
            self._span.set_attribute("bedesten.ids", ids.linked)
        if self._commits:
            self._commit = self._start("COMMIT")
        return result

    def end(self) -> None:
        """Ends the spans."""
        self._end_commit()
        self._span.end()

    @contextmanager
    def statement(self, sql: str) -> Iterator[None]:
        """Records the span of one statement."""
        span = self._start(summary(sql))
        try:
            yield
        except BaseException as problem:
            self._tracing.failed(span, type(problem).__name__)
            raise
        finally:
            span.end()

    def event(self, name: str) -> None:
        """Records an event in the action's span."""
        self._span.add_event(name)

    def _start(self, name: str) -> Any:
        return self._tracing.start_child(name, self._span, self._attributes)

    def _end_commit(self) -> None:
        commit, self._commit = self._commit, None
        if commit is not None:
            commit.end()


class _Ids:
    """An id generator that remembers the new ids with a prefix in `LINKED`."""

    def __init__(self, ids: IdSource) -> None:
        self._ids = ids
        self.linked: list[str] = []

    def new(self, prefix: str) -> str:
        """Returns a new id."""
        made = self._ids.new(prefix)
        if prefix in LINKED and len(self.linked) < MAX_LINKED:
            self.linked.append(made)
        return made


class _Connection:
    """A driver's connection whose statements are spans."""

    def __init__(self, connection: Any, observer: _ActionSpans) -> None:
        self._connection, self._observer = connection, observer

    @property
    def wakes_worker(self) -> bool:
        """Whether a worker is woken after COMMIT."""
        return bool(self._connection.wakes_worker)

    @wakes_worker.setter
    def wakes_worker(self, wakes: bool) -> None:
        self._connection.wakes_worker = wakes

    def execute(self, sql: str, parameters: dict[str, Any] | None = None, /) -> Any:
        """Runs one statement."""
        with self._observer.statement(sql):
            return self._connection.execute(sql) if parameters is None else self._connection.execute(sql, parameters)

    def executemany(self, sql: str, rows: Sequence[dict[str, Any]], /) -> int:
        """Runs one statement with each set of parameters."""
        with self._observer.statement(sql):
            changed: int = self._connection.executemany(sql, rows)
            return changed

    def fetch_each(self, queries: Sequence[tuple[str, dict[str, Any]]], /) -> list[list[tuple[Any, ...]]]:
        """Returns the rows of several queries, in one round trip."""
        with self._observer.statement(" ".join(sql for sql, _ in queries)):
            found: list[list[tuple[Any, ...]]] = self._connection.fetch_each(queries)
            return found

    def defer(self, changes: Changes, /) -> None:
        """Defers changes to the next statement or to COMMIT."""
        self._observer.event(f"deferred: {summary(changes.text)}")
        self._connection.defer(changes)

    def flush(self) -> None:
        """Runs the deferred changes."""
        self._connection.flush()


@lru_cache(4096)
def summary(sql: str) -> str:
    """Summarises a statement as verbs and tables: `SELECT orders`, `INSERT orders UPDATE stock_counters`."""
    parts = [f"{verb.split()[0]} {table}" for verb, table in _CHANGE.findall(sql)]
    parts = parts or [f"SELECT {table}" for table in _SOURCE.findall(sql)]
    return " ".join(dict.fromkeys(parts))[:MAX_SUMMARY] or sql.split(None, 1)[0][:16]


def name_of(action: Callable[..., object]) -> str:
    """The name of an action's function; for a closure or lambda, that of the function that made it."""
    while isinstance(action, partial):
        action = action.func
    name: str = getattr(action, "__qualname__", type(action).__qualname__)
    return name.split(".<locals>")[0].rpartition(".")[2] or name


def _bound(
    tenant: str,
    action: Callable[..., Result],
    /,
    *args: Any,
    **kwargs: Any,
) -> Result:
    *first, tx = args
    return action(tx.for_tenant(tenant), *first, **kwargs)
