"""The request log: metrics, log lines and audit rows about requests, besides the effects of the requests themselves.

None of it makes a request wait. Each refusal is logged with its exact cause and the request id, up to
`MAX_LINES_PER_S`. Refusals beyond that are counted and their number is logged, so that an attack neither fills the disk
nor makes refusals expensive. Refused *credentials* are also in the audit trail, all of them, as aggregates
(`audit.refusal_aggregator`).

Background tasks publish the counts once a second and write the aggregates every five seconds, or up to once a minute
during an attack. A process writes everything when it stops. A killed process loses what it has not written yet.
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
"""Time between two writes of aggregates: usually the first; up to the second while there are many refusals."""
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
    "store_no_room": "no_room",
}
"""Metrics that the store counts, each with its attribute in `StoreStats`."""

Gauges = Callable[[], Iterable[tuple[Series, float]]]


@dataclass(slots=True)
class RequestInfo:
    """What is known about a request when it is logged. A field is empty if it is not known."""

    request_id: str
    method: str
    address: str
    tenant: str
    surface: str
    endpoint: str
    who: str


class LineRateLimit:
    """A token bucket for log lines: `per_s` lines a second, `burst` at once."""

    def __init__(self, per_s: int = MAX_LINES_PER_S, burst: int = MAX_LINES_BURST) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = float(burst)
        self._at = monotonic()
        self.withheld = 0

    def take(self) -> bool:
        """Whether one more line may be logged. If not, counts it in `withheld`."""
        now = monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1:
            self.withheld += 1
            return False
        self._left -= 1
        return True


class RequestLog:
    """The request log of one process. Belongs to the event loop. Publishes metrics in `directory`, if there is one."""

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
        """Log and count a refusal with its exact cause."""
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
        """Log and count a successful login. Password hashing limits how many there can be."""
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

    # --- background tasks ---

    def start(self, kind: str, gauges: Gauges) -> None:
        """Start the background tasks of a process of this kind. Call it once, on the running event loop."""
        assert not self._tasks, "started twice"
        self._kind, self._gauges = kind, gauges
        if self._directory is not None:
            try:
                self._metrics_file = MetricsFile(self._directory)
            except NoMetricsFile as problem:
                log.warning("metrics-not-published", cause=str(problem))
            else:
                before = self._metrics_file.previous()
                if before is not None:
                    self.metrics.restore(before)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._publish_forever()), loop.create_task(self._write_forever())]

    async def stop(self) -> None:
        """Stop the background tasks and write what is in memory, if the store can be reached."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.write()
        self.publish()
        if self._metrics_file is not None:
            self._metrics_file.close()
            self._metrics_file = None

    def publish(self) -> None:
        """Publish the counts. Logs withheld lines and changes of the login alarm."""
        withheld, self._lines.withheld = self._lines.withheld, 0
        if withheld:
            self.metrics.count("refusals_unlogged", by=withheld)
            log.warning("refusals-not-logged", count=withheld)
        ok, refused = self.metrics.logins.recent(self._clock())
        if login_alarm(ok, refused) is not self._alarmed:
            self._alarmed = not self._alarmed
            log.warning("login-alarm", alarm=self._alarmed, refused=refused, ok=ok)
        for name, attribute in _STORE_COUNTERS.items():
            now = getattr(self._store.stats, attribute)
            self.metrics.count(name, by=now - self._counted[name])
            self._counted[name] = now
        if self._metrics_file is not None:
            self._metrics_file.publish(self.metrics.snapshot(self._kind, os.getpid(), self._clock(), self._gauges()))

    async def write(self) -> int:
        """Write the aggregates to the audit trail and return the number of rows. Keeps them if the store is unavailable."""
        batch = self.aggregator.drain()
        if not batch:
            return 0
        try:
            await self._store.write_across(partial(refusal_aggregator.write, batch=batch))
        except StoreUnavailable as problem:
            self.aggregator.restore(batch)
            log.warning("audit-not-written", cause=str(problem))
        return len(batch.rows)

    async def _publish_forever(self) -> None:
        while True:
            try:
                self.publish()
            except Exception:
                log.exception("metrics-not-published")
            await asyncio.sleep(PUBLISH_INTERVAL_S)

    async def _write_forever(self) -> None:
        pause = WRITE_INTERVAL_S
        while True:
            await asyncio.sleep(pause)
            try:
                written = await self.write()
            except Exception:
                log.exception("audit-not-written")
            else:
                pause = min(MAX_WRITE_INTERVAL_S, pause * 2) if written > BUSY_BATCH_ROWS else WRITE_INTERVAL_S
