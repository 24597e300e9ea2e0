"""The auth cache: what this process knows about tenants, accounts and credentials, and how it drops entries.

It is a cache, not a copy. An entry is read from the store at its first use (`CacheMiss` names it) and dropped when the
revision check reports a change. So ten thousand tenants cost nothing at start, and an account in its default state needs
no row. Absence is never cached: an unknown key costs the same each time, whatever made it unknown.

Not thread-safe: it belongs to the event loop. Put an entry only while the cache's revision is the one under which the
entry was read (`http.revision_check`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bedesten.core.revision import Revision
from bedesten.gate.api_keys import Networks
from bedesten.gate.scopes import Surface

PRUNE_THRESHOLD = 10_000
"""Number of revoked sessions and tokens at which the expired ones are pruned."""
REVOCATION_RETENTION_MS = 2 * 24 * 3_600_000
"""A token expires within a day after its revocation; another day allows for wrong clocks."""
MAX_ENTRIES = 200_000
"""Entries of each kind; when the limit is reached the older half is dropped."""


@dataclass(frozen=True, slots=True)
class TenantEntry:
    """One tenant as the gate sees it. Times are milliseconds.

    `idle_since` is the last moment without an idle time-out. `access` holds only the switches that the operator set.
    `limits` are requests a minute by `credential`, `tenant` and `address`, where there is a limit. `imports` says that
    some imported API key has not been used yet. `lenient` says that calls ignore unknown members, for clients of another
    platform; `verify_email` that customers verify their e-mail address before they buy.
    """

    id: str
    suspended: bool
    sandbox: bool
    currency: str
    region: str
    generation: int
    token_version: int
    surface_token_versions: Mapping[Surface, int]
    lifetimes: Mapping[Surface, int]
    idle: Mapping[Surface, int | None]
    idle_since: Mapping[Surface, int]
    access: Mapping[str, bool]
    origins: frozenset[str]
    limits: Mapping[str, int]
    imports: bool = False
    lenient: bool = False
    name: str = ""
    brand: Mapping[str, str] = field(default_factory=dict)
    checkout_limits: Mapping[str, int | None] = field(default_factory=dict)
    verify_email: bool = False

    def allows(self, surface: Surface, endpoint: str) -> bool:
        """Whether the endpoint is switched on; its own switch takes precedence over its surface's."""
        if not self.access:
            return True
        return self.access.get(endpoint.lower(), self.access.get(surface.value, True))


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """One account as the gate sees it. `scopes` None: every scope of its surface."""

    id: str
    tenant: str
    kind: str
    disabled: bool
    scopes: frozenset[str] | None
    token_version: int


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One live secret of an API key. `expires` is the earlier expiry of key and secret, in ms.

    `digest` is the digest by which it was found, under the pepper `pepper_id`. `slot` is 0 for the current secret and 1
    for the previous one of a rotation. The first use of `imported` and `unused` secrets is written to the store.
    """

    key_id: str
    tenant: str
    surface: Surface
    owner: str
    grants: frozenset[str] | None
    networks: Networks
    expires: int | None
    digest: bytes = b""
    pepper_id: str = ""
    slot: int = 0
    imported: bool = False
    unused: bool = False


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Names an entry of the cache: its kind (`host`, `tenant`, `account` or `key`) and its reference.

    An API key is looked up by every digest under which it may be stored, in one view of the store. So a key whose digest
    is being replaced is found under the old or the new one.
    """

    kind: str
    ref: str | tuple[bytes, ...]


class CacheMiss(Exception):
    """A decision needs an entry that is not in memory. Load `key` and decide again."""

    def __init__(self, key: CacheKey) -> None:
        super().__init__(key.kind)
        self.key = key


Entry = TenantEntry | AccountEntry | KeyEntry | str
Fetched = Mapping[CacheKey, Entry | None]
"""Entries read from the store for the present decision; None: the store has no such entry."""

EMPTY: Fetched = {}


CHANGE_KINDS = frozenset({"host", "tenant", "account", "key", "token", "session"})
"""The kinds of change that `AuthCache.apply` knows. Any other kind needs a `reset`."""


class Change(NamedTuple):
    """One row of the store's list of changes; `kind` and `ref` as in `store.revision_log`."""

    revision: Revision
    kind: str
    ref: str


