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
from bedesten.audit import chain, trail
from bedesten.core.clock import MINUTE
from bedesten.store import patience
from bedesten.store.moment import MOMENT
from bedesten.store.sql import crossing, p
from bedesten.store.store import Store
from bedesten.store.transaction import CrossTransaction
from bedesten.telemetry import slots
from bedesten.telemetry.meter import LOGIN_WINDOW, Label, login_alarm
from bedesten.telemetry.slots import Found
from bedesten.webhooks.actions import DUE
from bedesten.webhooks.tables import deliveries

log = structlog.get_logger("bedesten.admin")
PREFIX = "bedesten_"
MOST_COUNTED = 100_000
"""Deliveries that are due are counted up to so many: more is too many in any case."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a metric says, and its labels."""

    text: str
    labels: tuple[str, ...] = ()


COUNTERS = {
    "requests": Told("Answers.", ("surface", "status", "code")),
    "logins": Told("Logins.", ("surface", "result")),
    "refusals_unlogged": Told("Refusals that were left out of the log because there were too many."),
    "store_unavailable": Told("Requests answered 503, -9."),
    "commits": Told("Transactions that were committed."),
    "committed_actions": Told("Actions in them; on SQLite several share one."),
    "store_retries": Told("Actions that ran again because another one overtook them."),
    "store_lock_waits": Told("Actions that waited for a row that others had locked."),
    "store_connections": Told("Connections to PostgreSQL that were opened."),
    "deliveries": Told("Webhooks that were sent.", ("result",)),
    "secret_reads": Told("Looks at the master secrets in a manager.", ("result",)),
}
HISTOGRAMS = {
    "request_seconds": Told("From the head of a request to its answer.", ("surface",)),
    "store_seconds": Told("From a question to the store to its answer.", ("kind",)),
    "fence_wait_seconds": Told("How long requests waited at the fence."),
}
PROCESS_GAUGES = {
    "fence_wait_worst_seconds": Told("The longest wait at the fence in the last minute or two.", ("process",)),
    "directory_age_seconds": Told("Since a request of the process last passed the fence.", ("process",)),
    "directory_entries": Told("What the process remembers.", ("process", "kind")),
    "hashing_under_way": Told("Password hashes that are being made or waited for.", ("process",)),
    "store_busy": Told("Threads that are busy with actions of the store.", ("process", "kind")),
    "store_waiting": Told("Actions that wait for such a thread.", ("process", "kind")),
    "resident_bytes": Told("Memory that the process holds.", ("process",)),
    "clock_ahead_seconds": Told("By how much the machine's clock is ahead of the database's.", ("process",)),
    "secrets_age_seconds": Told("Since the manager last gave master secrets that can be used.", ("process",)),
}
GAUGES = {
    "processes": Told("Processes that are alive.", ("kind",)),
    "login_failure_ratio": Told("Refused logins of the last five minutes, as a part of all."),
    "login_failure_alarm": Told("1 while refused logins are many and at least half of all."),
    "store_up": Told("1 if the store answered this very question."),
    "outbox_due": Told("Webhooks that are due."),
    "outbox_lag_seconds": Told("For how long the longest waiting of them has been due."),
    "audit_sealed": Told("Rows of the trail in the chain."),
    "audit_unsealed": Told("Rows of the trail that wait for their seal."),
    "audit_unsealed_seconds": Told("For how long the longest waiting of them has waited."),
    "build": Told("1; the label says which version this is.", ("version",)),
}

_D = deliveries.c
_DUE_ROWS = select(literal(1)).where(_D.state == DUE, _D.next_at <= MOMENT).limit(p("most")).subquery()
_DUE = crossing(select(func.count()).select_from(_DUE_ROWS))
_LAG = crossing(select(MOMENT - func.min(_D.next_at)).where(_D.state == DUE))


Write = Callable[[str], tuple[bytes, str]]
"""How metrics are written for an `Accept` header: the text and its content type."""
STORE_S = 2.0
"""How long the store may take to answer."""
DOWN = {"store_up": 0.0}


def render(directory: Path, stored: dict[str, float], now: int) -> Write:
    """Reads what the processes count, and gives how to write it together with what the store told. Blocks."""
    families = list(_families(list(slots.found(directory)), stored, now))

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


def _families(found: list[Found], stored: dict[str, float], now: int) -> Iterator[Metric]:
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
    for name, told in GAUGES.items():
        if name in values:
            gauge = GaugeMetricFamily(PREFIX + name, told.text, labels=told.labels)
            for labels, value in values[name]:
                gauge.add_metric(labels, value)
            yield gauge


def _counters(found: list[Found]) -> Iterator[Metric]:
    sums: defaultdict[str, defaultdict[Label, int]] = defaultdict(lambda: defaultdict(int))
    for one in found:
        for (name, *labels), value in one.snapshot.counters:
            sums[name][tuple(labels)] += value
    for name, told in COUNTERS.items():
        counter = CounterMetricFamily(PREFIX + name, told.text, labels=told.labels)
        for values, total in sums[name].items():
            if len(values) == len(told.labels):
                counter.add_metric(values, total)
        if not told.labels and not sums[name]:
            counter.add_metric([], 0)
        yield counter


def _histograms(found: list[Found]) -> Iterator[Metric]:
    sums: dict[tuple[str, Label, tuple[float, ...]], tuple[list[int], float]] = {}
    for one in found:
        for (name, *labels), bounds, counts, total in one.snapshot.histograms:
            key = (name, tuple(labels), tuple(bounds))
            known, before = sums.get(key, ([0] * len(counts), 0.0))
            sums[key] = ([mine + theirs for mine, theirs in zip(known, counts, strict=True)], before + total)
    for name, told in HISTOGRAMS.items():
        histogram = HistogramMetricFamily(PREFIX + name, told.text, labels=told.labels)
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


def _process_gauges(alive: list[Found]) -> Iterator[Metric]:
    for name, told in PROCESS_GAUGES.items():
        gauge = GaugeMetricFamily(PREFIX + name, told.text, labels=told.labels)
        for one in alive:
            process = f"{one.snapshot.kind}-{one.number}"
            for (of, *labels), value in one.snapshot.gauges:
                if of == name:
                    gauge.add_metric([process, *labels], value)
        yield gauge


def _logins(found: list[Found], now: int) -> tuple[int, int]:
    """Logins of the last minutes that succeeded and that were refused, over all processes."""
    this = now // MINUTE
    recent = [
        counted for one in found for minute, *counted in one.snapshot.logins if this - LOGIN_WINDOW < minute <= this
    ]
    return sum(ok for ok, _ in recent), sum(refused for _, refused in recent)


def of_store(store: Store) -> dict[str, float]:
    """What the store says of itself. Blocks; says so if the store is away or of no use."""
    try:
        with patience.limited(STORE_S):
            return {"store_up": 1.0, **store.read_now(_stored)}
    except Exception as problem:
        log.warning("store-not-measured", cause=str(problem))
        return DOWN


def _stored(tx: CrossTransaction) -> dict[str, float]:
    due, lag = tx.one(_DUE, at=tx.at, most=MOST_COUNTED), tx.one(_LAG, at=tx.at)
    unsealed, oldest = trail.unsealed(tx)
    return {
        "outbox_due": due[0] if due else 0,
        "outbox_lag_seconds": max(0, lag[0] or 0) / 1000 if lag else 0,
        "audit_sealed": chain.head_of(tx).seq,
        "audit_unsealed": unsealed,
        "audit_unsealed_seconds": 0 if oldest is None else max(0, tx.now - oldest) / 1000,
    }
