"""Throttles addresses that are refused again and again.

It counts refusals, not requests: up to the limit a refused request gets its own error, and an accepted one is not counted.
The limit is far above what a misconfigured client causes, so other clients behind the same address do not notice it.
"""

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Network

from bedesten.core.addresses import parse_address
from bedesten.ratelimit.limits import Counters

_SHIFT = 44
_MOMENT = (1 << _SHIFT) - 1
_MAX_COUNT = (1 << 64 - _SHIFT) - 1


class AddressThrottle:
    """Counts refusals by address in windows of fixed length; an address's first refusal opens its window.

    IPv6 is counted by /64, which is what one subscriber gets; IPv4 in IPv6 counts as IPv4. The counts are in a table of
    `counters`, so the limit holds for all workers of the machine together and the memory is bounded: when the table is
    full, the address with the fewest refusals is dropped first.

    The upper bits of a slot's word are the number of refusals, the lower 44 bits the end of the window in epoch
    milliseconds. `counters.throttled_until` is when the last throttled address may send again. Usually no address is
    throttled, and `admit` reads nothing else. It sees what another process writes there a millisecond later.
    """

    __slots__ = ("_counters", "_read_at", "_table", "_throttled_until", "_window", "limit", "report")

    def __init__(self, counters: Counters, limit: int = 600, window_ms: int = 60_000) -> None:
        self._counters = counters
        self._table = counters.refusals
        self.limit = limit
        self._window = window_ms
        self._throttled_until = self._read_at = 0
        self.report: Callable[[str, int, int], None] | None = None
        """Called after each refusal that counts, with the address's name, its refusals in the window, and the moment."""

    def admit(self, address: str, now: int) -> int | None:
        """Returns None if the address is not throttled; else the whole seconds, at least 1, for `Retry-After`."""
        if now != self._read_at:
            self._throttled_until, self._read_at = self._counters.throttled_until, now
        if now >= self._throttled_until:
            return None
        count, end = self._counted(self._table.get(counting_unit(address)), now)
        return -((now - end) // 1000) if count >= self.limit else None

    def refused(self, address: str, now: int) -> None:
        """Counts one refusal (401 and similar) against the address."""
        unit = counting_unit(address)
        self._counters.lock()
        try:
            count = self._count(unit, now)
        finally:
            self._counters.unlock()
        if self.report is not None:
            self.report(unit, count, now)

    def fill(self, unit: str, now: int, duration_ms: int) -> None:
        """Throttles an address (`counting_unit`) for a window at most, because another machine throttles it."""
        end = now + min(duration_ms, self._window)
        self._counters.lock()
        try:
            at, word = self._table.slot(unit, lambda word: word if self._counted(word, now)[0] else 0)
            count, known_end = self._counted(word, now)
            if count < self.limit or known_end < end:
                self._put(unit, at, self.limit, end, now)
        finally:
            self._counters.unlock()

    def _count(self, unit: str, now: int) -> int:
        at, word = self._table.slot(unit, lambda word: word if self._counted(word, now)[0] else 0)
        count, end = word >> _SHIFT, word & _MOMENT
        if not (count and 0 < end - now <= self._window):
            count, end = 0, now + self._window
        if count < _MAX_COUNT:
            count += 1
        self._put(unit, at, count, end, now)
        return count

    def _put(self, unit: str, at: int, count: int, end: int, now: int) -> None:
        self._table.put(unit, at, count << _SHIFT | end)
        if count >= self.limit and not end <= self._counters.throttled_until <= now + self._window:
            self._counters.throttled_until = self._throttled_until = end

    def _counted(self, word: int, now: int) -> tuple[int, int]:
        """Returns the refusals of the current window and its end; 0 and `now` if it is over or the clock went back."""
        end = word & _MOMENT
        return (word >> _SHIFT, end) if 0 < end - now <= self._window else (0, now)


@lru_cache(maxsize=8192)
def counting_unit(address: str) -> str:
    """Returns the name under which an address is counted: IPv4 itself, IPv6 as its /64, any other text as it is."""
    parsed = parse_address(address)
    if parsed is None:
        return address
    return str(parsed) if parsed.version == 4 else str(IPv6Network((parsed, 64), strict=False))
