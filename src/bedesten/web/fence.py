"""Passing the fence: before anything of a request is decided, this process knows all that was changed before it arrived."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from bedesten.accounts.lookup import account_entry, has_imports, key_entry, revoked
from bedesten.gate.directory import Directory, Entry, Want
from bedesten.store.fence import CHANGES, COUNTER, KEPT
from bedesten.store.store import Store
from bedesten.store.tables import INSTALLATION
from bedesten.store.transaction import CrossTransaction, StoreUnavailable
from bedesten.tenants.lookup import tenant_entry, tenant_of_host


class Fence:
    """Keeps one directory as new as the store. Lives on the event loop.

    Raises `StoreUnavailable` when the store cannot be asked: a process that cannot know does not guess.
    """

    def __init__(self, store: Store, directory: Directory, ring: Callable[[int], Awaitable[None]]) -> None:
        """`ring` makes sure that the master secrets are known in at least this version, or raises."""
        self._store = store
        self._directory = directory
        self._ring = ring
        self._catching_up = asyncio.Lock()

    async def passed(self) -> None:
        """Returns once the directory is at least as new as the moment of this call."""
        counter = self._store.counter_now()
        if counter is None:
            counter = await self._store.counter()
        if self._directory.version < counter:
            async with self._catching_up:
                if self._directory.version < counter:
                    await self._catch_up()

    async def load(self, want: Want) -> Entry | None:
        """Reads what the directory lacks. It is remembered only if nothing changed while it was read."""
        version = self._directory.version
        entry = await self._store.read_across(lambda tx: _read(tx, want))
        if entry is not None and self._directory.version == version:
            self._directory.put(want, entry)
        return entry

    async def _catch_up(self) -> None:
        directory = self._directory
        seen = directory.version
        news = await self._store.read_across(lambda tx: tx.all(CHANGES, seen=seen, most=KEPT + 1))
        if seen >= 0 and news and len(news) <= KEPT and all(kind != "installation" for _, kind, _ in news):
            try:
                directory.apply(news)
                return
            except ValueError:
                pass  # the list was cut meanwhile: begin anew
        version, epoch, ring, revoked_tokens = await self._store.read_across(_state)
        await self._ring(ring)
        directory.restart(version, epoch, revoked_tokens)


def _read(tx: CrossTransaction, want: Want) -> Entry | None:
    match want.kind, want.ref:
        case "host", str(host):
            return tenant_of_host(tx, host)
        case "tenant", str(tenant):
            entry = tenant_entry(tx, tenant)
            return replace(entry, imports=has_imports(tx, tenant)) if entry else None
        case "account", str(account):
            return account_entry(tx, account)
        case "key", tuple(digests):
            return key_entry(tx, digests)
    raise AssertionError(f"nobody wants {want.kind}")


def _state(tx: CrossTransaction) -> tuple[int, int, int, dict[str, int]]:
    counter, installed = tx.one(COUNTER), tx.one(INSTALLATION)
    if counter is None or installed is None:
        raise StoreUnavailable("this store is not an installation yet")
    return counter[0], installed.epoch, installed.ring, revoked(tx)
