"""Simulates a wrong machine clock: `BEDESTEN_TEST_CLOCK_AHEAD_S` shifts it by seconds, in every process of a server.

Only the time of day is shifted, as on such a machine; durations use the monotonic clock.
"""

import contextlib
import os
import time
from collections.abc import Iterator

import pytest

VARIABLE = "BEDESTEN_TEST_CLOCK_AHEAD_S"


def apply() -> None:
    """Shifts the clock of this process."""
    ahead_s = int(os.environ.get(VARIABLE, "0"))
    if ahead_s:
        now_ns, now = time.time_ns, time.time
        time.time_ns = lambda: now_ns() + ahead_s * 1_000_000_000
        time.time = lambda: now() + ahead_s


@contextlib.contextmanager
def clock_ahead(seconds: int) -> Iterator[None]:
    """Shifts the clock of servers that start in the block; a negative value makes it slow."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(VARIABLE, str(seconds))
        yield
