"""The throttle: an address that is refused far beyond honest trouble is told to wait.

It counts refusals, not requests: up to the limit every refusal keeps its true answer, and good credentials count for
nothing. The limit is so far beyond honest trouble that those who share an address with somebody in trouble never notice.
"""

from functools import lru_cache
from ipaddress import IPv6Network

from bedesten.core.addresses import parse_address
from bedesten.ratelimit.limits import Counters

_SHIFT = 44
_MOMENT = (1 << _SHIFT) - 1
_MAX_COUNT = (1 << 64 - _SHIFT) - 1


class AddressThrottle:
    """Refusals by address in windows of fixed length, each opened by an address's first refusal.

    IPv6 is counted by /64, which is what one subscriber gets; IPv4 in IPv6 counts as IPv4. The counts are in a table of
    `counters`, so the limit holds for all workers of the machine together and its memory is bounded: when more addresses
    are refused than it has room for, those are forgotten first that were refused the least.

    A slot's word is the number of refusals above the end of the window in epoch milliseconds. The tables' note is until
    when anybody has to wait at all: in honest times that is all that is ever looked at.
    """

    __slots__ = ("_counters", "_limit", "_table", "_window")

    def __init__(self, counters: Counters, limit: int = 600, window_ms: int = 60_000) -> None:
        self._counters = counters
        self._table = counters.refusals
        self._limit = limit
        self._window = window_ms

    def admit(self, address: str, now: int) -> int | None:
        """None if the address may be answered; else the whole seconds, at least 1, for `Retry-After`."""
        if now >= self._counters.note:
            return None
        count, end = self._counted(self._table.get(counting_unit(address)), now)
        return -((now - end) // 1000) if count >= self._limit else None

    def refused(self, address: str, now: int) -> None:
        """Counts one refusal (401 and its like) against the address."""
        unit = counting_unit(address)
        self._counters.lock()
        try:
            self._count(unit, now)
        finally:
            self._counters.unlock()

    def _count(self, unit: str, now: int) -> None:
        at, word = self._table.slot(unit, lambda word: word if self._counted(word, now)[0] else 0)
        count, end = self._counted(word, now)
        if not count:
            end = now + self._window
        count = min(count + 1, _MAX_COUNT)
        self._table.put(unit, at, count << _SHIFT | end)
        if count >= self._limit and not end <= self._counters.note <= now + self._window:
            self._counters.note = end

    def _counted(self, word: int, now: int) -> tuple[int, int]:
        """Refusals in the window that runs now, and its end; nothing if it is over, or if the clock went back."""
        end = word & _MOMENT
        return (word >> _SHIFT, end) if 0 < end - now <= self._window else (0, now)


@lru_cache(maxsize=8192)
def counting_unit(address: str) -> str:
    """What an address is counted as: IPv4 as it is, IPv6 as its /64; anything that is no address as its own text."""
    parsed = parse_address(address)
    if parsed is None:
        return address
    return str(parsed) if parsed.version == 4 else str(IPv6Network((parsed, 64), strict=False))
