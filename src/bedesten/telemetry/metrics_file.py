"""Where the processes of one server put their counts for the admin listener: one small file a process, in a directory.

A process takes the first slot that nobody holds and goes on from what stands in it: when a worker is replaced, its
counters go on, and there are never more files than there were processes at a time. The lock of a slot belongs to the
process, so a slot that can be locked is one whose process is gone. Files are replaced as a whole, never written in place:
who reads finds one moment's counts. All of it may be lost, then counters begin anew. They are not for another machine: each
has a data directory, and an admin listener, of its own.
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
    """There is no place for this process's counts. It runs all the same, and is not seen."""


class MetricsFile:
    """One process's place, held until `close` or until the process ends."""

    def __init__(self, directory: Path) -> None:
        """Raises `NoMetricsFile`."""
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            self.number, self._lock = _lock_first_free(directory)
        except OSError as problem:
            raise NoMetricsFile(f"the directory {directory.name} cannot be used: {problem.strerror}") from problem
        self._file = directory / f"{self.number}.json"

    def previous(self) -> Snapshot | None:
        """What the slot's last holder had counted."""
        return _read(self._file)

    def publish(self, snapshot: Snapshot) -> None:
        """Puts the counts in the place of those before. Raises `OSError`."""
        fresh = self._file.with_suffix(".new")
        fresh.write_bytes(_encode(snapshot))
        fresh.replace(self._file)

    def close(self) -> None:
        """Lets go of the slot; what was counted stays."""
        os.close(self._lock)


@dataclass(frozen=True, slots=True)
class ProcessSnapshot:
    """A slot with its counts, and whether the process that made them is still there."""

    number: int
    alive: bool
    snapshot: Snapshot


def read_all(directory: Path) -> Iterator[ProcessSnapshot]:
    """Every slot in which something was published."""
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
    raise NoMetricsFile(f"all {MAX_PROCESSES} slots are taken")


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
