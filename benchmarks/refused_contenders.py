"""A server that states the true reason of every refusal, and one that rejects the address without checking its requests."""

from pathlib import Path
from typing import Final

from benchmarks.gate_contenders import check, start_app
from benchmarks.harness import Contender, Running
from benchmarks.load import Build
from benchmarks.material import Case, read_gate

THROTTLED: Final = "refused too often"


def patient(prepared: Path) -> Contender:
    """Return a server that never throttles: it states the true reason of every refusal and accepts valid requests."""
    known = read_gate(prepared)
    cases = {f"accepted: {name}": case for name, case in known.accepted.items()} | known.refused

    def opened(_: Path, port: int) -> Running:
        check(port, cases.values())
        return _running(cases)

    return Contender("patient", lambda data, port: start_app(prepared, "patient", None, data, port), opened)


def strict(prepared: Path) -> Contender:
    """Return a server that throttled the address after its first refusal, and rejects all its requests."""
    known = read_gate(prepared)
    wrong, right = known.refused["wrong MAC"], known.accepted["token"]
    throttled = Case(right.host, right.path, right.token, status=429)

    def opened(_: Path, port: int) -> Running:
        check(port, [wrong, throttled])
        return _running({THROTTLED: throttled})

    return Contender("strict", lambda data, port: start_app(prepared, "strict", None, data, port), opened)


def _running(cases: dict[str, Case]) -> Running:
    requests: dict[str, Build] = {name: case.request() for name, case in cases.items()}
    return Running(requests, statuses={name: case.status for name, case in cases.items()})
