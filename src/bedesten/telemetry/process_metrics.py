"""What of a process is measured when it is asked for, not counted as it happens."""

import os
from collections.abc import Iterator
from time import perf_counter
from typing import TYPE_CHECKING

from bedesten.store.store import Store
from bedesten.telemetry.metrics import Series

if TYPE_CHECKING:
    from bedesten.http.context import Services

_PAGE = os.sysconf("SC_PAGE_SIZE")


def web_process_metrics(services: "Services") -> Iterator[tuple[Series, float]]:
    """Those of a web process."""
    metrics = services.request_log.metrics
    yield ("fence_wait_worst_seconds",), metrics.longest_revision_check()
    yield ("directory_age_seconds",), perf_counter() - metrics.revision_checked_at
    for kind, size in services.gate.directory.sizes().items():
        yield ("directory_entries", kind), size
    yield ("hashing_under_way",), services.passwords.in_progress
    yield from store_metrics(services.store)
    yield from memory_metrics()


def store_metrics(store: Store) -> Iterator[tuple[Series, float]]:
    """What its store is busy with."""
    for kind, busy, waiting in store.load():
        yield ("store_busy", kind), busy
        yield ("store_waiting", kind), waiting


def memory_metrics() -> Iterator[tuple[Series, float]]:
    """Those of every process."""
    yield ("resident_bytes",), resident_bytes()


def resident_bytes() -> int:
    """The memory that this process holds; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0
