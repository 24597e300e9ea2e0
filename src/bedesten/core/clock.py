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
MAX_TIME_MS = 253_402_300_799_999
"""The last millisecond of the year 9999: no time that is stored lies behind it, and none before 1970."""
MAX_DURATION_MS = 36_500 * DAY
"""The longest duration that is taken: a hundred years."""


def system_clock() -> int:
    """The machine's wall clock in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def wire_time(at: int) -> str:
    """The moment as the wire shows it: `yyyy-MM-ddTHH:mm:ssZ`, the fraction of a second cut off.

    What lies outside of the times that are stored is shown as the nearest one: no row takes a list down.
    """
    return datetime.fromtimestamp(min(max(at, 0), MAX_TIME_MS) // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def parse_duration(text: str) -> int:
    """Milliseconds of `90s`, `30m`, `1h`, `7d` or `250ms`. Raises ValueError on anything else, also on zero and too much."""
    for unit in ("ms", "s", "m", "h", "d"):
        number = text.removesuffix(unit)
        if number != text and number.isascii() and number.isdigit():
            amount = int(number[:20]) * _UNITS[unit]
            if amount > MAX_DURATION_MS:
                raise ValueError("a duration is at most 36500d, which is a hundred years")
            if amount > 0:
                return amount
            break
    raise ValueError("a duration is a whole number and a unit: 250ms, 90s, 30m, 1h or 7d")
