"""Time as integers: milliseconds since the Unix epoch, UTC. Callers pass the time in; the domain never reads a clock."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]
"""Returns the current time in epoch milliseconds. It may jump; no code assumes that it never goes back."""

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MAX_TIME_MS = 253_402_300_799_999
"""The last millisecond of the year 9999. Every stored time is between 1970 and this."""
MAX_DURATION_MS = 36_500 * DAY
"""The longest accepted duration: a hundred years."""


def system_clock() -> int:
    """Returns the machine's wall clock in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def wire_time(at: int) -> str:
    """Returns the time in the wire format: `yyyy-MM-ddTHH:mm:ssZ`, without the fraction of a second.

    A time outside the range of stored times becomes the nearest one in it, so that no row makes a list fail.
    """
    return datetime.fromtimestamp(min(max(at, 0), MAX_TIME_MS) // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def parse_duration(text: str) -> int:
    """Returns the milliseconds of `90s`, `30m`, `1h`, `7d` or `250ms`. Raises ValueError for any other text, for zero and
    for more than `MAX_DURATION_MS`."""
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


def parse_duration_or_time(text: str) -> tuple[int, None] | tuple[None, int]:
    """Returns a duration in ms, or a time in epoch ms. Raises ValueError."""
    if not _TIME.fullmatch(text):
        return parse_duration(text), None
    moment = int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 1000
    if moment < 0:
        raise ValueError("not before 1970")
    return None, moment


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
