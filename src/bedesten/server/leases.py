"""The leases of one worker: renewed while it works, so that they can be short, and what it holds is taken over soon."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Generic, Protocol, TypeVar

from bedesten.server.rounds import errors_logged
from bedesten.store.store import Store
from bedesten.store.transaction import SystemTransaction

RENEW_INTERVAL_S = 2.0
"""Time between renewals: a third of the shortest lease, so that one that fails is made up for."""


class LeaseItem(Protocol):
    """What can be leased."""

    @property
    def id(self) -> str:
        """Its id."""


Item = TypeVar("Item", bound=LeaseItem)


class Leases(Generic[Item]):
    """What a worker holds. Belongs to one event loop.

    An item has to be dropped before its result is recorded: a renewal after that would move the time of its next attempt.
    """

    def __init__(self, store: Store, renew: Callable[[SystemTransaction, list[Item]], None]) -> None:
        self._store = store
        self._renew = renew
        self._held: dict[str, Item] = {}

    def hold(self, items: Iterable[Item]) -> None:
        """Renew these from now on."""
        self._held.update((one.id, one) for one in items)

    def drop(self, items: Iterable[Item]) -> None:
        """Renew these no longer."""
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
        """What the worker holds."""
        return list(self._held.values())

    async def keep(self) -> None:
        """Renew what is held until cancelled. What was leased since the last renewal is young enough for the next one."""
        while True:
            known = self.held()
            await asyncio.sleep(RENEW_INTERVAL_S)
            due = [one for one in known if self._held.get(one.id) is one]
            if due:
                with errors_logged():
                    await self._store.write_across(partial(self._renew_all, due=due))

    def _renew_all(self, tx: SystemTransaction, due: list[Item]) -> None:
        self._renew(tx, [one for one in due if self._held.get(one.id) is one])
