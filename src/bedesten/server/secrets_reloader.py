"""Reloads the master secrets from a manager when they change, so that nobody has to restart a server.

On each machine only the worker polls. It puts new secrets into the cache of the other processes, and then updates the
store, so that every process demands them. While a manager is down, processes continue with the secrets they have.
"""

import asyncio
import random
from collections.abc import Iterator
from time import monotonic

import structlog

from bedesten.admin.master_secrets import activate
from bedesten.errors import Refusal
from bedesten.server.installation import Installation
from bedesten.server.secret_references import InvalidSetting
from bedesten.store.transaction import StoreUnavailable
from bedesten.telemetry.metrics import Metrics, Series
from bedesten.telemetry.process_metrics import memory_metrics, store_metrics

log = structlog.get_logger("bedesten.server")


class SecretsReloader:
    """Polls the manager for one process. Belongs to its event loop."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._known = installation.keyring
        self._read_at = monotonic()

    def process_metrics(self) -> Iterator[tuple[Series, float]]:
        """Gauges of this process, with the age of the last successful read."""
        yield from memory_metrics()
        yield from store_metrics(self._installation.store.load)
        if self._installation.master_secrets.in_a_manager:
            yield ("secrets_age_seconds",), monotonic() - self._read_at

    async def run(self, metrics: Metrics) -> None:
        """Poll every `secrets_poll_seconds` until cancelled. Does nothing if the secrets are in the file."""
        if not self._installation.master_secrets.in_a_manager:
            await asyncio.Event().wait()
        every = self._installation.settings.secrets_poll_seconds
        while True:
            await asyncio.sleep(every * random.uniform(0.8, 1.0))
            try:
                metrics.count("secret_reads", "read" if await self.check_once() else "failed")
            except Exception:
                log.exception("secrets-not-read")

    async def check_once(self) -> bool:
        """Poll once. Returns whether the manager has usable key sets, new or not."""
        try:
            held = await asyncio.to_thread(
                self._installation.master_secrets.read
            )  # another process may have cached newer ones
            fresh = await asyncio.to_thread(self._installation.master_secrets.read_now)
        except (InvalidSetting, ValueError, OSError) as problem:
            log.warning("secrets-not-read", cause=str(problem), used="what is known")
            return False
        reason = fresh.incompatibility(held.version, held.fingerprints())
        if reason:
            log.error("secrets-rejected", cause=f"BEDESTEN_SECRETS: {reason}", used="what is known")
            return False
        self._read_at = monotonic()
        if fresh.version > self._known.version:
            try:
                self._installation.master_secrets.remember(fresh)
                asked = await self._installation.store.write_across(lambda tx: activate(tx, fresh))
            except (Refusal, StoreUnavailable) as problem:
                self._installation.master_secrets.remember(held)
                log.warning("secrets-rejected", cause=str(problem), used="what is known")
                return False
            self._installation.cipher.use_keyring(fresh)
            self._known = fresh
            log.info("secrets-reloaded", version=fresh.version, first=asked)
        return True
