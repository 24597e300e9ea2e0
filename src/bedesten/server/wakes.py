"""Wakes a worker when the store sends a message that there is work, and makes it poll often if no messages arrive."""

import asyncio
import contextlib
import time
from collections.abc import Iterator

from bedesten.server.rounds import IDLE_INTERVAL_S, POLL_INTERVAL_S, errors_logged
from bedesten.store.store import Store
from bedesten.telemetry.metrics import Series

ECHO_INTERVAL_S = 20.0
"""Time between the worker's own test messages, which show whether messages arrive."""
BUSY_S = 5.0
"""Time after the last work in which a worker polls often, since the store sends only one of several close messages."""


class Wakes:
    """The messages of one store. Belongs to one event loop."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()
        self._heard = float("-inf")
        self._worked = float("-inf")
        self.event = asyncio.Event()

    async def listen(self) -> None:
        """Listen until cancelled, and test from time to time whether messages arrive."""
        stop = self._store.listen(self._wake_from_thread)
        try:
            while True:
                with errors_logged():
                    await self._store.write_across(lambda tx: tx.wake_worker())
                await asyncio.sleep(ECHO_INTERVAL_S)
        finally:
            stop()

    def process_metrics(self) -> Iterator[tuple[Series, float]]:
        """The age of the last message; none before the first one."""
        if self._heard > 0:
            yield ("worker_wake_age_seconds",), time.monotonic() - self._heard

    def worked(self) -> None:
        """Note that there was work just now."""
        self._worked = time.monotonic()

    def pause(self) -> float:
        """Seconds until the next poll, unless `event` is set before."""
        now = time.monotonic()
        if now - self._heard < 3 * ECHO_INTERVAL_S and now - self._worked > BUSY_S:
            return IDLE_INTERVAL_S
        return POLL_INTERVAL_S

    async def wait(self, seconds: float) -> None:
        """Return when there may be work, at the latest after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.event.wait()

    def _wake_from_thread(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may have ended
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._heard = time.monotonic()
        self.event.set()
