"""Contenders take turns: A B C, A B C …, each pinned to the same core, and are compared round by round.

`measure` compares contenders workload by workload; `measure_cases` compares the workloads themselves, all in one row.

A ratio compares consecutive runs of one round, so that a machine that slows down or speeds up affects both alike. The
report has the median of these ratios, with the smallest and the largest.
"""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

from benchmarks.load import Build, Load, Result, run
from benchmarks.machine import Cores, cpu_seconds, free_port, largest_mib, pinned

READ = "read"
ORDER = "order"
_READY_SECONDS = 300.0
"""Start-up timeout, long enough for a busy machine: exceeding it ends the run."""
_STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """A contender that listens: its requests by workload, and the most orders it can take (None: unlimited).

    `statuses`: the expected statuses other than 200. `database`: the first process of its database server, if it has
    one. `ports`: the ports of workloads that go to another process, such as a proxy.
    """

    requests: Mapping[str, Build]
    order_budget: int | None = None
    statuses: Mapping[str, int] = field(default_factory=dict)
    database: int | None = None
    ports: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contender:
    """A server to measure.

    `start` prepares an empty directory, starts the server in it and returns at once. `open` is called when the port accepts
    connections and returns the requests. The server's output goes to `log_path(data)`.
    """

    name: str
    start: Callable[[Path, int], subprocess.Popen[bytes]]
    open: Callable[[Path, int], Running]


@dataclass(frozen=True, slots=True)
class Plan:
    """The number and the length of the rounds."""

    rounds: int = 5
    seconds: float = 3.0
    warm_up: float = 1.5
    connections: int = 32
    pause: float = 0.3


@dataclass(frozen=True, slots=True)
class Sample:
    """One contender's turn in one round.

    `server_cpu_s`: CPU time of its processes during the turn. `database_cpu_s`: CPU time of its database server.
    `memory_mib`: memory of its largest process at the end.
    """

    result: Result
    server_cpu_s: float
    memory_mib: float = 0.0
    database_cpu_s: float = 0.0

    @property
    def cpu_us(self) -> float:
        """Microseconds of the server's CPU for each request, without the database server."""
        return self._each_us(self.server_cpu_s)

    @property
    def database_cpu_us(self) -> float:
        """Microseconds of the database server's CPU for each request."""
        return self._each_us(self.database_cpu_s)

    def _each_us(self, seconds: float) -> float:
        return seconds / self.result.requests * 1e6 if self.result.requests else 0.0


@dataclass(slots=True)
class Outcome:
    """All turns of one workload, in order, by contender."""

    workload: str
    samples: dict[str, list[Sample]] = field(default_factory=dict)


@dataclass(slots=True)
class _RunningContender:
    """A running contender and its remaining orders."""

    contender: Contender
    process: subprocess.Popen[bytes]
    port: int
    running: Running
    orders_left: int | None
    sent: int = 0


def log_path(data: Path) -> Path:
    """Return the file of a contender's output."""
    return data.with_suffix(".log")


def measure(
    contenders: list[Contender], workloads: list[str], plan: Plan, cores: Cores, directory: Path
) -> list[Outcome]:
    """Start all contenders, warm them up and measure them in turns, one workload after the other."""
    outcomes = []
    with ExitStack() as stack:
        slots = [stack.enter_context(_started(each, directory, cores)) for each in contenders]
        for workload in workloads:
            outcome = Outcome(workload)
            able = [slot for slot in slots if workload in slot.running.requests]
            for slot in able:
                _turn(slot, workload, plan, cores, plan.warm_up, plan.rounds + 1)
            for done in range(plan.rounds):
                for slot in able:
                    time.sleep(plan.pause)
                    sample = _turn(slot, workload, plan, cores, plan.seconds, plan.rounds - done)
                    outcome.samples.setdefault(slot.contender.name, []).append(sample)
            outcomes.append(outcome)
    return outcomes


def measure_cases(contenders: list[Contender], name: str, plan: Plan, cores: Cores, directory: Path) -> Outcome:
    """Start all contenders and measure every workload of each in turns. Samples are keyed by workload."""
    outcome = Outcome(name)
    with ExitStack() as stack:
        slots = [stack.enter_context(_started(each, directory, cores)) for each in contenders]
        each = [[(slot, workload) for workload in slot.running.requests] for slot in slots]
        cases = [case for turn in zip_longest(*each) for case in turn if case is not None]
        for slot, workload in cases:
            _turn(slot, workload, plan, cores, plan.warm_up, plan.rounds + 1)
        for done in range(plan.rounds):
            for slot, workload in cases:
                time.sleep(plan.pause)
                sample = _turn(slot, workload, plan, cores, plan.seconds, plan.rounds - done)
                outcome.samples.setdefault(workload, []).append(sample)
    return outcome


def _turn(slot: _RunningContender, workload: str, plan: Plan, cores: Cores, seconds: float, turns_left: int) -> Sample:
    """Run the load against one contender. Spreads a budget of orders evenly over the remaining turns.

    Numbers requests consecutively across turns: no number is repeated or skipped.
    """
    budget = slot.orders_left if workload == ORDER else None
    load = Load(
        slot.running.ports.get(workload, slot.port),
        slot.running.requests[workload],
        connections=plan.connections,
        seconds=seconds,
        max_requests=None if budget is None else budget // turns_left,
        first=slot.sent,
        core=cores.generator,
        status=slot.running.statuses.get(workload, 200),
    )
    before, database = cpu_seconds(slot.process.pid), _database_cpu(slot)
    result = run(load)
    used = cpu_seconds(slot.process.pid) - before
    sample = Sample(result, used, largest_mib(slot.process.pid), _database_cpu(slot) - database)
    slot.sent += result.requests
    if budget is not None:
        slot.orders_left = budget - result.requests
    if slot.process.poll() is not None:
        raise RuntimeError(f"{slot.contender.name} died during {workload!r}")
    return sample


def _database_cpu(slot: _RunningContender) -> float:
    """Return the CPU time of its database server, including processes of closed connections."""
    return cpu_seconds(slot.running.database, ended=True) if slot.running.database else 0.0


@contextmanager
def started(contender: Contender, directory: Path, cores: Cores) -> Iterator[int]:
    """Start a contender and yield its port, for callers that send their own requests."""
    with _started(contender, directory, cores) as slot:
        yield slot.port


@contextmanager
def _started(contender: Contender, directory: Path, cores: Cores) -> Iterator[_RunningContender]:
    data, port = directory / contender.name, free_port()
    data.mkdir()
    with pinned(cores.server):
        process = contender.start(data, port)
    try:
        await_port(contender.name, process, log_path(data), port)
        try:
            running = contender.open(data, port)
        except RuntimeError as problem:
            raise RuntimeError(f"{contender.name}: {problem}\n{_tail(log_path(data))}") from problem
        yield _RunningContender(contender, process, port, running, running.order_budget)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def await_port(name: str, process: subprocess.Popen[bytes], log: Path, port: int) -> None:
    """Wait until a process listens on its port. Raises `RuntimeError` with the end of its log if it does not."""
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
            continue
        return
    raise RuntimeError(f"{name} does not listen on its port:\n{_tail(log)}")


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-2000:] if log.exists() else ""
