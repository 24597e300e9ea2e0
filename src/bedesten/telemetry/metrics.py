"""Counters and histograms of one process, as plain integers: counting costs a request about two microseconds.

Only one thread counts, so there is no lock. Once a second the process writes all counts to its metrics file
(`telemetry.metrics_file`), where the admin listener reads them. Names here lack the prefix of the published metrics;
`admin_api.exposition` holds the help texts.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import perf_counter

import msgspec

REVISION_CHECK_BUCKETS = (0.000_025, 0.000_1, 0.000_25, 0.001, 0.002_5, 0.01, 0.05, 0.25, 1.0, 5.0)
REQUEST_BUCKETS = (0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
LOGIN_WINDOW_MIN = 5
"""Window, in minutes, over which refused logins are compared with all logins."""
LOGIN_ALARM_THRESHOLD = 50
"""Refused logins in the window that raise the alarm, if they are at least half of all logins."""
MAX_SERIES = 2_000
"""Most counters of a process. Callers cannot invent label values; this limits the damage of a bug in our code."""

Series = tuple[str, ...]
"""The name of a metric and the values of its labels."""


@dataclass(slots=True)
class Histogram:
    """Durations in seconds: a count for each of the upper `bounds`, one for longer durations, and the sum."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


class Snapshot(msgspec.Struct):
    """Everything that a process has counted up to a time (`at`, epoch ms)."""

    kind: str
    pid: int
    at: int
    counters: list[tuple[Series, int]] = []
    gauges: list[tuple[Series, float]] = []
    histograms: list[tuple[Series, tuple[float, ...], list[int], float]] = []
    logins: list[tuple[int, int, int]] = []
    """For each minute since the epoch: the successful and the refused logins."""


def login_alarm(ok: int, refused: int) -> bool:
    """Whether the refused logins of the last minutes suggest an attack on passwords, or a broken client."""
    return refused >= LOGIN_ALARM_THRESHOLD and refused >= ok


@dataclass(slots=True)
class LoginMinutes:
    """Logins by minute, for the login alarm."""

    minutes: dict[int, list[int]] = field(default_factory=dict)
    retention_min: int = 10

    def count(self, now: int, refused: bool) -> None:
        """Count one login at a time (epoch ms)."""
        minute = now // 60_000
        if minute not in self.minutes:
            self.minutes = {at: counts for at, counts in self.minutes.items() if abs(minute - at) < self.retention_min}
            self.minutes[minute] = [0, 0]
        self.minutes[minute][refused] += 1

    def recent(self, now: int) -> tuple[int, int]:
        """The successful and the refused logins of the last minutes."""
        this = now // 60_000
        counts = [counts for minute, counts in self.minutes.items() if this - LOGIN_WINDOW_MIN < minute <= this]
        return sum(ok for ok, _ in counts), sum(refused for _, refused in counts)


class Metrics:
    """The counts of one process. Not thread-safe: it belongs to the event loop."""

    __slots__ = (
        "_answers",
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
        self._answers: dict[tuple[str, int, int], tuple[Series, Histogram]] = {}
        self.revision_checked_at = perf_counter()
        self._revision_check = self._histogram(("revision_check_seconds",), REVISION_CHECK_BUCKETS)
        self._longest_checks = [0.0, 0.0]
        self._window_started = self.revision_checked_at

    def count(self, *series: str, by: int = 1) -> None:
        """Add to a counter, named by the metric and the values of its labels."""
        counters = self.counters
        value = counters.get(series)
        if value is not None:
            counters[series] = value + by
        elif len(counters) < MAX_SERIES:
            counters[series] = by

    def observe_request(self, surface: str, status: int, code: int, seconds: float) -> None:
        """Count an answer: its surface, status, error number (0 for a success) and duration."""
        known = self._answers.get((surface, status, code))
        if known is None:
            histogram = self.histograms.get(("request_seconds", surface))
            if histogram is None:
                histogram = self._histogram(("request_seconds", surface), REQUEST_BUCKETS)
            known = (("requests", surface, _CLASSES[status // 100], str(code)), histogram)
            if len(self._answers) < MAX_SERIES:
                self._answers[surface, status, code] = known
        self.count(*known[0])
        known[1].observe(seconds)

    def observe_store(self, kind: str, seconds: float) -> None:
        """Count the duration of a `read` or a `write` of the store."""
        histogram = self.histograms.get(("store_seconds", kind))
        if histogram is None:
            histogram = self._histogram(("store_seconds", kind), REQUEST_BUCKETS)
        histogram.observe(seconds)

    def observe_revision_check(self, started: float) -> None:
        """Count a revision check that ends now and started at this value of `perf_counter`."""
        self.revision_checked_at = now = perf_counter()
        seconds = now - started
        self._revision_check.observe(seconds)
        if seconds > self._longest_checks[1]:
            self._longest_checks[1] = seconds

    def longest_revision_check(self) -> float:
        """The longest revision check of the last one to two minutes, if this is called at least once a minute."""
        longest, now = max(self._longest_checks), perf_counter()
        if now - self._window_started >= 60:
            self._longest_checks = [self._longest_checks[1], 0.0]
            self._window_started = now
        return longest

    def _histogram(self, series: Series, bounds: tuple[float, ...]) -> Histogram:
        histogram = self.histograms[series] = Histogram(bounds, [0] * (len(bounds) + 1))
        return histogram

    def snapshot(self, kind: str, pid: int, now: int, gauges: Iterable[tuple[Series, float]]) -> Snapshot:
        """All counts as of now."""
        return Snapshot(
            kind,
            pid,
            now,
            list(self.counters.items()),
            list(gauges),
            [(series, one.bounds, list(one.counts), one.total) for series, one in self.histograms.items()],
            [(minute, *counts) for minute, counts in self.logins.minutes.items()],  # type: ignore[misc]
        )

    def restore(self, previous: Snapshot) -> None:
        """Add the counts of the process that this one replaces, so that no counter goes back."""
        for series, value in previous.counters:
            self.count(*series, by=value)
        for series, bounds, counts, total in previous.histograms:
            histogram = self.histograms.get(series)
            if histogram is None:
                histogram = self._histogram(series, tuple(bounds))
            if histogram.bounds == tuple(bounds):
                histogram.counts = [own + more for own, more in zip(histogram.counts, counts, strict=True)]
                histogram.total += total
        for minute, ok, refused in previous.logins:
            self.logins.minutes[minute] = [ok, refused]


_CLASSES = ("0xx", "1xx", "2xx", "3xx", "4xx", "5xx")
