"""The revision check: before a request is decided, this process knows every change committed before it arrived."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

import structlog

from bedesten.accounts.lookup import account_entry, revoked
from bedesten.apikeys.lookup import has_imports, key_entry
from bedesten.core.revision import Revision
from bedesten.gate.auth_cache import CHANGE_KINDS, AuthCache, CacheKey, Change, Entry
from bedesten.store.revision_log import CHANGE, CHANGES, COUNTER, MAX_CHANGES
from bedesten.store.store import Store
from bedesten.store.tables import INSTALLATION, InstallationSettings
from bedesten.store.transaction import StoreUnavailable, SystemTransaction
from bedesten.tenants.lookup import tenant_entry, tenant_of_host

log = structlog.get_logger("bedesten.http")


class RevisionCheck:
    """Keeps one auth cache as current as the store. Lives on the event loop.

    Raises `StoreUnavailable` when the store cannot be read: it never guesses.
    """

    def __init__(
        self, store: Store, auth_cache: AuthCache, use_secrets: Callable[[InstallationSettings], Awaitable[None]]
    ) -> None:
        """`use_secrets` loads the master secrets that the store demands, or raises."""
        self._store = store
        self._auth_cache = auth_cache
        self._use_secrets = use_secrets
        self._catching_up = asyncio.Lock()
        self._begun = 0
        self._finished = 0

    def confirmed(self) -> bool:
        """Whether the auth cache is known, without waiting, to be current. If not, call `confirm`."""
        revision = self._store.counter_now()
        return revision is not None and revision == self._auth_cache.revision

    async def confirm(self) -> None:
        """Returns once the auth cache has every change committed before this call."""
        begun = self._begun
        revision = self._store.counter_now()
        if revision is None:
            revision = await self._store.counter()
        if self._auth_cache.revision != revision:
            async with self._catching_up:
                # A catch-up that began after this call has read enough, whatever the revision is by now.
                if self._finished <= begun and self._auth_cache.revision != revision:
                    self._begun += 1
                    await self._catch_up(revision)
                    self._finished = self._begun

    async def load(self, key: CacheKey) -> Entry | None:
        """Reads an entry that the auth cache lacks; caches it only if nothing changed while it was read."""
        revision = self._auth_cache.revision
        entry = await self._store.read_across(lambda tx: _read(tx, key))
        if entry is not None and self._auth_cache.revision == revision:
            self._auth_cache.put(key, entry)
        return entry

    async def _catch_up(self, read: Revision) -> None:
        auth_cache = self._auth_cache
        news = await self._store.read_across(partial(_news, known=auth_cache.revision, read=read))
        if isinstance(news, _State):
            await self._use_secrets(news.installed)
            if news.went_back:
                log.warning("store-rolled-back", known=auth_cache.revision, found=news.revision)
            auth_cache.reset(news.revision, news.installed.token_version, news.revoked)
        else:
            auth_cache.apply(news)


@dataclass(frozen=True, slots=True)
class _State:
    """The initial state of an auth cache. `went_back`: the store lacks the last change that this process saw."""

    revision: Revision
    installed: InstallationSettings
    revoked: dict[str, int]
    went_back: bool


def _news(tx: SystemTransaction, known: Revision | None, read: Revision) -> list[Change] | _State:
    """The changes since a known revision, or the whole state where the list of changes is incomplete.

    Raises `StoreUnavailable` if the store neither has the revision `read`, which was read a moment ago, nor continued
    from it: the store was rolled back in between, or connections lead to different servers.
    """
    revision, installed = tx.one(COUNTER), tx.one(INSTALLATION)
    if revision is None or installed is None:
        raise StoreUnavailable("this store is not an installation yet")
    if not _follows(tx, revision, read):
        raise StoreUnavailable("the store went back while it was read")
    follows = known is not None and _follows(tx, revision, known)
    if known is not None and follows:
        changes = [Change(Revision(*row[:2]), *row[2:]) for row in tx.all(CHANGES, seen=known.number, most=MAX_CHANGES)]
        numbers = [change.revision.number for change in changes]
        whole = numbers == list(range(known.number + 1, revision.number + 1))
        if whole and all(change.kind in CHANGE_KINDS for change in changes):
            return changes
    return _State(revision, installed, revoked(tx), went_back=known is not None and not follows)


def _follows(tx: SystemTransaction, revision: Revision, earlier: Revision) -> bool:
    """Whether `earlier` is the store's present revision, or in its history."""
    if revision.number <= earlier.number:
        return revision == earlier
    return tx.one(CHANGE, number=earlier.number, nonce=earlier.nonce) is not None


def _read(tx: SystemTransaction, key: CacheKey) -> Entry | None:
    match key.kind, key.ref:
        case "host", str(host):
            return tenant_of_host(tx, host)
        case "tenant", str(tenant):
            entry = tenant_entry(tx, tenant)
            return replace(entry, imports=has_imports(tx, tenant)) if entry else None
        case "account", str(account):
            return account_entry(tx, account)
        case "key", tuple(digests):
            return key_entry(tx, digests)
    raise AssertionError(f"unknown kind of cache key: {key.kind}")
