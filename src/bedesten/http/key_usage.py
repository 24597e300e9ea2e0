"""What the use of an API key brings with it: a note of it, and, seldom, something to be written before the request goes on.

The note is made in memory and written later by a task beside the requests: every ten seconds what is new, the same
secret at most once a minute, everything at the end of the process. Nothing waits for it. Killing a process loses what it
had not written.

A write before the request goes on happens once in a secret's life: upon the first use of a rotation's new secret, of an
imported key, and of a secret whose digest is still under a retired pepper.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import structlog

from bedesten.apikeys import rotation, usage
from bedesten.apikeys.usage import MAX_AGENT_LENGTH, UsageRecord
from bedesten.audit.actions import Actor
from bedesten.core.clock import MINUTE, Clock
from bedesten.gate import api_keys
from bedesten.gate.auth_cache import KeyEntry
from bedesten.gate.decide import key_refused
from bedesten.gate.keyring import Keyring
from bedesten.gate.principal import Principal
from bedesten.store.store import Store
from bedesten.store.transaction import StoreUnavailable

log = structlog.get_logger("bedesten.http")
WRITE_INTERVAL_S = 10.0
"""Seconds between two writings."""
MIN_INTERVAL_MS = MINUTE
"""One secret is written at most so often (milliseconds)."""
MAX_PENDING = 20_000
"""So many secrets are remembered at a time; uses of further ones are not noted until some have been written."""
MAX_BATCH = 100
"""So many are written in one transaction, which bounds how long others wait for it."""


class KeyUsageRecorder:
    """The notes of one process. Lives on the event loop; `keyring` gives the rings as new as the last revision check."""

    def __init__(self, store: Store, keyring: Callable[[], Keyring], clock: Clock) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._noted: dict[bytes, UsageRecord] = {}
        self._written: dict[bytes, int] = {}
        self._task: asyncio.Task[None] | None = None

    async def record_use(
        self, principal: Principal, api_key: list[bytes], agent: list[bytes], address: str, actor: Actor, now: int
    ) -> Principal:
        """Counts an allowed request with an API key; gives the principal with the key's current digest.

        Raises `Refusal` (-23) if something has to be written for a secret that was ended while the request was on its
        way, `StoreUnavailable` if it cannot be written.
        """
        entry, keyring = principal.key, self._keyring()
        assert entry is not None, "the principal has an API key"
        if entry.unused or entry.imported or entry.pepper_id != keyring.digest.current:
            digest = await self._store.write(
                principal.tenant, rotation.record_first_use, keyring, entry, api_keys.extract(api_key), actor
            )
            if digest is None:
                raise key_refused("ended while the request was on its way")
            entry = replace(entry, digest=digest)
            principal = replace(principal, key=entry)
        self._note(entry, address, agent[0][: 4 * MAX_AGENT_LENGTH] if agent else b"", now)
        return principal

    def _note(self, entry: KeyEntry, address: str, agent: bytes, now: int) -> None:
        noted = self._noted.get(entry.digest)
        if noted is not None:
            noted.used, noted.address, noted.agent = now, address, agent
            noted.uses += 1
        elif len(self._noted) < MAX_PENDING:
            self._noted[entry.digest] = UsageRecord(
                entry.tenant, entry.key_id, entry.digest, entry.slot, now, 1, address, agent
            )

    def start(self) -> None:
        """Begins to write beside the requests. Once, on the running event loop."""
        assert self._task is None, "started twice"
        self._task = asyncio.get_running_loop().create_task(self._write_forever())

    async def stop(self) -> None:
        """Ends the writing, after all that was noted has been written if the store can be reached."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.write(None)

    async def write(self, now: int | None) -> None:
        """Writes what is due at a moment; None: everything. What the store does not take is kept for the next time."""
        due = [noted for digest, noted in self._noted.items() if self._due(digest, now)]
        for start in range(0, len(due), MAX_BATCH):
            part = due[start : start + MAX_BATCH]
            for noted in part:
                del self._noted[noted.digest]
            try:
                await self._store.write_across(partial(usage.write, noted=part))
            except StoreUnavailable as problem:
                self._keep(part)
                log.warning("uses-not-written", cause=str(problem), secrets=len(self._noted))
                return
            self._remember(part, now)

    def _due(self, digest: bytes, now: int | None) -> bool:
        if now is None or len(self._noted) > MAX_PENDING // 2:
            return True
        return not 0 <= now - self._written.get(digest, now - MIN_INTERVAL_MS) < MIN_INTERVAL_MS

    def _remember(self, written: Iterable[UsageRecord], now: int | None) -> None:
        if len(self._written) > MAX_PENDING:
            self._written.clear()
        if now is not None:
            self._written.update((noted.digest, now) for noted in written)

    def _keep(self, part: Iterable[UsageRecord]) -> None:
        for noted in part:
            newer = self._noted.get(noted.digest)
            if newer is None:
                self._noted[noted.digest] = noted
            else:
                newer.uses += noted.uses

    async def _write_forever(self) -> None:
        while True:
            await asyncio.sleep(WRITE_INTERVAL_S)
            try:
                await self.write(self._clock())
            except Exception:
                log.exception("uses-not-written")
