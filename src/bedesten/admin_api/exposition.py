"""The metrics of this machine: the summed counts of its processes, and the store's metrics.

Processes publish their counts once a second (`telemetry.metrics_file`); a scrape reads the files. Counters are summed
over all processes, replaced ones included, so that no counter goes back. No label names a tenant, an account or an
address: ten thousand tenants would make a hundred thousand series, and more people read metrics than the audit trail.
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
from bedesten.catalogue import stock_alarms, suppliers
from bedesten.connectors import purchases
from bedesten.core.clock import MINUTE
from bedesten.ledger import balance_alarms
from bedesten.mail import outbox as mail
from bedesten.store import replication, wait_budget
from bedesten.store.database_clock import DATABASE_NOW
from bedesten.store.sql import any_value, cross_tenant, p
from bedesten.store.store import Store
from bedesten.store.transaction import SystemTransaction
from bedesten.telemetry import metrics_file
from bedesten.telemetry.metrics import LOGIN_WINDOW_MIN, Series, login_alarm
from bedesten.telemetry.metrics_file import ProcessSnapshot
from bedesten.webhooks.moves import DUE
from bedesten.webhooks.tables import deliveries

log = structlog.get_logger("bedesten.admin_api")
METRIC_PREFIX = "bedesten_"
MAX_COUNTED_DELIVERIES = 100_000
"""The count of due deliveries stops here: a larger number tells an operator nothing more."""


@dataclass(frozen=True, slots=True)
class MetricHelp:
    """The help text of a metric, and its labels."""

    text: str
    labels: tuple[str, ...] = ()


COUNTERS = {
    "requests": MetricHelp("Answered requests.", ("surface", "status", "code")),
    "logins": MetricHelp("Login attempts.", ("surface", "result")),
    "refusals_unlogged": MetricHelp("Refusals left out of the log because of its rate limit."),
    "store_unavailable": MetricHelp("Requests answered 503 (-9) because the store was unavailable."),
    "commits": MetricHelp("Committed transactions."),
    "committed_actions": MetricHelp("Actions in committed transactions. On SQLite several share one transaction."),
    "store_retries": MetricHelp("Actions repeated because they lost a race."),
    "store_lock_waits": MetricHelp("Actions that waited for a locked row."),
    "store_connections": MetricHelp("Connections opened to PostgreSQL."),
    "store_no_room": MetricHelp("Writes for which PostgreSQL's disk had no room."),
    "deliveries": MetricHelp("Webhook delivery attempts.", ("result",)),
    "mails": MetricHelp("Mails by what became of an attempt to send them.", ("result",)),
    "supplier_calls": MetricHelp("Calls to suppliers that are called.", ("call", "result")),
    "secret_reads": MetricHelp("Reads of the master secrets from a secret manager.", ("result",)),
}
HISTOGRAMS = {
    "request_seconds": MetricHelp("Time from the headers of a request to its answer.", ("surface",)),
    "store_seconds": MetricHelp("Duration of reads and writes of the store.", ("kind",)),
    "revision_check_seconds": MetricHelp("Duration of the revision check of a request."),
}
PROCESS_GAUGES = {
    "revision_check_max_seconds": MetricHelp("Longest revision check of the last one to two minutes.", ("process",)),
    "auth_cache_age_seconds": MetricHelp("Time since the last revision check of the process.", ("process",)),
    "auth_cache_entries": MetricHelp("Entries in the auth cache.", ("process", "kind")),
    "limits_shared": MetricHelp(
        "Whether the limits that nodes share can be asked; 0: this machine counts alone.", ("process",)
    ),
    "password_hashes_pending": MetricHelp("Password hashes in progress or queued.", ("process",)),
    "store_busy": MetricHelp("Busy threads of the store.", ("process", "kind")),
    "store_waiting": MetricHelp("Actions that wait for a thread of the store.", ("process", "kind")),
    "resident_bytes": MetricHelp("Resident memory of the process.", ("process",)),
    "deliveries_running": MetricHelp("Webhook deliveries in progress.", ("process",)),
    "deliveries_slow": MetricHelp("Webhook deliveries that have waited for an answer for over a second.", ("process",)),
    "worker_wake_age_seconds": MetricHelp("Time since the last message that woke the worker.", ("process",)),
    "clock_ahead_seconds": MetricHelp("Difference of this machine's clock from the database's clock.", ("process",)),
    "secrets_age_seconds": MetricHelp("Time since the last successful read of the master secrets.", ("process",)),
}
GAUGES = {
    "processes": MetricHelp("Live processes.", ("kind",)),
    "login_failure_ratio": MetricHelp("Share of refused logins in all logins of the last five minutes."),
    "login_failure_alarm": MetricHelp("1 while many logins are refused and they are at least half of all."),
    "ready": MetricHelp("1 if the last request for /health/ready was answered 200, 0 if it was not."),
    "ready_write_seconds": MetricHelp("Duration of the write of its own that the last readiness check committed."),
    "ready_clock_ahead_seconds": MetricHelp("Difference of this machine's clock from the database's, by that check."),
    "disk_free_bytes": MetricHelp("Room on the disk of the data directory."),
    "store_up": MetricHelp("1 if the store answered this scrape."),
    "outbox_due": MetricHelp("Webhook deliveries that are due."),
    "outbox_lag_seconds": MetricHelp("Delay of the oldest due webhook delivery."),
    "stock_low": MetricHelp("Products with fewer free stock codes than their threshold."),
    "suppliers_paused": MetricHelp("Suppliers that get no new lines until the operator resumes them."),
    "balances_low": MetricHelp("Partners that can spend less than their threshold."),
    "purchases_open": MetricHelp("Purchases from suppliers that are called without a final answer."),
    "audit_sealed": MetricHelp("Sealed rows of the audit trail."),
    "audit_unsealed": MetricHelp("Rows of the audit trail that wait to be sealed."),
    "mails_waiting": MetricHelp("Mails that wait to be sent."),
    "mails_waiting_seconds": MetricHelp("Age of the oldest mail that waits to be sent."),
    "audit_unsealed_seconds": MetricHelp("Age of the oldest unsealed row of the audit trail."),
    "standbys_connected": MetricHelp("Standbys that are connected to the database."),
    "standbys_synchronous": MetricHelp("Standbys for which a commit may wait."),
    "standby_missing": MetricHelp("1 if a synchronous standby is expected and none is connected."),
    "replication_lag_seconds": MetricHelp("How far the slowest standby is behind."),
    "build": MetricHelp("1; the label names the version.", ("version",)),
}

_D = deliveries.c
_DUE_ROWS = select(literal(1)).where(_D.state == DUE, _D.next_at <= DATABASE_NOW).limit(p("most")).subquery()
_DUE = cross_tenant(select(func.count()).select_from(_DUE_ROWS))
_LAG = cross_tenant(select(DATABASE_NOW - func.min(_D.next_at)).where(_D.state == DUE, any_value(_D.next_at)))


Write = Callable[[str], tuple[bytes, str]]
"""Encodes the metrics for an `Accept` header: the text and its content type."""
STORE_TIMEOUT_S = 2.0
STORE_DOWN = {"store_up": 0.0}


def render(directory: Path, stored: dict[str, float], now: int) -> Write:
    """Read the processes' counts and return an encoder of them and of the store's metrics (`stored`). Blocks."""
    families = list(_families(list(metrics_file.read_all(directory)), stored, now))

    class Families(Collector):
        """The metric families, in the form that the library expects."""

        def collect(self) -> Iterable[Metric]:
            return families

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families())

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
    """Cumulative counts: each upper bound with the number of durations up to it."""
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
    """The successful and the refused logins of the last minutes in all processes."""
    this = now // MINUTE
    recent = [
        counted for one in found for minute, *counted in one.snapshot.logins if this - LOGIN_WINDOW_MIN < minute <= this
    ]
    return sum(ok for ok, _ in recent), sum(refused for _, refused in recent)


def read_store_metrics(store: Store) -> dict[str, float]:
    """Read the metrics of the store, or `STORE_DOWN` if it cannot be read. Blocks."""
    try:
        with wait_budget.limited(STORE_TIMEOUT_S):
            return {"store_up": 1.0, **store.read_now(_stored), **_replication(store)}
    except Exception as problem:
        log.warning("store-not-measured", cause=str(problem))
        return STORE_DOWN


def _replication(store: Store) -> dict[str, float]:
    """The gauges of the standbys, without those that the store's user may not see."""
    if store.dialect != "postgresql":
        return {}
    try:
        found = store.read_now(replication.read)
    except Exception as problem:
        log.info("replication-not-measured", cause=str(problem))
        return {}
    seen = {
        "standbys_connected": found.connected,
        "standbys_synchronous": found.synchronous,
        "standby_missing": found.missing,
        "replication_lag_seconds": found.lag_s,
    }
    return {name: float(value) for name, value in seen.items() if value is not None}


def _stored(tx: SystemTransaction) -> dict[str, float]:
    due, lag = tx.one(_DUE, at=tx.at, most=MAX_COUNTED_DELIVERIES), tx.one(_LAG, at=tx.at)
    unsealed, oldest = search.unsealed(tx)
    mails, mail_age = mail.waiting(tx)
    return {
        "outbox_due": due[0] if due else 0,
        "outbox_lag_seconds": max(0, lag[0] or 0) / 1000 if lag else 0,
        "mails_waiting": mails,
        "mails_waiting_seconds": mail_age / 1000,
        "stock_low": stock_alarms.count_low(tx),
        "suppliers_paused": suppliers.count_paused(tx),
        "balances_low": balance_alarms.count_low(tx),
        "purchases_open": purchases.open_count(tx),
        "audit_sealed": chain.head_of(tx).seq,
        "audit_unsealed": unsealed,
        "audit_unsealed_seconds": 0 if oldest is None else max(0, tx.now - oldest) / 1000,
    }
