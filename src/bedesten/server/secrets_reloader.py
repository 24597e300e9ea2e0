"""Looking whether the master secrets in a manager have changed, so that nobody has to restart anything.

One process a machine looks, the worker. What it finds it puts where the other processes look first, then it lets the
store ask every process for it. A manager that is down changes nothing: what is known is used on.
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
    """The watch of one process. Lives on its event loop."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._known = installation.keyring
        self._seen_at = monotonic()

    def process_metrics(self) -> Iterator[tuple[Series, float]]:
        """Those of this process, with the age of what it knows of the manager."""
        yield from memory_metrics()
        yield from store_metrics(self._installation.store.load)
        if self._installation.master_secrets.in_a_manager:
            yield ("secrets_age_seconds",), monotonic() - self._seen_at

    async def run(self, metrics: Metrics) -> None:
        """Looks every `secrets_poll_seconds` until it is cancelled; never, if the secrets are in the file."""
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
        """Looks once. Whether the manager has rings that can be used, be they new or not."""
        try:
            held = await asyncio.to_thread(
                self._installation.master_secrets.read
            )  # other processes may know more than this one
            fresh = await asyncio.to_thread(self._installation.master_secrets.read_now)
        except (InvalidSetting, ValueError, OSError) as problem:
            log.warning("secrets-not-read", cause=str(problem), used="what is known")
            return False
        reason = fresh.incompatibility(held.version, held.fingerprints())
        if reason:
            log.error("secrets-rejected", cause=f"BEDESTEN_SECRETS: {reason}", used="what is known")
            return False
        self._seen_at = monotonic()
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
