"""The metrics files: each process of a server publishes its counts in a file that the admin listener reads.

A process locks the first free number of the directory and continues the counts of that number's file. So a replacement
continues the counters of a dead worker, and there are never more files than processes that ran at the same time. The
kernel releases the lock when the process ends: a number that can be locked belongs to a dead process. Files are replaced
as a whole, never written in place, so a reader finds the counts of one moment. Losing the files is harmless: counters
start again at zero. Each machine has its own data directory and its own admin listener.
[Decision 0009](../../../docs/decisions/0009-own-metrics-file.md) compares this with prometheus_client's multiprocess
mode.
"""

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bedesten.telemetry.metrics import Snapshot

MAX_PROCESSES = 256

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Snapshot).decode


class NoMetricsFile(Exception):
    """No metrics file is free or usable. The process runs, but its counts are not published."""


class MetricsFile:
    """The metrics file of this process, locked until `close` or the end of the process."""

    def __init__(self, directory: Path) -> None:
        """Raises `NoMetricsFile`."""
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            self.number, self._lock = _lock_first_free(directory)
        except OSError as problem:
            raise NoMetricsFile(f"the directory {directory.name} cannot be used: {problem.strerror}") from problem
        self._file = directory / f"{self.number}.json"

    def previous(self) -> Snapshot | None:
        """The counts of the process that had this number before."""
        return _read(self._file)

    def publish(self, snapshot: Snapshot) -> None:
        """Replace the published counts. Raises `OSError`."""
        draft = self._file.with_suffix(".new")
        draft.write_bytes(_encode(snapshot))
        draft.replace(self._file)

    def close(self) -> None:
        """Release the lock. The file keeps the counts."""
        os.close(self._lock)


@dataclass(frozen=True, slots=True)
class ProcessSnapshot:
    """The counts in one metrics file, and whether the process that wrote them is alive."""

    number: int
    alive: bool
    snapshot: Snapshot


def read_all(directory: Path) -> Iterator[ProcessSnapshot]:
    """The contents of every readable metrics file in the directory."""
    for number in range(MAX_PROCESSES):
        lock = directory / f"{number}.lock"
        if not lock.exists():
            return
        snapshot = _read(directory / f"{number}.json")
        if snapshot is not None:
            yield ProcessSnapshot(number, _is_locked(lock), snapshot)


def _lock_first_free(directory: Path) -> tuple[int, int]:
    for number in range(MAX_PROCESSES):
        descriptor = os.open(directory / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return number, descriptor
        except BlockingIOError:
            os.close(descriptor)
    raise NoMetricsFile(f"all {MAX_PROCESSES} metrics files are in use")


def _is_locked(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def _read(file: Path) -> Snapshot | None:
    try:
        return _decode(file.read_bytes())
    except (OSError, ValueError, msgspec.DecodeError):
        return None
