"""A machine whose clock is wrong: `BEDESTEN_TEST_CLOCK_AHEAD_S` is by how many seconds, in every process of a server.

Only what asks for the time of day is moved, as on such a machine; durations are measured by another clock.
"""

import contextlib
import os
import time
from collections.abc import Iterator

import pytest

VARIABLE = "BEDESTEN_TEST_CLOCK_AHEAD_S"


def apply() -> None:
    """Moves the clock of this process."""
    ahead_s = int(os.environ.get(VARIABLE, "0"))
    if ahead_s:
        now_ns, now = time.time_ns, time.time
        time.time_ns = lambda: now_ns() + ahead_s * 1_000_000_000
        time.time = lambda: now() + ahead_s


@contextlib.contextmanager
def clock_ahead(seconds: int) -> Iterator[None]:
    """Servers that start in the block have such a clock; negative is slow."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(VARIABLE, str(seconds))
        yield
