"""Limits that several machines share: buckets in one place, and what each process has not reported there yet.

Each machine counts for itself in its own memory (`ratelimit.limits`), and a request is decided there. What was taken is
reported to the shared buckets; what others have taken comes back with the answer and is merged into the machine's count.

- A small limit (up to `MAX_EXACT` a minute) is *exact*: every request asks the shared bucket before it goes on.
- A larger one is reported in *pieces* of a hundredth, in the background. While a report is under way a second piece may be
  taken, and a request that comes after it waits for the report. So each process lets through at most `MAX_PIECES` pieces
  beyond the limit. A request in a hundred costs a round trip; no request waits for it while the client keeps its limit.
- Refusals of an address are reported in eighths of their limit. When the address's bucket is full, it is throttled on
  each machine that reports or asks.
- A login asks for its address every time (`check_address`), and fails if it cannot.

The buckets tell how much of them is taken as a duration, so the clocks of machines do not matter. While they cannot be
asked, each machine counts alone (`shared` is False), and they are tried again every `RETRY_S`.
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
"""Most pieces that a process lets through without an answer of the shared bucket."""
REFUSAL_PIECES = 8
TIMEOUT_S, LOGIN_TIMEOUT_S = 0.5, 2.0
"""Longest wait of a request, which then goes on, and of a login, which then fails."""
RETRY_S = 1.0
FORGET_S = 60.0
"""What was not reported for this time is dropped: the bucket has drained since."""
MAX_NAMES = 65_536
"""Names with something that is not reported yet. Beyond it all are forgotten, which lets each take one more piece."""


class BucketsUnavailable(Exception):
    """The shared buckets cannot be asked now."""


class Take(NamedTuple):
    """So many requests of the bucket `name`. With `exact` nothing is taken unless all of it is left; 0 requests only look,
    and a negative number gives back."""

    name: str
    per_minute: int
    requests: int
    exact: bool


class TakeResult(NamedTuple):
    """Whether it was taken, and the microseconds until the bucket is empty again."""

    accepted: bool
    ahead_us: int


class SharedBuckets(Protocol):
    """Where the buckets are. Used on one event loop."""

    async def take(self, take: Take, timeout_s: float) -> TakeResult:
        """Takes from one bucket. Raises `BucketsUnavailable`, after the time-out too."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...


@dataclass(slots=True)
class _UnreportedCount:
    count: int = 0
    since: float = 0.0
    report: asyncio.Task[None] | None = None


class SharedLimits:
    """Joins a machine's counts with the shared buckets. Lives on the event loop."""

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
        """Ends reports that are under way."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._buckets.close()

    # --- requests ---

    def note(self, limits: Sequence[RateLimit], now: int) -> list[RateLimit]:
        """Notes a request that this machine let through. Returns the limits for which it has to wait for `confirm`."""
        return [limit for limit in limits if self._must_wait(limit, now)]

    async def confirm(self, limits: Sequence[RateLimit], waiting: Sequence[RateLimit], now: int) -> list[LimitStatus]:
        """Asks for the limits in `waiting`, and returns the state of all. If one of them does not allow the request,
        nothing of it is counted, in none of `limits`."""
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
        """None if the limit lets the request pass, else the microseconds that its bucket is full ahead."""
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
        """Called by the throttle with the number of an address's refusals in its window."""
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
        """Throttles the address here for as long as it is throttled anywhere. Returns False if that cannot be known."""
        taken = await self._ask(Take(f"throttled {unit}", 1, int(begin), exact=False), timeout_s)
        if taken is not None and taken.ahead_us > 0:
            self._throttle.fill(unit, now, -(-taken.ahead_us // 1000))
        return taken is not None

    async def check_address(self, address: str, now: int) -> None:
        """Asks whether the address was refused too often on any machine; `AddressThrottle.admit` then tells.

        Raises `BucketsUnavailable`.
        """
        if not await self._throttled(counting_unit(address), now, False, LOGIN_TIMEOUT_S):
            raise BucketsUnavailable("the shared limits cannot be asked")

    # --- the shared buckets ---

    def _reachable(self) -> bool:
        return self.shared or monotonic() >= self._retry_at

    async def _ask(self, take: Take, timeout_s: float = TIMEOUT_S) -> TakeResult | None:
        """None if the buckets cannot be asked now. A login asks even if they could not be a moment ago."""
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
