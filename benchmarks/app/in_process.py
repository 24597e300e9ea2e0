"""Measures the CPU of each refusal relative to an acceptance, without sockets: `python -m benchmarks.app.in_process`.

It builds the real web application on a prepared installation (`prepare gate`) and calls the ASGI adapter: the HTTP server
is left out. The cases take turns (A B C, A B C), so a machine that gets slower does so for all of them. Figures are the
process's CPU time for one request of a turn. `--profile CASE` prints where the time of one case goes.
"""

import argparse
import asyncio
import cProfile
import pstats
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from bedesten.http.asgi import Adapter
from bedesten.server.settings import Settings
from benchmarks.app import applications
from benchmarks.material import Case, prepare, read_gate

Scope = dict[str, Any]
ACCEPTED = {"token": "accepted: token", "API key": "accepted: API key"}
"""The accepted cases that refusals are compared with, by the surface's kind of credential."""


class WrongAnswer(RuntimeError):
    """A case got an unexpected status."""


def main() -> int:
    """Measure, print the table, and return the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=1000, help="of each case in each round")
    parser.add_argument("--profile", metavar="CASE", help="profile this case alone")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "gate"
        prepare("gate", data)
        known = read_gate(data)
        cases = {f"accepted: {name}": case for name, case in known.accepted.items()} | known.refused
        app = applications.patient(Settings(data=data, log_level="error").model_dump_json())
        asyncio.run(_with_lifespan(app, lambda: _run(app, cases, asked)))
    return 0


async def _run(app: Adapter, cases: dict[str, Case], asked: argparse.Namespace) -> None:
    if asked.profile:
        await _profile(app, cases[asked.profile], asked.requests)
    else:
        _print(await measure(app, cases, asked.rounds, asked.requests), cases)


async def measure(app: Adapter, cases: dict[str, Case], rounds: int, requests: int) -> dict[str, list[float]]:
    """Measure the CPU microseconds of a request of each case, one figure a round. The first round does not count.

    Raises `WrongAnswer`.
    """
    found: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, case in cases.items():
            took = await _turn(app, name, case, requests)
            if number:
                found[name].append(took)
    return found


async def _turn(app: Adapter, name: str, case: Case, requests: int) -> float:
    scope, statuses = scope_of(case), set()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.add(message["status"])

    started = process_time()
    for _ in range(requests):
        await app(scope.copy(), _nothing, send)
    took = process_time() - started
    if statuses != {case.status}:
        raise WrongAnswer(f"{name}: {statuses} in place of {case.status}")
    return took / requests * 1e6


def scope_of(case: Case) -> Scope:
    """Return the ASGI scope of a case, as granian creates it."""
    headers = [(b"host", case.host.encode())]
    if case.token:
        headers.append((b"authorization", b"Bearer " + case.token.encode()))
    if case.api_key:
        headers.append((b"apikey", case.api_key.encode()))
    return {
        "type": "http",
        "method": case.method,
        "raw_path": case.path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 50_000),
    }


def beside(name: str, case: Case) -> str:
    """Return the accepted case with which a case is compared: the one on its path, or the token's."""
    if name in ACCEPTED.values():
        return name
    return ACCEPTED["API key" if case.path == "/Bench/Key" else "token"]


async def _nothing() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _with_lifespan(app: Adapter, work: Callable[[], Awaitable[None]]) -> None:
    """Run the work between the application's start-up and shutdown."""
    messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    answers: asyncio.Queue[Any] = asyncio.Queue()
    running = asyncio.ensure_future(app({"type": "lifespan"}, messages.get, answers.put))
    await messages.put({"type": "lifespan.startup"})
    assert (await answers.get())["type"] == "lifespan.startup.complete"
    await work()
    await messages.put({"type": "lifespan.shutdown"})
    await running


async def _profile(app: Adapter, case: Case, requests: int) -> None:
    await _turn(app, "first", case, requests)
    profile = cProfile.Profile()
    profile.enable()
    await _turn(app, "profiled", case, requests)
    profile.disable()
    pstats.Stats(profile).sort_stats("tottime").print_stats(40)


def _print(found: dict[str, list[float]], cases: dict[str, Case]) -> None:
    print(f"{'case':24}{'min':>8}{'median':>8}{'ratio':>8}   µs of CPU; ratio of medians to the acceptance beside it")
    for name, figures in found.items():
        ratio = median(figures) / median(found[beside(name, cases[name])])
        print(f"{name:24}{min(figures):8.1f}{median(figures):8.1f}{ratio:7.2f}×")


if __name__ == "__main__":
    sys.exit(main())
