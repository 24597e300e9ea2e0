"""Records API key usage: batched in memory, and written before the request goes on only once for each secret.

A background task writes the recorded uses every ten seconds, those of one secret at most once a minute, and all of them
at the end of the process. No request waits for it. A killed process loses what it had not written.

The write before the request happens at the first use of a rotation's new secret, of an imported key, and of a secret
whose digest is still under a retired pepper.
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
from bedesten.store.store import Store
from bedesten.store.transaction import StoreUnavailable

log = structlog.get_logger("bedesten.http")
WRITE_INTERVAL_S = 10.0
MIN_INTERVAL_MS = MINUTE
"""Time between two writes for one secret."""
MAX_PENDING = 20_000
"""Secrets with unwritten uses; uses of further secrets are not recorded until some have been written."""
MAX_BATCH = 100
"""Secrets in one transaction, which bounds how long other writers wait for it."""


class KeyUsageRecorder:
    """The unwritten uses of one process. Lives on the event loop. `keyring` returns the master secrets as of the last
    revision check."""

    def __init__(self, store: Store, keyring: Callable[[], Keyring], clock: Clock) -> None:
        self._store = store
        self._keyring = keyring
        self._clock = clock
        self._noted: dict[bytes, UsageRecord] = {}
        self._written: dict[bytes, int] = {}
        self._task: asyncio.Task[None] | None = None

    def needs_write(self, entry: KeyEntry) -> bool:
        """Whether this use has to be written before the request goes on."""
        return entry.unused or entry.imported or entry.pepper_id != self._keyring().digest.current

    async def write_first_use(self, entry: KeyEntry, api_key: list[bytes], actor: Actor) -> KeyEntry:
        """Writes the first use of a secret; returns the secret's entry with its current digest.

        Raises `Refusal` (-23) if the secret has ended since the request was admitted, `StoreUnavailable` if the write
        fails.
        """
        key = api_keys.extract(api_key)
        digest = await self._store.write(entry.tenant, rotation.record_first_use, self._keyring(), entry, key, actor)
        if digest is None:
            raise key_refused("ended while the request was on its way")
        return replace(entry, digest=digest)

    def record_use(self, entry: KeyEntry, agent_lines: list[bytes], address: str, now: int) -> None:
        """Counts an allowed request with an API key."""
        agent = agent_lines[0][: 4 * MAX_AGENT_LENGTH] if agent_lines else b""
        noted = self._noted.get(entry.digest)
        if noted is not None:
            noted.used, noted.address, noted.agent = now, address, agent
            noted.uses += 1
        elif len(self._noted) < MAX_PENDING:
            self._noted[entry.digest] = UsageRecord(
                entry.tenant, entry.key_id, entry.digest, entry.slot, now, 1, address, agent
            )

    def start(self) -> None:
        """Starts the background task. Once, on the running event loop."""
        assert self._task is None, "started twice"
        self._task = asyncio.get_running_loop().create_task(self._write_forever())

    async def stop(self) -> None:
        """Stops the background task and writes every recorded use, if the store can be reached."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.write(None)

    async def write(self, now: int | None) -> None:
        """Writes the uses that are due at `now`; None: all. Uses whose write fails stay pending."""
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
