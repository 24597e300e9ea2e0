"""Looking whether the master secrets in a manager have changed, so that nobody has to restart anything.

One process a machine looks, the worker. What it finds it puts where the other processes look first, then it lets the
store ask every process for it. A manager that is down changes nothing: what is known is used on.
"""

import asyncio
import random
from collections.abc import Iterator
from time import monotonic

import structlog

from bedesten.admin.secrets import take_up
from bedesten.errors import Refusal
from bedesten.server.installation import Installation
from bedesten.server.references import BadSetting
from bedesten.store.transaction import StoreUnavailable
from bedesten.telemetry.gauges import process_gauges, store_gauges
from bedesten.telemetry.meter import Label, Meter

log = structlog.get_logger("bedesten.secrets")


class RingWatch:
    """The watch of one process. Lives on its event loop."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._known = installation.keyring
        self._seen_at = monotonic()

    def gauges(self) -> Iterator[tuple[Label, float]]:
        """Those of this process, with the age of what it knows of the manager."""
        yield from process_gauges()
        yield from store_gauges(self._installation.store)
        if self._installation.rings.in_a_manager:
            yield ("secrets_age_seconds",), monotonic() - self._seen_at

    async def look_for_ever(self, meter: Meter) -> None:
        """Looks every `secrets_poll_seconds` until it is cancelled; never, if the secrets are in the file."""
        if not self._installation.rings.in_a_manager:
            await asyncio.Event().wait()
        every = self._installation.settings.secrets_poll_seconds
        while True:
            await asyncio.sleep(every * random.uniform(0.8, 1.0))
            try:
                meter.count("secret_reads", "read" if await self.look() else "failed")
            except Exception:
                log.exception("secrets-not-read")

    async def look(self) -> bool:
        """Looks once. Whether the manager has rings that can be used, be they new or not."""
        try:
            held = await asyncio.to_thread(self._installation.rings.read)  # other processes may know more than this one
            fresh = await asyncio.to_thread(self._installation.rings.read_now)
        except (BadSetting, ValueError, OSError) as problem:
            log.warning("secrets-not-read", cause=str(problem), used="what is known")
            return False
        reason = fresh.unfit(held.version, held.prints())
        if reason:
            log.error("secrets-not-taken", cause=f"BEDESTEN_SECRETS: {reason}", used="what is known")
            return False
        self._seen_at = monotonic()
        if fresh.version > self._known.version:
            try:
                self._installation.rings.remember(fresh)
                asked = await self._installation.store.write_across(lambda tx: take_up(tx, fresh))
            except (Refusal, StoreUnavailable) as problem:
                self._installation.rings.remember(held)
                log.warning("secrets-not-taken", cause=str(problem), used="what is known")
                return False
            self._installation.vault.turn(fresh)
            self._known = fresh
            log.info("secrets-taken", version=fresh.version, first=asked)
        return True
