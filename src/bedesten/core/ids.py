"""Opaque identifiers: a short prefix for the kind of thing, and 26 digits that sort by time."""

import os
import re
import threading
import time
from collections.abc import Callable

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_PAIRS = tuple(a + b for a in _DIGITS for b in _DIGITS)
_SESSION = f"ses_[{_DIGITS}]{{26}}"
MAX_ID_LENGTH = 64


class IdGenerator:
    """Makes ids that sort in the order of their creation. Thread-safe.

    Ids of one generator always do, even if the clock goes back; ids of two processes on one clock do to a fraction of a
    microsecond. An id holds 64 bits of time (48 count milliseconds, 16 the fraction of one) and 64 random bits, so that
    nobody can guess one.
    """

    def __init__(
        self, clock_ns: Callable[[], int] = time.time_ns, randomness: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._clock_ns = clock_ns
        self._randomness = randomness
        self._last = 0
        self._lock = threading.Lock()

    def new(self, prefix: str) -> str:
        """Returns a new id, greater than every earlier one of the same prefix."""
        now = ((self._clock_ns() << 16) // 1_000_000) & 0xFFFFFFFFFFFFFFFF
        with self._lock:
            self._last = number = max(now, self._last + 1)
        return _encode(prefix, number << 64 | int.from_bytes(self._randomness(8)))


def first_id(prefix: str, at: int) -> str:
    """Returns the smallest id of a time (epoch ms); every id made earlier sorts before it."""
    return _encode(prefix, (at & 0xFFFFFFFFFFFF) << 80)


def earlier_id(identifier: str, by_ms: int) -> str:
    """Returns the smallest id of the same prefix at the time `by_ms` milliseconds before this id."""
    prefix, _, digits = identifier.partition("_")
    number = 0
    for digit in digits:
        number = number << 5 | _DIGITS.index(digit)
    return first_id(prefix, max(0, (number >> 80) - by_ms))


_request_ids: list[str] = []
os.register_at_fork(after_in_child=_request_ids.clear)


def request_id() -> str:
    """Returns a random id such as `req_9f…`, of 96 bits. They are drawn 256 at a time: one system call costs as much as
    verifying a token."""
    try:
        return _request_ids.pop()
    except IndexError:
        drawn = os.urandom(12 * 256).hex()
        _request_ids.extend(f"req_{drawn[at : at + 24]}" for at in range(0, len(drawn), 24))
        return request_id()


def _encode(prefix: str, number: int) -> str:
    pairs = _PAIRS
    return (
        f"{prefix}_{pairs[number >> 120 & 1023]}{pairs[number >> 110 & 1023]}{pairs[number >> 100 & 1023]}"
        f"{pairs[number >> 90 & 1023]}{pairs[number >> 80 & 1023]}{pairs[number >> 70 & 1023]}"
        f"{pairs[number >> 60 & 1023]}{pairs[number >> 50 & 1023]}{pairs[number >> 40 & 1023]}"
        f"{pairs[number >> 30 & 1023]}{pairs[number >> 20 & 1023]}{pairs[number >> 10 & 1023]}{pairs[number & 1023]}"
    )


def session_id(ids: IdGenerator) -> str:
    """Returns a fresh `sid` of a bearer token; a login begins a session."""
    return ids.new("ses")


def is_session_id(text: str) -> bool:
    """Whether the text has the form of a `sid` that this installation issues."""
    return re.fullmatch(_SESSION, text) is not None


def token_id(session: str, randomness: Callable[[int], bytes] = os.urandom) -> str:
    """Returns a fresh `jti` of a bearer token: its session's id and 64 random bits, so that a token names its session."""
    return f"{session}-{randomness(8).hex()}"


def is_token_id(text: str) -> bool:
    """Whether the text has the form of a `jti` that this installation issues."""
    return re.fullmatch(_SESSION + "-[0-9a-f]{16}", text) is not None


def session_of(token: str) -> str:
    """Returns the session of a `jti` that `token_id` made."""
    return token.partition("-")[0]


def is_id(text: str) -> bool:
    """Whether the text could be an id at all: 1 to 64 ASCII letters, digits, `_` or `-`."""
    return 0 < len(text) <= MAX_ID_LENGTH and text.isascii() and text.replace("_", "a").replace("-", "a").isalnum()
