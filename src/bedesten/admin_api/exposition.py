"""The metrics: what every process of this machine counts, put together, and what the store itself can be asked.

Processes publish their counts once a second (`web.slots`); here they are read when somebody asks. Counters are summed up
over all processes, those included that have been replaced, so that none goes back. No label names a tenant, an account or
an address: with ten thousand tenants that would be a hundred thousand series, and metrics are read by more people than the
trail is.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry
from sqlalchemy import func, literal, select

from bedesten import __version__
from bedesten.audit import chain, search
from bedesten.core.clock import MINUTE
from bedesten.store import wait_budget
from bedesten.store.database_clock import DATABASE_NOW
from bedesten.store.sql import cross_tenant, p
from bedesten.store.store import Store
from bedesten.store.transaction import SystemTransaction
from bedesten.telemetry import metrics_file
from bedesten.telemetry.metrics import LOGIN_WINDOW_MIN, Series, login_alarm
from bedesten.telemetry.metrics_file import ProcessSnapshot
from bedesten.webhooks.actions import DUE
from bedesten.webhooks.tables import deliveries

log = structlog.get_logger("bedesten.admin_api")
METRIC_PREFIX = "bedesten_"
MAX_COUNTED_DELIVERIES = 100_000
"""Deliveries that are due are counted up to so many: more is too many in any case."""


@dataclass(frozen=True, slots=True)
class MetricHelp:
    """What a metric says, and its labels."""

    text: str
    labels: tuple[str, ...] = ()


COUNTERS = {
    "requests": MetricHelp("Answers.", ("surface", "status", "code")),
    "logins": MetricHelp("Logins.", ("surface", "result")),
    "refusals_unlogged": MetricHelp("Refusals that were left out of the log because there were too many."),
    "store_unavailable": MetricHelp("Requests answered 503, -9."),
    "commits": MetricHelp("Transactions that were committed."),
    "committed_actions": MetricHelp("Actions in them; on SQLite several share one."),
    "store_retries": MetricHelp("Actions that ran again because another one overtook them."),
    "store_lock_waits": MetricHelp("Actions that waited for a row that others had locked."),
    "store_connections": MetricHelp("Connections to PostgreSQL that were opened."),
    "deliveries": MetricHelp("Webhooks that were sent.", ("result",)),
    "secret_reads": MetricHelp("Looks at the master secrets in a manager.", ("result",)),
}
HISTOGRAMS = {
    "request_seconds": MetricHelp("From the head of a request to its answer.", ("surface",)),
    "store_seconds": MetricHelp("From a question to the store to its answer.", ("kind",)),
    "revision_check_seconds": MetricHelp("How long requests waited at the revision check."),
}
PROCESS_GAUGES = {
    "revision_check_max_seconds": MetricHelp(
        "The longest wait at the revision check in the last minute or two.", ("process",)
    ),
    "auth_cache_age_seconds": MetricHelp(
        "Since a request of the process last passed the revision check.", ("process",)
    ),
    "auth_cache_entries": MetricHelp("What the process remembers.", ("process", "kind")),
    "password_hashes_pending": MetricHelp("Password hashes that are being made or waited for.", ("process",)),
    "store_busy": MetricHelp("Threads that are busy with actions of the store.", ("process", "kind")),
    "store_waiting": MetricHelp("Actions that wait for such a thread.", ("process", "kind")),
    "resident_bytes": MetricHelp("Memory that the process holds.", ("process",)),
    "clock_ahead_seconds": MetricHelp("By how much the machine's clock is ahead of the database's.", ("process",)),
    "secrets_age_seconds": MetricHelp("Since the manager last gave master secrets that can be used.", ("process",)),
}
GAUGES = {
    "processes": MetricHelp("Processes that are alive.", ("kind",)),
    "login_failure_ratio": MetricHelp("Refused logins of the last five minutes, as a part of all."),
    "login_failure_alarm": MetricHelp("1 while refused logins are many and at least half of all."),
    "store_up": MetricHelp("1 if the store answered this very question."),
    "outbox_due": MetricHelp("Webhooks that are due."),
    "outbox_lag_seconds": MetricHelp("For how long the longest waiting of them has been due."),
    "audit_sealed": MetricHelp("Rows of the trail in the chain."),
    "audit_unsealed": MetricHelp("Rows of the trail that wait for their seal."),
    "audit_unsealed_seconds": MetricHelp("For how long the longest waiting of them has waited."),
    "build": MetricHelp("1; the label says which version this is.", ("version",)),
}

_D = deliveries.c
_DUE_ROWS = select(literal(1)).where(_D.state == DUE, _D.next_at <= DATABASE_NOW).limit(p("most")).subquery()
_DUE = cross_tenant(select(func.count()).select_from(_DUE_ROWS))
_LAG = cross_tenant(select(DATABASE_NOW - func.min(_D.next_at)).where(_D.state == DUE))


Write = Callable[[str], tuple[bytes, str]]
"""How metrics are written for an `Accept` header: the text and its content type."""
STORE_TIMEOUT_S = 2.0
"""How long the store may take to answer."""
STORE_DOWN = {"store_up": 0.0}


def render(directory: Path, stored: dict[str, float], now: int) -> Write:
    """Reads what the processes count, and gives how to write it together with what the store told. Blocks."""
    families = list(_families(list(metrics_file.read_all(directory)), stored, now))

    class Read(Collector):
        """What was read, in the form that the library writes."""

        def collect(self) -> Iterable[Metric]:
            return families

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Read())

    def write(accept: str) -> tuple[bytes, str]:
        encoder, kind = choose_encoder(accept)
        return encoder(registry), kind

    return write


def _families(found: list[ProcessSnapshot], stored: dict[str, float], now: int) -> Iterator[Metric]:
    yield from _counters(found)
    yield from _histograms(found)
    alive = [one for one in found if one.alive]
    yield from _process_gauges(alive)
    values: dict[str, list[tuple[list[str], float]]] = defaultdict(list)
    for kind in ("web", "worker", "gate"):
        values["processes"].append(([kind], sum(1 for one in alive if one.snapshot.kind == kind)))
    ok, refused = _logins(found, now)
    values["login_failure_ratio"] = [([], refused / (ok + refused) if refused else 0.0)]
    values["login_failure_alarm"] = [([], float(login_alarm(ok, refused)))]
    values["build"] = [([__version__], 1)]
    for name, value in stored.items():
        values[name] = [([], value)]
    for name, metric_help in GAUGES.items():
        if name in values:
            gauge = GaugeMetricFamily(METRIC_PREFIX + name, metric_help.text, labels=metric_help.labels)
            for labels, value in values[name]:
                gauge.add_metric(labels, value)
            yield gauge


def _counters(found: list[ProcessSnapshot]) -> Iterator[Metric]:
    sums: defaultdict[str, defaultdict[Series, int]] = defaultdict(lambda: defaultdict(int))
    for one in found:
        for (name, *labels), value in one.snapshot.counters:
            sums[name][tuple(labels)] += value
    for name, metric_help in COUNTERS.items():
        counter = CounterMetricFamily(METRIC_PREFIX + name, metric_help.text, labels=metric_help.labels)
        for values, total in sums[name].items():
            if len(values) == len(metric_help.labels):
                counter.add_metric(values, total)
        if not metric_help.labels and not sums[name]:
            counter.add_metric([], 0)
        yield counter


def _histograms(found: list[ProcessSnapshot]) -> Iterator[Metric]:
    sums: dict[tuple[str, Series, tuple[float, ...]], tuple[list[int], float]] = {}
    for one in found:
        for (name, *labels), bounds, counts, total in one.snapshot.histograms:
            key = (name, tuple(labels), tuple(bounds))
            known, before = sums.get(key, ([0] * len(counts), 0.0))
            sums[key] = ([mine + theirs for mine, theirs in zip(known, counts, strict=True)], before + total)
    for name, metric_help in HISTOGRAMS.items():
        histogram = HistogramMetricFamily(METRIC_PREFIX + name, metric_help.text, labels=metric_help.labels)
        for (of, values, bounds), (counts, total) in sums.items():
            if of == name:
                histogram.add_metric(values, list(_buckets(bounds, counts)), total)
        yield histogram


def _buckets(bounds: tuple[float, ...], counts: list[int]) -> Iterator[tuple[str, float]]:
    """Each bound with how many were at most that."""
    up_to = 0
    for bound, count in zip((*bounds, float("inf")), counts, strict=True):
        up_to += count
        yield ("+Inf" if bound == float("inf") else str(bound)), up_to


def _process_gauges(alive: list[ProcessSnapshot]) -> Iterator[Metric]:
    for name, metric_help in PROCESS_GAUGES.items():
        gauge = GaugeMetricFamily(METRIC_PREFIX + name, metric_help.text, labels=metric_help.labels)
        for one in alive:
            process = f"{one.snapshot.kind}-{one.number}"
            for (of, *labels), value in one.snapshot.gauges:
                if of == name:
                    gauge.add_metric([process, *labels], value)
        yield gauge


def _logins(found: list[ProcessSnapshot], now: int) -> tuple[int, int]:
    """Logins of the last minutes that succeeded and that were refused, over all processes."""
    this = now // MINUTE
    recent = [
        counted for one in found for minute, *counted in one.snapshot.logins if this - LOGIN_WINDOW_MIN < minute <= this
    ]
    return sum(ok for ok, _ in recent), sum(refused for _, refused in recent)


def read_store_metrics(store: Store) -> dict[str, float]:
    """What the store says of itself. Blocks; says so if the store is away or of no use."""
    try:
        with wait_budget.limited(STORE_TIMEOUT_S):
            return {"store_up": 1.0, **store.read_now(_stored)}
    except Exception as problem:
        log.warning("store-not-measured", cause=str(problem))
        return STORE_DOWN


def _stored(tx: SystemTransaction) -> dict[str, float]:
    due, lag = tx.one(_DUE, at=tx.at, most=MAX_COUNTED_DELIVERIES), tx.one(_LAG, at=tx.at)
    unsealed, oldest = search.unsealed(tx)
    return {
        "outbox_due": due[0] if due else 0,
        "outbox_lag_seconds": max(0, lag[0] or 0) / 1000 if lag else 0,
        "audit_sealed": chain.head_of(tx).seq,
        "audit_unsealed": unsealed,
        "audit_unsealed_seconds": 0 if oldest is None else max(0, tx.now - oldest) / 1000,
    }
