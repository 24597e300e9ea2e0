"""The leases of one worker. It renews them while it works, so they can be short and are soon taken over if it dies."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Generic, Protocol, TypeVar

from bedesten.server.rounds import errors_logged
from bedesten.store.store import Store
from bedesten.store.transaction import SystemTransaction

RENEW_INTERVAL_S = 2.0
"""Time between renewals: a third of the shortest lease, so that one renewal may fail."""


class LeaseItem(Protocol):
    """An item that can be leased."""

    @property
    def id(self) -> str:
        """Its id."""


Item = TypeVar("Item", bound=LeaseItem)


class Leases(Generic[Item]):
    """The leases that a worker holds. Belongs to one event loop.

    Drop an item before its result is recorded: a renewal after that would move the time of its next attempt.
    """

    def __init__(self, store: Store, renew: Callable[[SystemTransaction, list[Item]], None]) -> None:
        self._store = store
        self._renew = renew
        self._held: dict[str, Item] = {}

    def hold(self, items: Iterable[Item]) -> None:
        """Start to renew these items."""
        self._held.update((one.id, one) for one in items)

    def drop(self, items: Iterable[Item]) -> None:
        """Stop renewing these items."""
        for one in items:
            self._held.pop(one.id, None)

    @contextlib.contextmanager
    def held_while(self, item: Item) -> Iterator[None]:
        """Renew an item until the block ends, unless it is dropped before."""
        self.hold([item])
        try:
            yield
        finally:
            self.drop([item])

    def held(self) -> list[Item]:
        """The items that the worker holds."""
        return list(self._held.values())

    async def keep(self) -> None:
        """Renew the leases until cancelled. A lease taken since the last round is fresh enough to skip the next one."""
        while True:
            known = self.held()
            await asyncio.sleep(RENEW_INTERVAL_S)
            due = [one for one in known if self._held.get(one.id) is one]
            if due:
                with errors_logged():
                    await self._store.write_across(partial(self._renew_all, due=due))

    def _renew_all(self, tx: SystemTransaction, due: list[Item]) -> None:
        self._renew(tx, [one for one in due if self._held.get(one.id) is one])
