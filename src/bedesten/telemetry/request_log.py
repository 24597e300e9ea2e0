"""What is kept of requests besides their effects: counts for the admin listener, sums for the trail, lines in the log.

Nothing of it makes a request wait. Refusals are logged one by one, with their precise cause and the request id, up to
`MAX_LINES_PER_S`; what is over that is counted and the count is logged, so that an attack neither fills a disk nor makes
refusing dear. Refused *credentials* are in the trail besides, all of them, summed up (see `audit.aggregator`).

A task beside the requests publishes the counts every second and writes the sums every five seconds, more seldom while an
attack goes on. At the end of the process everything is written. A process that is killed loses what it had not written.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic

import structlog

from bedesten import errors
from bedesten.audit import refusal_aggregator
from bedesten.audit.refusal_aggregator import RefusalAggregator
from bedesten.core.clock import Clock, system_clock
from bedesten.errors import Refusal
from bedesten.store.store import Store
from bedesten.store.transaction import OutcomeUnknown, StoreUnavailable
from bedesten.telemetry.metrics import Metrics, Series, login_alarm
from bedesten.telemetry.metrics_file import MetricsFile, NoMetricsFile

log = structlog.get_logger("bedesten.telemetry")

MAX_LINES_PER_S, MAX_LINES_BURST = 50, 200
PUBLISH_INTERVAL_S = 1.0
WRITE_INTERVAL_S, MAX_WRITE_INTERVAL_S = 5.0, 60.0
"""Seconds between two writings of sums: the first usually, the second while there are many of them."""
BUSY_BATCH_ROWS = 50

_CREDENTIAL_CODES = frozenset(
    {errors.TOO_MANY_REQUESTS.number, errors.LOGIN_REFUSED.number, errors.TOO_MANY_LOGINS.number}
)
_LOGIN_RESULTS = {errors.LOGIN_REFUSED.number: "refused", errors.TOO_MANY_LOGINS.number: "throttled"}

_STORE_COUNTERS = {
    "commits": "transactions",
    "committed_actions": "actions",
    "store_retries": "retries",
    "store_lock_waits": "lock_waits",
    "store_connections": "connections",
}
"""Counters, and where the store counts them."""

Gauges = Callable[[], Iterable[tuple[Series, float]]]


@dataclass(slots=True)
class RequestInfo:
    """What is known of a request when it is refused. Empty where it is not known."""

    request_id: str
    method: str
    address: str
    tenant: str
    surface: str
    endpoint: str
    who: str


class LineRateLimit:
    """How many lines may be logged: so many a second on the long run, some more at once."""

    def __init__(self, per_s: int = MAX_LINES_PER_S, burst: int = MAX_LINES_BURST) -> None:
        self._a_second = per_s
        self._at_once = burst
        self._left = float(burst)
        self._at = monotonic()
        self.withheld = 0

    def take(self) -> bool:
        """Whether one more line may be logged; if not, it is counted as withheld."""
        now = monotonic()
        self._left = min(self._at_once, self._left + (now - self._at) * self._a_second)
        self._at = now
        if self._left < 1:
            self.withheld += 1
            return False
        self._left -= 1
        return True


class RequestLog:
    """One process's. Lives on the event loop. `directory` is where counts are published; None: nowhere."""

    def __init__(self, store: Store, clock: Clock = system_clock, directory: Path | None = None) -> None:
        self.metrics = Metrics()
        self.aggregator = RefusalAggregator()
        self._store = store
        self._clock = clock
        self._lines = LineRateLimit()
        self._directory = directory
        self._metrics_file: MetricsFile | None = None
        self._gauges: Gauges = tuple
        self._kind = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._counted = dict.fromkeys(_STORE_COUNTERS, 0)
        store.observe = self.metrics.observe_store
        self._alarmed = False

    def log_refusal(self, refusal: Refusal, request: RequestInfo, now: int) -> None:
        """Notes a refusal with its precise cause."""
        code = refusal.code
        cause, before = refusal.cause, refusal.__cause__
        if code is errors.TOO_MANY_REQUESTS and isinstance(before, Refusal):
            cause = f"{cause}; {before.code.number} {before.cause}"
        who = refusal.account or request.who
        if request.tenant and (code.status in (401, 403) or code.number in _CREDENTIAL_CODES):
            self.aggregator.add_refusal(
                request.tenant, code.number, cause, who, request.address, request.endpoint, request.request_id, now
            )
        if request.tenant and isinstance(before, OutcomeUnknown):
            self.aggregator.add_unknown_outcome(
                request.tenant, code.number, who, request.address, request.endpoint, request.request_id, now
            )
        result = _LOGIN_RESULTS.get(code.number)
        if result is not None:
            self.metrics.count("logins", request.surface, result)
            self.metrics.logins.count(now, refused=True)
        if self._lines.take():
            log.info(
                "refused",
                code=code.number,
                cause=cause,
                request_id=request.request_id,
                tenant=request.tenant,
                who=who,
                method=request.method[:16],
                endpoint=request.endpoint,
                address=request.address,
            )

    def log_login(self, request: RequestInfo, now: int) -> None:
        """Notes a login that succeeded. How many there are is bounded by the hashing of passwords."""
        self.aggregator.add_login(
            request.tenant, request.who, request.address, request.endpoint, request.request_id, now
        )
        self.metrics.count("logins", request.surface, "ok")
        self.metrics.logins.count(now, refused=False)
        log.info(
            "login",
            request_id=request.request_id,
            tenant=request.tenant,
            who=request.who,
            surface=request.surface,
            address=request.address,
        )

    # --- beside the requests ---

    def start(self, kind: str, gauges: Gauges) -> None:
        """Begins to publish and to write, as a process of this kind. Once, on the running event loop."""
        assert not self._tasks, "started twice"
        self._kind, self._gauges = kind, gauges
        if self._directory is not None:
            try:
                self._metrics_file = MetricsFile(self._directory)
            except NoMetricsFile as problem:
                log.warning("not-metered", cause=str(problem))
            else:
                before = self._metrics_file.previous()
                if before is not None:
                    self.metrics.restore(before)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._publish_forever()), loop.create_task(self._write_forever())]

    async def stop(self) -> None:
        """Ends both, after all has been written if the store can be reached."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.write()
        self.publish()
        if self._metrics_file is not None:
            self._metrics_file.close()
            self._metrics_file = None

    def publish(self) -> None:
        """Puts the counts where the admin listener finds them, and logs what only sums can tell."""
        withheld, self._lines.withheld = self._lines.withheld, 0
        if withheld:
            self.metrics.count("refusals_unlogged", by=withheld)
            log.warning("refused-not-logged", count=withheld)
        ok, refused = self.metrics.logins.recent(self._clock())
        if login_alarm(ok, refused) is not self._alarmed:
            self._alarmed = not self._alarmed
            log.warning("many-logins-refused", alarm=self._alarmed, refused=refused, ok=ok)
        for name, attribute in _STORE_COUNTERS.items():
            now = getattr(self._store.stats, attribute)
            self.metrics.count(name, by=now - self._counted[name])
            self._counted[name] = now
        if self._metrics_file is not None:
            self._metrics_file.publish(self.metrics.snapshot(self._kind, os.getpid(), self._clock(), self._gauges()))

    async def write(self) -> int:
        """Writes what was summed up; answers how many rows that were. What the store does not take is kept."""
        batch = self.aggregator.drain()
        if not batch:
            return 0
        try:
            await self._store.write_across(partial(refusal_aggregator.write, batch=batch))
        except StoreUnavailable as problem:
            self.aggregator.restore(batch)
            log.warning("trail-not-written", cause=str(problem))
        return len(batch.rows)

    async def _publish_forever(self) -> None:
        while True:
            try:
                self.publish()
            except Exception:
                log.exception("counts-not-published")
            await asyncio.sleep(PUBLISH_INTERVAL_S)

    async def _write_forever(self) -> None:
        pause = WRITE_INTERVAL_S
        while True:
            await asyncio.sleep(pause)
            try:
                written = await self.write()
            except Exception:
                log.exception("trail-not-written")
            else:
                pause = min(MAX_WRITE_INTERVAL_S, pause * 2) if written > BUSY_BATCH_ROWS else WRITE_INTERVAL_S
