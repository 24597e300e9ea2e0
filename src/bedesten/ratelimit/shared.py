"""Limits that several machines share: shared buckets, and the counts that each process has not reported to them yet.

Each machine counts in its own memory (`ratelimit.limits`) and decides about requests there. It reports its counts to
the shared buckets; their answer includes the counts of the other machines, which it merges into its own.

- A small limit (up to `MAX_EXACT` a minute) is *exact*: every request asks the shared bucket before it goes on.
- A larger one is reported in *pieces* of a hundredth, in the background. While a report is under way a second piece may be
  taken, and any request beyond that waits for the report. So each process lets through at most `MAX_PIECES` pieces
  beyond the limit. A request in a hundred costs a round trip; no request waits for it while the client keeps its limit.
- Refusals of an address are reported in eighths of their limit. When the address's bucket is full, each
  machine that reports or asks throttles the address.
- A login asks about its address every time (`check_address`), and fails if there is no answer.

The buckets report their fill level as a duration, so differences between the machines' clocks do not matter. While they
are unavailable, each machine counts alone (`shared` is False) and tries them again every `RETRY_S`.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, NamedTuple, Protocol

import structlog

from bedesten.ratelimit.limits import MINUTE_US, LimitStatus, RateLimit, RateLimiter
from bedesten.ratelimit.throttle import AddressThrottle, counting_unit

log = structlog.get_logger("bedesten.ratelimit")

MAX_EXACT = 120
"""Largest limit (requests a minute) for which every request asks the shared bucket."""
PIECES = 100
"""A larger limit is reported in this many pieces."""
MAX_PIECES = 2
"""Maximum pieces that a process lets through without an answer from the shared bucket."""
REFUSAL_PIECES = 8
TIMEOUT_S, LOGIN_TIMEOUT_S = 0.5, 2.0
"""Longest wait of a request, which then goes on, and of a login, which then fails."""
RETRY_S = 1.0
FORGET_S = 60.0
"""Counts that were not reported for this time are dropped: the bucket has drained since."""
MAX_NAMES = 65_536
"""Names with unreported counts. At the limit all counts are dropped, which lets each name take one more piece."""


class BucketsUnavailable(Exception):
    """The shared buckets cannot be reached now."""


class Take(NamedTuple):
    """Takes `requests` from the bucket `name`: 0 only reads it, a negative number gives requests back. With `exact` it
    takes all of them or none."""

    name: str
    per_minute: int
    requests: int
    exact: bool


class TakeResult(NamedTuple):
    """Whether the requests were taken, and the microseconds until the bucket is empty again."""

    accepted: bool
    ahead_us: int


class SharedBuckets(Protocol):
    """The store of the shared buckets. Used on one event loop."""

    async def take(self, take: Take, timeout_s: float) -> TakeResult:
        """Takes from one bucket. Raises `BucketsUnavailable`, also after the time-out."""
        ...

    async def close(self) -> None:
        """Closes the connections."""
        ...


@dataclass(slots=True)
class _UnreportedCount:
    count: int = 0
    since: float = 0.0
    report: asyncio.Task[None] | None = None


class SharedLimits:
    """Synchronises a machine's counts with the shared buckets. Lives on the event loop."""

    def __init__(self, buckets: SharedBuckets, limiter: RateLimiter, throttle: AddressThrottle) -> None:
        self._buckets = buckets
        self._limiter = limiter
        self._throttle = throttle
        self._unreported: dict[str, _UnreportedCount] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._retry_at = 0.0
        self.shared = True
        throttle.report = self._report_refusals

    async def close(self) -> None:
        """Cancels reports that are under way, and closes the buckets."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._buckets.close()

    # --- requests ---

    def note(self, limits: Sequence[RateLimit], now: int) -> list[RateLimit]:
        """Counts a request that this machine let through. Returns the limits that it must `confirm` first."""
        return [limit for limit in limits if self._must_wait(limit, now)]

    async def confirm(self, limits: Sequence[RateLimit], waiting: Sequence[RateLimit], now: int) -> list[LimitStatus]:
        """Checks the limits in `waiting`, and returns the state of all `limits`. If one of them refuses the request, it
        counts against none of `limits`."""
        asked: list[RateLimit] = []
        for limit in waiting:
            ahead_us = await self._refused_for(limit, now)
            if ahead_us is not None:
                self._limiter.learn(limit, ahead_us, now)
                statuses = self._limiter.look(limits, now)
                await self._undo(limits, asked, now)
                self._limiter.learn(limit, ahead_us, now)
                return statuses
            if limit.per_minute <= MAX_EXACT:
                asked.append(limit)
        return self._limiter.look(limits, now, counted=True)

    def _must_wait(self, limit: RateLimit, now: int) -> bool:
        if limit.per_minute <= MAX_EXACT:
            return self._reachable()
        piece = limit.per_minute // PIECES
        unreported = self._of(limit.name)
        unreported.count += 1
        if unreported.count < piece:
            return False
        if unreported.report is None:
            self._begin_report(limit, unreported, now)
            return False
        return unreported.count > piece

    async def _refused_for(self, limit: RateLimit, now: int) -> int | None:
        """Returns None if the limit allows the request, else the `ahead_us` for `RateLimiter.learn`."""
        if limit.per_minute > MAX_EXACT:
            return await self._refused_by_report(limit, now)
        taken = await self._ask(Take(limit.name, limit.per_minute, 1, exact=True))
        if taken is None:
            return None
        if taken.accepted:
            self._limiter.learn(limit, taken.ahead_us, now)
            return None
        step = MINUTE_US // limit.per_minute
        return max(taken.ahead_us, (limit.per_minute - 1) * step + 1)

    async def _refused_by_report(self, limit: RateLimit, now: int) -> int | None:
        unreported = self._of(limit.name)
        if unreported.report is not None:
            await asyncio.shield(unreported.report)
        if self._limiter.look((limit,), now)[0].retry:  # others have filled the bucket meanwhile
            return 0
        if unreported.report is None and unreported.count >= limit.per_minute // PIECES:
            self._begin_report(limit, unreported, now)
        return None

    async def _undo(self, limits: Sequence[RateLimit], asked: Sequence[RateLimit], now: int) -> None:
        self._limiter.give_back(limits, now)
        for limit in limits:
            unreported = self._unreported.get(limit.name)
            if unreported is not None and unreported.count:
                unreported.count -= 1
        for limit in asked:
            await self._ask(Take(limit.name, limit.per_minute, -1, exact=False))

    def _of(self, name: str) -> _UnreportedCount:
        found, moment = self._unreported.get(name), monotonic()
        if found is None:
            if len(self._unreported) >= MAX_NAMES:
                self._unreported.clear()
            found = self._unreported[name] = _UnreportedCount(since=moment)
        elif moment - found.since > FORGET_S and found.report is None:
            found.count, found.since = 0, moment
        return found

    def _begin_report(self, limit: RateLimit, unreported: _UnreportedCount, now: int) -> None:
        count, unreported.count, unreported.since = unreported.count, 0, monotonic()
        if self._reachable():
            unreported.report = self._run(self._report(limit, unreported, count, now))

    async def _report(self, limit: RateLimit, unreported: _UnreportedCount, count: int, now: int) -> None:
        try:
            taken = await self._ask(Take(limit.name, limit.per_minute, count, exact=False))
            if taken is not None:
                self._limiter.learn(limit, taken.ahead_us, now)
        finally:
            unreported.report = None

    # --- refusals ---

    def _report_refusals(self, unit: str, count: int, now: int) -> None:
        """Reports refusals in pieces. The throttle calls it with the number of an address's refusals in its window."""
        piece = max(1, self._throttle.limit // REFUSAL_PIECES)
        if count % piece == 0 and self._reachable():
            self._run(self._refusals(unit, piece, now, count >= self._throttle.limit))

    async def _refusals(self, unit: str, count: int, now: int, full: bool) -> None:
        limit = self._throttle.limit
        taken = await self._ask(Take(f"refusals {unit}", limit, count, exact=False))
        if taken is not None:
            step = MINUTE_US // limit
            await self._throttled(unit, now, full or taken.ahead_us > (limit - 1) * step)

    async def _throttled(self, unit: str, now: int, begin: bool, timeout_s: float = TIMEOUT_S) -> bool:
        """Throttles the address here until no machine does. Returns False if the buckets cannot be reached."""
        taken = await self._ask(Take(f"throttled {unit}", 1, int(begin), exact=False), timeout_s)
        if taken is not None and taken.ahead_us > 0:
            self._throttle.fill(unit, now, -(-taken.ahead_us // 1000))
        return taken is not None

    async def check_address(self, address: str, now: int) -> None:
        """Asks whether any machine throttles the address; `AddressThrottle.admit` then knows.

        Raises `BucketsUnavailable`.
        """
        if not await self._throttled(counting_unit(address), now, False, LOGIN_TIMEOUT_S):
            raise BucketsUnavailable("the shared limits cannot be asked")

    # --- the shared buckets ---

    def _reachable(self) -> bool:
        return self.shared or monotonic() >= self._retry_at

    async def _ask(self, take: Take, timeout_s: float = TIMEOUT_S) -> TakeResult | None:
        """Asks the buckets; None if they cannot be reached now. A login asks even right after a failure."""
        if timeout_s != LOGIN_TIMEOUT_S and not self._reachable():
            return None
        try:
            taken = await self._buckets.take(take, timeout_s)
        except BucketsUnavailable as problem:
            if self.shared:
                log.warning("limits-not-shared", cause=str(problem))
            self.shared, self._retry_at = False, monotonic() + RETRY_S
            return None
        if not self.shared:
            log.info("limits-shared-again")
        self.shared = True
        return taken

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
