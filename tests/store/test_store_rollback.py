"""A store that was rolled back: a restored backup, or a standby that was promoted before it had everything.

The cache of a process then belongs to another history. The process drops it, whatever number the store has reached.
"""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from bedesten.core.revision import Revision
from bedesten.gate.auth_cache import AuthCache, CacheKey, KeyEntry
from bedesten.gate.scopes import Surface
from bedesten.http.revision_check import RevisionCheck
from bedesten.server.installation import Installation
from bedesten.store.revision_log import COUNTER
from bedesten.store.store import Store
from bedesten.store.tables import InstallationSettings
from bedesten.store.transaction import StoreUnavailable, SystemTransaction
from tests.store.raw import RawConnection, raw

LIVE_ROWS = KeyEntry("key_1", "ten_1", Surface.SUPPLIER, "sup_1", None, (), None, digest=b"k" * 32)


class Process:
    """A web process's auth cache and revision check, on the installation's store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.auth_cache = AuthCache()
        self.asked: list[int] = []
        self.revision_check = RevisionCheck(store, self.auth_cache, self._reload_keyring)

    async def _reload_keyring(self, installed: InstallationSettings) -> None:
        self.asked.append(installed.keyring_version)

    def passes(self) -> Revision | None:
        """Passes the revision check as a request does; returns the revision of the cache."""
        asyncio.run(self.revision_check.confirm())
        return self.auth_cache.revision

    def remembers(self) -> None:
        """Caches an API key that no change affects."""
        self.auth_cache.put(CacheKey("key", (LIVE_ROWS.digest,)), LIVE_ROWS)

    @property
    def knows(self) -> bool:
        """Whether the API key is still cached."""
        return self.auth_cache.cached_key(LIVE_ROWS.digest) is not None


@pytest.fixture
def process(own_installation: Installation) -> Process:
    """A process that has applied five changes, and has an API key cached."""
    store = own_installation.store
    changes(store, *(f"{number:064}" for number in range(5)))
    made = Process(store)
    assert made.passes() == present(store)
    made.remembers()
    return made


@pytest.fixture
def other(own_installation: Installation) -> Iterator[RawConnection]:
    """The engine's own driver."""
    with raw(own_installation.settings) as opened:
        yield opened


def present(store: Store) -> Revision:
    """The store's revision as another process reads it."""
    found = store.read_now(lambda tx: tx.one(COUNTER))
    assert found is not None
    return found


def goes_back(other: RawConnection, by: int) -> None:
    """Makes the store look like a promoted standby that never had the rows of the last changes."""
    last = other.one("SELECT counter FROM revision_counter") - by
    nonce = other.one("SELECT nonce FROM changes WHERE seq = :last", last=last)
    other.run("DELETE FROM changes WHERE seq > :last", last=last)
    other.run("UPDATE revision_counter SET counter = :last, nonce = :nonce", last=last, nonce=nonce)


def changes(store: Store, *refs: str) -> None:
    """Makes one change for each reference, each in its own transaction."""
    for ref in refs:
        store.write_now(partial(SystemTransaction.advance_revision, kind="key", ref=ref))


@pytest.mark.parametrize("later", [0, 1, 2, 3, 4, 9], ids=lambda later: f"{later}-changes-after-it-went-back-by-3")
def test_a_rolled_back_store_is_detected_whatever_number_it_has_reached(
    process: Process, other: RawConnection, later: int
) -> None:
    """After one or two changes the number is smaller than the known one, after three it is equal, then larger."""
    goes_back(other, 3)
    changes(process.store, *(f"{number:064}" for number in range(later)))
    assert process.knows
    assert process.passes() == present(process.store)
    assert not process.knows


def test_a_revocation_in_the_rolled_back_store_applies_even_if_its_number_was_used_before(
    process: Process, other: RawConnection
) -> None:
    goes_back(other, 1)
    changes(process.store, LIVE_ROWS.digest.hex())
    assert present(process.store).number == 5
    process.passes()
    assert not process.knows


def test_a_revocation_that_the_rolled_back_store_never_had_is_dropped(process: Process, other: RawConnection) -> None:
    """The current store decides, in both directions."""
    process.store.write_now(lambda tx: tx.advance_revision("token", "jti-1 4102444800000"))
    process.passes()
    assert process.auth_cache.revoked("jti-1")
    goes_back(other, 1)
    process.passes()
    assert not process.auth_cache.revoked("jti-1")


def test_further_changes_of_the_store_do_not_clear_the_cache(process: Process, other: RawConnection) -> None:
    changes(process.store, *(f"{number:064}" for number in range(7)))
    restarts = len(process.asked)
    assert process.passes() == present(process.store)
    assert process.knows
    assert len(process.asked) == restarts


def test_the_first_change_of_an_installation_does_not_clear_the_cache(own_installation: Installation) -> None:
    process = Process(own_installation.store)
    assert process.passes() == present(process.store)
    process.remembers()
    changes(process.store, "00" * 32)
    process.passes()
    assert process.knows


def test_an_entry_read_before_the_store_was_rolled_back_is_not_cached(
    own_installation: Installation, process: Process, other: RawConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry is in flight while another request finds that the store went back and reached the number again."""
    read_across = own_installation.store.read_across

    async def overtaken(work: Callable[[SystemTransaction], object]) -> object:
        found = await read_across(lambda _: LIVE_ROWS)
        goes_back(other, 1)
        changes(process.store, LIVE_ROWS.digest.hex())
        monkeypatch.setattr(own_installation.store, "read_across", read_across)
        await process.revision_check.confirm()
        return found

    monkeypatch.setattr(own_installation.store, "read_across", overtaken)
    assert asyncio.run(process.revision_check.load(CacheKey("key", (LIVE_ROWS.digest,)))) == LIVE_ROWS
    assert present(process.store).number == 5
    assert not process.knows


def test_concurrent_requests_during_changes_read_the_changes_once(process: Process) -> None:
    """A request whose answer is older than another one's does not mistake that for a rollback of the store."""
    reads = 0
    read_across = process.store.read_across

    async def counted(work: Callable[[SystemTransaction], object]) -> object:
        nonlocal reads
        reads += 1
        return await read_across(work)

    async def crowd() -> None:
        changes(process.store, "00" * 32)
        first = asyncio.gather(*(process.revision_check.confirm() for _ in range(20)))
        await asyncio.sleep(0)
        changes(process.store, "11" * 32)
        await asyncio.gather(first, *(process.revision_check.confirm() for _ in range(20)))

    process.store.read_across = counted  # type: ignore[assignment, method-assign]
    asyncio.run(crowd())
    assert process.auth_cache.revision == present(process.store)
    assert process.knows
    assert reads <= 4


def test_connections_to_two_different_stores_make_the_store_unavailable(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The revision check reads one server, the connection pool still another one."""
    elsewhere = Revision(6, 4711)
    monkeypatch.setattr(process.store, "counter_now", lambda: elsewhere)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="went back"):
            process.passes()
    monkeypatch.undo()
    assert process.passes() == present(process.store)
