"""Gauges of one process, sampled when its metrics file is written.

Each source is a callable, so that this module does not depend on the services of a web process.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import perf_counter

from bedesten.telemetry.metrics import Metrics, Series

StoreLoad = Callable[[], Iterable[tuple[str, int, int]]]
"""For each kind of thread pool of the store: its name, its busy threads, and the actions that wait for a thread."""

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def web_process_metrics(
    metrics: Metrics,
    auth_cache_sizes: Callable[[], Mapping[str, int]],
    password_hashes_pending: Callable[[], int],
    store_load: StoreLoad,
    limits_shared: Callable[[], bool | None],
) -> Iterator[tuple[Series, float]]:
    """Gauges of a process that decides about requests. `limits_shared` returns None if machines share no limits."""
    shared = limits_shared()
    if shared is not None:
        yield ("limits_shared",), float(shared)
    yield ("revision_check_max_seconds",), metrics.longest_revision_check()
    yield ("auth_cache_age_seconds",), perf_counter() - metrics.revision_checked_at
    for kind, size in auth_cache_sizes().items():
        yield ("auth_cache_entries", kind), size
    yield ("password_hashes_pending",), password_hashes_pending()
    yield from store_metrics(store_load)
    yield from memory_metrics()


def store_metrics(store_load: StoreLoad) -> Iterator[tuple[Series, float]]:
    """Gauges of the store's thread pools."""
    for kind, busy, waiting in store_load():
        yield ("store_busy", kind), busy
        yield ("store_waiting", kind), waiting


def memory_metrics() -> Iterator[tuple[Series, float]]:
    """The resident memory of this process."""
    yield ("resident_bytes",), resident_bytes()


def resident_bytes() -> int:
    """Resident memory of this process in bytes; 0 if `/proc` does not show it."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0
