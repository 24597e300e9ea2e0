"""The machine: its cores, ports, memory and disk."""

import os
import platform
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROBE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Cores:
    """The cores of the server and the generator. None: there is only one core, and nothing is pinned."""

    server: int | None
    generator: int | None


def choose_cores() -> Cores:
    """Choose the first usable core for the server, the second for the generator."""
    usable = sorted(os.sched_getaffinity(0))
    return Cores(usable[0], usable[1]) if len(usable) >= 2 else Cores(None, None)


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Pin this process to a core for the block. Threads and child processes inherit it."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """Return a free loopback port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    assert isinstance(port, int)
    return port


def cpu_seconds(pid: int, *, ended: bool = False) -> float:
    """Return the CPU time of a process, its threads and its living descendants; `ended`: also of its children that ended."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0
    for process in family(pid):
        try:
            fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11 : 15 if ended and process == pid else 13]))
    return total / ticks


def largest_mib(pid: int) -> float:
    """Return the resident memory of the largest of a process and its descendants, in MiB."""
    largest = 0
    for process in family(pid):
        try:
            lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        largest = max([largest, *(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))])
    return largest / 1024


def family(pid: int) -> list[int]:
    """Return a process and its living descendants."""
    found = [pid]
    for parent in found:
        for listing in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in listing.read_text(encoding="ascii").split()]
            except OSError:
                continue
    return found


def syncs_per_second(directory: Path) -> int:
    """Measure how many pages a second can be appended and synchronised one at a time: a lower bound for commits."""
    path = directory / "sync-probe"
    count, begin = 0, time.perf_counter()
    with path.open("wb", buffering=0) as file:
        while time.perf_counter() - begin < _PROBE_SECONDS:
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            count += 1
    elapsed = time.perf_counter() - begin
    path.unlink()
    return round(count / elapsed)


def filesystem(directory: Path) -> str:
    """Return the type of a directory's file system. On `tmpfs` no figure for durable writes means anything."""
    where, kind, best = str(directory.resolve()), "unknown", -1
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, mount, found, *_ = line.split()
        if len(mount) > best and (where + "/").startswith(mount.rstrip("/") + "/"):
            kind, best = found, len(mount)
    return kind


def describe(directory: Path) -> dict[str, object]:
    """Describe the machine for the reader of a figure."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "filesystem": filesystem(directory),
        "syncs_per_second": syncs_per_second(directory),
        "load_average": round(os.getloadavg()[0], 2),
    }


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
