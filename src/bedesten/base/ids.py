"""Opaque identifiers: a short prefix that says what it names, and 26 digits that sort by time."""

import os
import threading

from bedesten.base.clock import system_clock

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_PAIRS = tuple(a + b for a in _DIGITS for b in _DIGITS)
MAX_ID_LENGTH = 64


def new_id(prefix: str) -> str:
    """A fresh id such as `ord_01jd…`: 48 bits of time in milliseconds, then 80 random bits.

    Ids made later sort later (to the millisecond), which keeps index pages together; the random part makes them
    impossible to guess.
    """
    return _spelt(prefix, (system_clock() & 0xFFFFFFFFFFFF) << 80 | int.from_bytes(os.urandom(10)))


def first_id(prefix: str, at: int) -> str:
    """The smallest id that can have been made at this moment (epoch ms): what was made before sorts before it."""
    return _spelt(prefix, (at & 0xFFFFFFFFFFFF) << 80)


_request_ids: list[str] = []
os.register_at_fork(after_in_child=_request_ids.clear)


def request_id() -> str:
    """A fresh random id such as `req_9f…`, of 96 bits. Drawn by the hundred: asking the system costs as much as a token."""
    try:
        return _request_ids.pop()
    except IndexError:
        drawn = os.urandom(12 * 256).hex()
        _request_ids.extend(f"req_{drawn[at : at + 24]}" for at in range(0, len(drawn), 24))
        return request_id()


class OrderedIds:
    """Ids that sort as they were made, also within a millisecond and when the clock goes back; in one process.

    Of the 80 bits behind the time 16 count and 64 are random. Safe for several threads.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._last = 0
        self._lock = threading.Lock()

    def new(self) -> str:
        """A fresh id, greater than every one before."""
        now = (system_clock() & 0xFFFFFFFFFFFF) << 16
        with self._lock:
            self._last = number = max(now, self._last + 1)
        return _spelt(self._prefix, number << 64 | int.from_bytes(os.urandom(8)))


def _spelt(prefix: str, number: int) -> str:
    pairs = _PAIRS
    return (
        f"{prefix}_{pairs[number >> 120 & 1023]}{pairs[number >> 110 & 1023]}{pairs[number >> 100 & 1023]}"
        f"{pairs[number >> 90 & 1023]}{pairs[number >> 80 & 1023]}{pairs[number >> 70 & 1023]}"
        f"{pairs[number >> 60 & 1023]}{pairs[number >> 50 & 1023]}{pairs[number >> 40 & 1023]}"
        f"{pairs[number >> 30 & 1023]}{pairs[number >> 20 & 1023]}{pairs[number >> 10 & 1023]}{pairs[number & 1023]}"
    )


def token_id() -> str:
    """A fresh `jti` of a bearer token: 96 random bits in 24 hexadecimal digits."""
    return os.urandom(12).hex()


def is_token_id(text: str) -> bool:
    """Whether the text has the form of a `jti` that this house issues."""
    return len(text) == 24 and not set(text) - set("0123456789abcdef")


def is_id(text: str) -> bool:
    """Whether the text could be an id at all: 1 to 64 ASCII letters, digits, `_` or `-`."""
    return 0 < len(text) <= MAX_ID_LENGTH and text.isascii() and text.replace("_", "a").replace("-", "a").isalnum()
