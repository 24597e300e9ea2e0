"""The meter: what a process counts of itself, in plain integers, so that counting costs a request about a microsecond.

Nothing is locked and nothing is sent: once a second the whole of it is put where the admin listener finds it (see
`slots`). The names are those of the metrics, without their prefix; what they mean is in `operator.metrics`.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import perf_counter

import msgspec

REVISION_CHECK_BUCKETS = (0.000_025, 0.000_1, 0.000_25, 0.001, 0.002_5, 0.01, 0.05, 0.25, 1.0, 5.0)
REQUEST_BUCKETS = (0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
LOGIN_WINDOW_MIN = 5
"""Minutes over which refused logins are compared with all."""
LOGIN_ALARM_THRESHOLD = 50
"""So many refused logins in that time, and at least half of all, are an attack on passwords (or a broken client)."""
MAX_SERIES = 2_000
"""Nobody outside can make up a label; this is in case somebody inside makes that possible by mistake."""

Series = tuple[str, ...]
"""A metric's name and the values of its labels."""


@dataclass(slots=True)
class Histogram:
    """How often something took how long: counts up to each of `bounds` (seconds) and above the last one, and the sum."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Counts one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


class Snapshot(msgspec.Struct):
    """Everything that a process has counted up to a moment (epoch ms). Each counter and gauge is a label and a number."""

    kind: str
    pid: int
    at: int
    counters: list[tuple[Series, int]] = []
    gauges: list[tuple[Series, float]] = []
    histograms: list[tuple[Series, tuple[float, ...], list[int], float]] = []
    logins: list[tuple[int, int, int]] = []
    """Minutes since the epoch, with logins that succeeded and that were refused in them."""


def login_alarm(ok: int, refused: int) -> bool:
    """Whether so many logins of the last minutes were refused that somebody should look."""
    return refused >= LOGIN_ALARM_THRESHOLD and refused >= ok


@dataclass(slots=True)
class LoginMinutes:
    """Logins of the last minutes, for the alarm about their ratio."""

    minutes: dict[int, list[int]] = field(default_factory=dict)
    retention_min: int = 10

    def count(self, now: int, refused: bool) -> None:
        """Counts one at a moment (epoch ms)."""
        minute = now // 60_000
        if minute not in self.minutes:
            self.minutes = {at: counts for at, counts in self.minutes.items() if abs(minute - at) < self.retention_min}
            self.minutes[minute] = [0, 0]
        self.minutes[minute][refused] += 1

    def recent(self, now: int) -> tuple[int, int]:
        """Logins of the last minutes that succeeded and that were refused."""
        this = now // 60_000
        counts = [counts for minute, counts in self.minutes.items() if this - LOGIN_WINDOW_MIN < minute <= this]
        return sum(ok for ok, _ in counts), sum(refused for _, refused in counts)


class Metrics:
    """The counts of one process. For one thread (the event loop)."""

    __slots__ = (
        "_longest_checks",
        "_revision_check",
        "_window_started",
        "counters",
        "histograms",
        "logins",
        "revision_checked_at",
    )

    def __init__(self) -> None:
        self.counters: dict[Series, int] = {}
        self.histograms: dict[Series, Histogram] = {}
        self.logins = LoginMinutes()
        self.revision_checked_at = perf_counter()
        self._revision_check = self._histogram(("revision_check_seconds",), REVISION_CHECK_BUCKETS)
        self._longest_checks = [0.0, 0.0]
        self._window_started = self.revision_checked_at

    def count(self, *label: str, by: int = 1) -> None:
        """Adds to a counter."""
        counters = self.counters
        known = counters.get(label)
        if known is not None:
            counters[label] = known + by
        elif len(counters) < MAX_SERIES:
            counters[label] = by

    def observe_request(self, surface: str, status: int, code: int, seconds: float) -> None:
        """Counts an answer: its surface, its status, the number of its refusal or 0, and how long it took."""
        self.count("requests", surface, _CLASSES[status // 100], str(code))
        histogram = self.histograms.get(("request_seconds", surface))
        if histogram is None:
            histogram = self._histogram(("request_seconds", surface), REQUEST_BUCKETS)
        histogram.observe(seconds)

    def observe_store(self, kind: str, seconds: float) -> None:
        """Counts what was asked of the store, a `read` or a `write`, and how long it took."""
        histogram = self.histograms.get(("store_seconds", kind))
        if histogram is None:
            histogram = self._histogram(("store_seconds", kind), REQUEST_BUCKETS)
        histogram.observe(seconds)

    def observe_revision_check(self, began: float) -> None:
        """Counts a request that passed the revision check now, having come to it at a moment of `perf_counter`."""
        self.revision_checked_at = now = perf_counter()
        seconds = now - began
        self._revision_check.observe(seconds)
        if seconds > self._longest_checks[1]:
            self._longest_checks[1] = seconds

    def longest_revision_check(self) -> float:
        """The longest wait at the revision check in the last one to two minutes, if this is asked every now and then."""
        worst, now = max(self._longest_checks), perf_counter()
        if now - self._window_started >= 60:
            self._longest_checks = [self._longest_checks[1], 0.0]
            self._window_started = now
        return worst

    def _histogram(self, label: Series, bounds: tuple[float, ...]) -> Histogram:
        made = self.histograms[label] = Histogram(bounds, [0] * (len(bounds) + 1))
        return made

    def snapshot(self, kind: str, pid: int, now: int, gauges: Iterable[tuple[Series, float]]) -> Snapshot:
        """Everything, as of now."""
        return Snapshot(
            kind,
            pid,
            now,
            list(self.counters.items()),
            list(gauges),
            [(label, one.bounds, list(one.counts), one.total) for label, one in self.histograms.items()],
            [(minute, *counts) for minute, counts in self.logins.minutes.items()],  # type: ignore[misc]
        )

    def restore(self, before: Snapshot) -> None:
        """Takes over what a process counted that is gone, so that no counter goes back when it is replaced."""
        for label, value in before.counters:
            self.count(*label, by=value)
        for label, bounds, counts, total in before.histograms:
            known = self.histograms.get(label)
            if known is None:
                known = self._histogram(label, tuple(bounds))
            if known.bounds == tuple(bounds):
                known.counts = [mine + theirs for mine, theirs in zip(known.counts, counts, strict=True)]
                known.total += total
        for minute, ok, refused in before.logins:
            self.logins.minutes[minute] = [ok, refused]


_CLASSES = ("0xx", "1xx", "2xx", "3xx", "4xx", "5xx")
