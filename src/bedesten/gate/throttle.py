"""The throttle: an address that is refused far beyond honest trouble is told to wait.

It counts refusals, not requests: whoever presents a good credential is never slowed down by it, and up to the limit
every refusal keeps its true answer.
"""

from functools import lru_cache
from ipaddress import IPv6Network

from bedesten.gate.apikeys import parse_address


class AddressThrottle:
    """Refusals by address in windows of fixed length, each opened by an address's first refusal.

    IPv6 is counted by /64, which is what one subscriber gets; IPv4 in IPv6 counts as IPv4. At most `max_addresses`
    are remembered: a full young half becomes the old half, and the one before that is forgotten, the least recently
    refused first. Every step takes constant time. For one thread (the event loop), and for one process: N workers
    let through up to N times the limit.
    """

    __slots__ = ("_half", "_limit", "_old", "_window", "_young")

    def __init__(self, limit: int = 600, window_ms: int = 60_000, max_addresses: int = 65_536) -> None:
        self._limit = limit
        self._window = window_ms
        self._half = max(1, max_addresses // 2)
        self._young: dict[str, tuple[int, int]] = {}  # address: start of its window (ms), refusals in it
        self._old: dict[str, tuple[int, int]] = {}

    def admit(self, address: str, now: int) -> int | None:
        """None if the address may be answered; else the whole seconds, at least 1, for `Retry-After`."""
        if not self._young:
            return None
        counted = self._counted(counting_unit(address))
        if counted is None or counted[1] < self._limit:
            return None
        left = counted[0] + self._window - now
        if not 0 < left <= self._window:  # over, or the clock went back
            return None
        return -(-left // 1000)

    def refused(self, address: str, now: int) -> None:
        """Counts one refusal (401 and its like) against the address."""
        unit = counting_unit(address)
        start, count = self._counted(unit) or (now, 0)
        if not start <= now < start + self._window:
            start, count = now, 0
        if unit not in self._young and len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[unit] = (start, count + 1)

    def _counted(self, unit: str) -> tuple[int, int] | None:
        return self._young.get(unit) or self._old.get(unit)

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


@lru_cache(maxsize=8192)
def counting_unit(address: str) -> str:
    """What an address is counted as: IPv4 as it is, IPv6 as its /64; anything that is no address as its own text."""
    parsed = parse_address(address)
    if parsed is None:
        return address
    return str(parsed) if parsed.version == 4 else str(IPv6Network((parsed, 64), strict=False))