class AuthCache:
    """Cached entries by host, id or digest, as of the store's `revision`, which is None before the first `reset`."""

    def __init__(self) -> None:
        self.revision: Revision | None = None
        self.token_version = 0
        self._hosts: dict[str, str] = {}
        self._tenants: dict[str, TenantEntry] = {}
        self._accounts: dict[str, AccountEntry] = {}
        self._keys: dict[bytes, KeyEntry] = {}
        self._revoked: dict[str, int] = {}
        self._prune_at = PRUNE_THRESHOLD

    def tenant_of_host(self, host: str, fetched: Fetched = EMPTY) -> TenantEntry | None:
        """The tenant whose host this is, or None. Raises `CacheMiss`."""
        tenant = self._hosts.get(host)
        if tenant is None:
            found = _from(fetched, CacheKey("host", host))
            if not isinstance(found, str):
                return None
            tenant = found
        entry = self._tenants.get(tenant)
        if entry is None:
            read = _from(fetched, CacheKey("tenant", tenant))
            return read if isinstance(read, TenantEntry) else None
        return entry

    def account(self, account: str, fetched: Fetched = EMPTY) -> AccountEntry | None:
        """The account with this id, or None. Raises `CacheMiss`."""
        entry = self._accounts.get(account)
        if entry is None:
            read = _from(fetched, CacheKey("account", account))
            return read if isinstance(read, AccountEntry) else None
        return entry

    def cached_key(self, digest: bytes) -> KeyEntry | None:
        """The cached entry of an API key's digest. None means only that it is not cached."""
        return self._keys.get(digest)

    def key(self, digests: tuple[bytes, ...], fetched: Fetched) -> KeyEntry | None:
        """The entry of one API key by any of its digests, or None. Raises `CacheMiss`."""
        read = _from(fetched, CacheKey("key", digests))
        return read if isinstance(read, KeyEntry) else None

    def revoked(self, ref: str) -> bool:
        """Whether this session (`sid`) or token (`jti`) was itself revoked."""
        return ref in self._revoked

    def put(self, key: CacheKey, entry: Entry) -> None:
        """Keeps an entry until a change drops it."""
        if isinstance(entry, str):
            _bounded(self._hosts)[str(key.ref)] = entry
        elif isinstance(entry, TenantEntry):
            _bounded(self._tenants)[entry.id] = entry
        elif isinstance(entry, AccountEntry):
            _bounded(self._accounts)[entry.id] = entry
        else:
            _bounded(self._keys)[entry.digest] = entry

    def apply(self, changes: Iterable[Change]) -> None:
        """Drops the entries that the changes touched and moves to the revision of the last change.

        Raises ValueError if a revision is missing, or if a change's kind is not in `CHANGE_KINDS`: the caller must then
        `reset` the cache.
        """
        for change in changes:
            if self.revision is None or change.revision.number != self.revision.number + 1:
                raise ValueError("changes are missing")
            self._forget(change.kind, change.ref)
            self.revision = change.revision

    def reset(self, revision: Revision, token_version: int, revoked: Mapping[str, int]) -> None:
        """Drops every entry and starts at a revision, with the installation's token version and the revoked tokens."""
        for memory in (self._hosts, self._tenants, self._accounts, self._keys):
            memory.clear()
        self._revoked = dict(revoked)
        self.token_version = token_version
        self.revision = revision

    def sizes(self) -> dict[str, int]:
        """Returns the number of entries of each kind."""
        return {
            "hosts": len(self._hosts),
            "tenants": len(self._tenants),
            "accounts": len(self._accounts),
            "keys": len(self._keys),
            "revoked": len(self._revoked),
        }

    def prune(self, now: int) -> None:
        """Drops revoked sessions and tokens that have expired: expired tokens are refused anyway."""
        self._revoked = {ref: expires for ref, expires in self._revoked.items() if expires > now}
        self._prune_at = max(PRUNE_THRESHOLD, 2 * len(self._revoked))

    def _forget(self, kind: str, ref: str) -> None:
        match kind:
            case "host":
                self._hosts.pop(ref, None)
            case "tenant":
                self._tenants.pop(ref, None)
            case "account":
                self._accounts.pop(ref, None)
            case "key":
                self._keys.pop(bytes.fromhex(ref), None)
            case "token" | "session":
                revoked, _, expires = ref.partition(" ")
                self._revoked[revoked] = int(expires)
                if len(self._revoked) >= self._prune_at:
                    self.prune(int(expires) - REVOCATION_RETENTION_MS)
            case _:
                raise ValueError("a change of an unknown kind: reset the cache")


def _from(fetched: Fetched, key: CacheKey) -> Entry | None:
    if key not in fetched:
        raise CacheMiss(key)
    return fetched[key]


def _bounded(memory: dict[str, object] | dict[bytes, object] | dict) -> dict:  # type: ignore[type-arg]
    """Drops the older half of a full dictionary, and returns the dictionary."""
    if len(memory) >= MAX_ENTRIES:
        for old in list(memory)[: MAX_ENTRIES // 2]:
            del memory[old]
    return memory
