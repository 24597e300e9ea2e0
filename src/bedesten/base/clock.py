"""Time as integers: milliseconds since the Unix epoch, UTC. Passed in, never read by the domain itself."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]
"""Gives the present moment in epoch milliseconds. May jump: nothing here assumes that it never goes back."""

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def system_clock() -> int:
    """The machine's wall clock in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def wire_time(at: int) -> str:
    """The moment as the wire shows it: `yyyy-MM-ddTHH:mm:ssZ`, the fraction of a second cut off."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def parse_duration(text: str) -> int:
    """Milliseconds of `90s`, `30m`, `1h`, `7d` or `250ms`. Raises ValueError on anything else, on zero and below."""
    for unit in ("ms", "s", "m", "h", "d"):
        number = text.removesuffix(unit)
        if number != text and number.isascii() and number.isdigit() and len(number) <= 9:
            amount = int(number) * _UNITS[unit]
            if amount > 0:
                return amount
            break
    raise ValueError("a duration is a whole number and a unit: 250ms, 90s, 30m, 1h or 7d")
