"""What is kept of requests besides their effects: counts for the operator's plane, sums for the trail, lines in the log.

Nothing of it makes a request wait. Refusals are logged one by one, with their precise cause and the request id, up to
`LINES_A_SECOND`; what is over that is counted and the count is logged, so that an attack neither fills a disk nor makes
refusing dear. Refused *credentials* are in the trail besides, all of them, summed up (see `audit.tally`).

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
from bedesten.audit import tally
from bedesten.audit.tally import Tally
from bedesten.core.clock import Clock, system_clock
from bedesten.errors import Refusal
from bedesten.store.store import Store
from bedesten.store.transaction import OutcomeOpen, StoreUnavailable
from bedesten.telemetry.meter import Label, Meter, login_alarm
from bedesten.telemetry.slots import NoSlot, Slot

log = structlog.get_logger("bedesten.http")

LINES_A_SECOND, LINES_AT_ONCE = 50, 200
PUBLISH_EVERY = 1.0
WRITE_EVERY, WRITE_SELDOM = 5.0, 60.0
"""Seconds between two writings of sums: the first usually, the second while there are many of them."""
MANY = 50

_CREDENTIAL_CODES = frozenset(
    {errors.TOO_MANY_REQUESTS.number, errors.LOGIN_REFUSED.number, errors.TOO_MANY_LOGINS.number}
)
_LOGIN_RESULTS = {errors.LOGIN_REFUSED.number: "refused", errors.TOO_MANY_LOGINS.number: "waiting"}

_OF_STORE = {
    "commits": "transactions",
    "committed_actions": "actions",
    "store_retries": "retries",
    "store_lock_waits": "lock_waits",
    "store_connections": "connections",
}
"""Counters, and where the store counts them."""

Gauges = Callable[[], Iterable[tuple[Label, float]]]


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


class LineLimit:
    """How many lines may be logged: so many a second on the long run, some more at once."""

    def __init__(self, a_second: int = LINES_A_SECOND, at_once: int = LINES_AT_ONCE) -> None:
        self._a_second = a_second
        self._at_once = at_once
        self._left = float(at_once)
        self._at = monotonic()
        self.withheld = 0

    def admits(self) -> bool:
        """Whether one more line may be logged; if not, it is counted as withheld."""
        now = monotonic()
        self._left = min(self._at_once, self._left + (now - self._at) * self._a_second)
        self._at = now
        if self._left < 1:
            self.withheld += 1
            return False
        self._left -= 1
        return True


class Observer:
    """One process's. Lives on the event loop. `directory` is where counts are published; None: nowhere."""

    def __init__(self, store: Store, clock: Clock = system_clock, directory: Path | None = None) -> None:
        self.meter = Meter()
        self.tally = Tally()
        self._store = store
        self._clock = clock
        self._lines = LineLimit()
        self._directory = directory
        self._slot: Slot | None = None
        self._gauges: Gauges = tuple
        self._kind = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._counted = dict.fromkeys(_OF_STORE, 0)
        store.observe = self.meter.stored
        self._alarmed = False

    def refused(self, refusal: Refusal, seen: RequestInfo, now: int) -> None:
        """Notes a refusal with its precise cause."""
        row = refusal.row
        cause, before = refusal.cause, refusal.__cause__
        if row is errors.TOO_MANY_REQUESTS and isinstance(before, Refusal):
            cause = f"{cause}; {before.row.number} {before.cause}"
        who = refusal.who or seen.who
        if seen.tenant and (row.status in (401, 403) or row.number in _CREDENTIAL_CODES):
            self.tally.refused(seen.tenant, row.number, cause, who, seen.address, seen.endpoint, seen.request_id, now)
        if seen.tenant and isinstance(before, OutcomeOpen):
            self.tally.open_outcome(seen.tenant, row.number, who, seen.address, seen.endpoint, seen.request_id, now)
        result = _LOGIN_RESULTS.get(row.number)
        if result is not None:
            self.meter.count("logins", seen.surface, result)
            self.meter.logins.count(now, refused=True)
        if self._lines.admits():
            log.info(
                "refused",
                code=row.number,
                cause=cause,
                request_id=seen.request_id,
                tenant=seen.tenant,
                who=who,
                method=seen.method[:16],
                endpoint=seen.endpoint,
                address=seen.address,
            )

    def logged_in(self, seen: RequestInfo, now: int) -> None:
        """Notes a login that succeeded. How many there are is bounded by the hashing of passwords."""
        self.tally.logged_in(seen.tenant, seen.who, seen.address, seen.endpoint, seen.request_id, now)
        self.meter.count("logins", seen.surface, "ok")
        self.meter.logins.count(now, refused=False)
        log.info(
            "login",
            request_id=seen.request_id,
            tenant=seen.tenant,
            who=seen.who,
            surface=seen.surface,
            address=seen.address,
        )

    # --- beside the requests ---

    def start(self, kind: str, gauges: Gauges) -> None:
        """Begins to publish and to write, as a process of this kind. Once, on the running event loop."""
        assert not self._tasks, "started twice"
        self._kind, self._gauges = kind, gauges
        if self._directory is not None:
            try:
                self._slot = Slot(self._directory)
            except NoSlot as problem:
                log.warning("not-metered", cause=str(problem))
            else:
                before = self._slot.before()
                if before is not None:
                    self.meter.go_on_from(before)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._publish_for_ever()), loop.create_task(self._write_for_ever())]

    async def stop(self) -> None:
        """Ends both, after all has been written if the store can be reached."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.write()
        self.publish()
        if self._slot is not None:
            self._slot.close()
            self._slot = None

    def publish(self) -> None:
        """Puts the counts where the operator's plane finds them, and logs what only sums can tell."""
        withheld, self._lines.withheld = self._lines.withheld, 0
        if withheld:
            self.meter.count("refusals_unlogged", by=withheld)
            log.warning("refused-not-logged", count=withheld)
        ok, refused = self.meter.logins.recent(self._clock())
        if login_alarm(ok, refused) is not self._alarmed:
            self._alarmed = not self._alarmed
            log.warning("many-logins-refused", alarm=self._alarmed, refused=refused, ok=ok)
        for name, attribute in _OF_STORE.items():
            now = getattr(self._store.commits, attribute)
            self.meter.count(name, by=now - self._counted[name])
            self._counted[name] = now
        if self._slot is not None:
            self._slot.publish(self.meter.snapshot(self._kind, os.getpid(), self._clock(), self._gauges()))

    async def write(self) -> int:
        """Writes what was summed up; answers how many rows that were. What the store does not take is kept."""
        batch = self.tally.take()
        if not batch:
            return 0
        try:
            await self._store.write_across(partial(tally.write, batch=batch))
        except StoreUnavailable as problem:
            self.tally.put_back(batch)
            log.warning("trail-not-written", cause=str(problem))
        return len(batch.rows)

    async def _publish_for_ever(self) -> None:
        while True:
            try:
                self.publish()
            except Exception:
                log.exception("counts-not-published")
            await asyncio.sleep(PUBLISH_EVERY)

    async def _write_for_ever(self) -> None:
        pause = WRITE_EVERY
        while True:
            await asyncio.sleep(pause)
            try:
                written = await self.write()
            except Exception:
                log.exception("trail-not-written")
            else:
                pause = min(WRITE_SELDOM, pause * 2) if written > MANY else WRITE_EVERY
