"""Whether the response time of a refusal reveals its cause: interleaved medians of causes with the same response.

One connection, one request at a time, the causes in a new random order in every turn. Each group begins with its baseline
and contains that case twice: the difference between the two is the noise. Nothing is asserted, because a median on a
shared machine proves nothing.
"""

import json
import random
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.checkout import HERE, SetupError
from benchmarks.gate_contenders import start_app
from benchmarks.harness import Contender, Plan, Running, started
from benchmarks.load import answered
from benchmarks.machine import Cores, pinned
from benchmarks.material import FIRST, Case, prepare, read_values

BOUNDS = {"MAC": 0.02}
"""The largest difference of a group's medians that SECURITY allows; a tenth unless stated otherwise."""
BOUND = 0.10
LOGIN_BOUND_US = 5_000
MAX_TURNS = 100_000
IN_PROCESS = "MAC, inside the verifier"
LOGIN = "login"
_CODE = re.compile(rb'"code":(-?\d+)')


@dataclass(slots=True)
class Series:
    """The response times of one case in microseconds, and the number of unexpected responses."""

    times: list[float] = field(default_factory=list)
    wrong: int = 0


Groups = dict[str, dict[str, Series]]


def measure(plan: Plan, cores: Cores, directory: Path) -> Groups:
    """Set up and measure all cases in turns. `plan.seconds` is the time for each group."""
    prepared = directory / "timing"
    prepare("timing", prepared)
    server = Contender(
        "timing-server",
        lambda data, port: start_app(prepared, "patient", None, data, port),
        lambda _, port: Running({}),
    )
    groups: Groups = {IN_PROCESS: _in_process(20_000 if plan.seconds >= 1 else 200, cores)}
    seconds = plan.rounds * plan.seconds
    with started(server, directory, cores) as port, line(port) as sock, pinned(cores.generator):
        for group, cases in read_values(prepared).items():
            known = {name: [Case(**case) for case in some] for name, some in cases.items()}
            turns = min(map(len, known.values())) if group == FIRST else MAX_TURNS
            groups[group] = ask(sock, known, seconds * 4 if group == LOGIN else seconds, turns)
    return groups


def ask(
    sock: socket.socket, cases: Mapping[str, list[Case]], seconds: float, turns: int = MAX_TURNS
) -> dict[str, Series]:
    """Send each case once a turn in random order, for at least five turns. The first two turns do not count."""
    found = {name: Series() for name in cases}
    order, dice = list(cases), random.Random(1)
    requests = {name: [(case.request()(0), case) for case in some] for name, some in cases.items()}
    end = time.perf_counter() + seconds
    for turn in range(turns):
        if turn >= 7 and time.perf_counter() > end:
            break
        dice.shuffle(order)
        for name in order:
            raw, case = requests[name][turn % len(requests[name])]
            begin = time.perf_counter_ns()
            answer = exchange(sock, raw)
            took = (time.perf_counter_ns() - begin) / 1000
            found[name].wrong += not is_right(answer, case)
            if turn >= 2:
                found[name].times.append(took)
    return found


def exchange(sock: socket.socket, request: bytes) -> bytes:
    """Return the whole response to one request on an open connection."""
    sock.sendall(request)
    data = b""
    while True:
        piece = sock.recv(1 << 16)
        if not piece:
            raise SetupError(f"the server closed the connection after {request[:60]!r}")
        data += piece
        if answered(data) is not None:
            return data


def is_right(answer: bytes, case: Case) -> bool:
    """Whether a response has the status and the code of its case."""
    code = _CODE.search(answer)
    return answered(answer) == b"%03d" % case.status and code is not None and int(code[1]) == case.code


def _in_process(count: int, cores: Cores) -> dict[str, Series]:
    with pinned(cores.server):
        line = HERE.part("macs", str(count))
        done = subprocess.run(line, capture_output=True, text=True, check=True, **HERE.process())
    times: dict[str, Any] = json.loads(done.stdout)
    return {name: Series([each / 1000 for each in some]) for name, some in times.items()}


@contextmanager
def line(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield line


# -- the table ---------------------------------------------------------------------------------------------------------


def table(groups: Groups) -> str:
    """Format one line for each case: median, middle half, and difference from the group's first case."""
    width = 2 + max(len(name) for cases in groups.values() for name in cases)
    lines = []
    for group, cases in groups.items():
        first = median(next(iter(cases.values())).times)
        lines += ["", f"{group} ({len(next(iter(cases.values())).times)} of each)"]
        lines.append(f"{'':{width}}{'median µs':>10}{'middle half':>20}{'differs by µs':>15}{'%':>8}")
        for name, series in cases.items():
            low, middle, high = quantiles(series.times, n=4)
            mark = _mark(group, middle - first, first) if name != next(iter(cases)) else ""
            wrong = f"   ! {series.wrong} unexpected responses" if series.wrong else ""
            spread = f"{low:,.1f}–{high:,.1f}"
            lines.append(
                f"{name:{width}}{middle:>10,.1f}{spread:>20}{middle - first:>15,.2f}"
                f"{(middle - first) / first:>8.1%}{mark}{wrong}"
            )
    return "\n".join(lines)


def _mark(group: str, difference: float, first: float) -> str:
    bound = BOUNDS.get(group.partition(",")[0], BOUND)
    above = abs(difference) > bound * first or (group == LOGIN and abs(difference) > LOGIN_BOUND_US)
    return f"   above {bound:.0%}" if above else ""
