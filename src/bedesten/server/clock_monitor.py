"""Compares this machine's clock with the database's. If they differ, tokens and API keys expire early or late here."""

import asyncio
from collections.abc import Iterator

import structlog

from bedesten.core.clock import SECOND, Clock, system_clock
from bedesten.store.database_clock import NOW
from bedesten.store.store import Store
from bedesten.store.transaction import StoreUnavailable
from bedesten.telemetry.metrics import Series

log = structlog.get_logger("bedesten.server")
CHECK_INTERVAL_S = 60.0
MAX_DIFFERENCE = 2 * SECOND
"""Milliseconds. A larger difference is logged as a warning each time. Machines with NTP differ far less."""


class ClockMonitor:
    """Monitors the clock for one process. On SQLite there is only one clock, so it measures nothing."""

    def __init__(self, store: Store, clock: Clock = system_clock) -> None:
        self._store = store
        self._clock = clock
        self._ahead: float | None = None

    def process_metrics(self) -> Iterator[tuple[Series, float]]:
        """The seconds by which this machine is ahead, as last measured."""
        if self._ahead is not None:
            yield ("clock_ahead_seconds",), self._ahead / SECOND

    async def run(self) -> None:
        """Measure once a minute until cancelled. Tries an unavailable store again a minute later."""
        while self._store.dialect == "postgresql":
            try:
                await self.check_once()
            except StoreUnavailable as problem:
                log.warning("store-unavailable", cause=str(problem))
            await asyncio.sleep(CHECK_INTERVAL_S)
        await asyncio.Event().wait()

    async def check_once(self) -> None:
        """Measure once. The duration of the query does not count as a difference."""
        before = self._clock()
        row = await self._store.read_across(lambda tx: tx.one(NOW, at=tx.at))
        after = self._clock()
        assert row is not None, "SELECT of one value"
        there: int = row[0]
        self._ahead = float(max(before - there, 0) or min(after - there, 0))
        if abs(self._ahead) > MAX_DIFFERENCE:
            log.warning("clock-differs", ahead_seconds=round(self._ahead / SECOND, 3), of="the database's clock")
