"""The interface of both engines."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Concatenate, ParamSpec, TypeVar

from bedesten.core.ids import IdGenerator
from bedesten.core.revision import Revision
from bedesten.store.sql import DialectName
from bedesten.store.transaction import SystemTransaction, Transaction

Result = TypeVar("Result")
Args = ParamSpec("Args")

Work = Callable[[SystemTransaction], Result]

MAX_ATTEMPTS = 8
"""Attempts for an action that loses a race (`RetryTransaction`, a deadlock) before `StoreUnavailable` is raised."""


class StoreStats:
    """Counters of a store since it was opened: committed transactions, and the actions in them; actions that ran again
    after a lost race, or that waited for a locked row; opened connections; on PostgreSQL writes that failed on a full
    disk."""

    def __init__(self) -> None:
        self.transactions = 0
        self.actions = 0
        self.retries = 0
        self.lock_waits = 0
        self.connections = 0
        self.no_room = 0
        self._lock = threading.Lock()

    def count_no_room(self) -> None:
        """Counts one write that failed on a full disk."""
        with self._lock:
            self.no_room += 1

    def count_connection(self) -> None:
        """Counts one opened connection."""
        self.connections += 1

    def add(self, actions: int) -> None:
        """Counts one committed transaction and its actions."""
        with self._lock:
            self.transactions += 1
            self.actions += actions


def _unobserved(_kind: str, _seconds: float) -> None:
    """The default observer, which does nothing."""


def _ignore() -> None:
    """Ends nothing."""


class Store(ABC):
    """Runs actions in transactions. Safe to use from one event loop and any number of threads.

    Raises `StoreUnavailable` when the store does not answer. An exception of the action rolls back and propagates.
    `read` sees one consistent snapshot, at least as new as the call. `write` returns after COMMIT; the action may run
    more than once (a deadlock on PostgreSQL), so it must have no effect outside its transaction.
    """

    dialect: DialectName
    ids: IdGenerator
    stats: StoreStats
    observe: Callable[[str, float], None] = staticmethod(_unobserved)
    """Called on the event loop with the duration of a `read` or `write`, in seconds."""

    def load(self) -> Iterable[tuple[str, int, int]]:
        """For each kind of work: its name, the number of busy threads, and the number of waiting actions."""
        return ()

    @abstractmethod
    async def read_across(self, work: Work[Result], tenant: str = "") -> Result:
        """Runs a reading action over all tenants. `tenant` is the tenant whose turn it takes in a thread's queue."""

    @abstractmethod
    async def write_across(self, work: Work[Result], tenant: str = "") -> Result:
        """Runs a writing action over all tenants. `tenant` as above."""

    @abstractmethod
    def read_now(self, work: Work[Result]) -> Result:
        """`read_across` for callers without an event loop; blocks."""

    @abstractmethod
    def write_now(self, work: Work[Result]) -> Result:
        """`write_across` for callers without an event loop; blocks."""

    def listen(self, _on_wake: Callable[[], None]) -> Callable[[], None]:
        """Calls `_on_wake` in another thread when a process has work for a worker; returns a function that ends that.

        A message may be lost, and SQLite sends none: callers poll as well.
        """
        return _ignore

    @abstractmethod
    async def counter(self) -> Revision:
        """The current revision, read after this call began."""

    def counter_now(self) -> Revision | None:
        """The same without waiting, on an engine where that costs microseconds; otherwise None."""
        return None

    @abstractmethod
    def check_writable(self) -> None:
        """Raises `NotWritable` if the store takes no writes now. Blocks."""

    def check_room(self) -> None:  # noqa: B027
        """Raises `NotWritable` if no table can grow, on an engine whose `check_writable` cannot tell. Blocks."""

    @abstractmethod
    def close(self) -> None:
        """Finishes running work and closes every connection."""

    async def read(
        self,
        tenant: str,
        action: Callable[Concatenate[Transaction, Args], Result],
        *args: Args.args,
        **kwargs: Args.kwargs,
    ) -> Result:
        """Runs a reading action inside one tenant."""
        return await self.read_across(lambda tx: action(tx.for_tenant(tenant), *args, **kwargs), tenant)

    async def write(
        self,
        tenant: str,
        action: Callable[Concatenate[Transaction, Args], Result],
        *args: Args.args,
        **kwargs: Args.kwargs,
    ) -> Result:
        """Runs a writing action inside one tenant."""
        return await self.write_across(lambda tx: action(tx.for_tenant(tenant), *args, **kwargs), tenant)
