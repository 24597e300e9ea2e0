"""A server that states the true reason of every refusal, and one that rejects the address without checking its requests."""

from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.checkout import HERE, Checkout
from benchmarks.gate_contenders import check, start_app
from benchmarks.harness import Contender, Running
from benchmarks.load import Build
from benchmarks.material import Case, read_gate

THROTTLED: Final = "refused too often"


def patient(prepared: Path, checkout: Checkout = HERE, prefix: str = "") -> Contender:
    """Return a server that never throttles: it states the true reason of every refusal and accepts valid requests.

    `prefix`: precedes the names of its cases.
    """
    known = read_gate(prepared)
    cases = {f"accepted: {name}": case for name, case in known.accepted.items()} | known.refused

    def opened(_: Path, port: int) -> Running:
        check(port, cases.values())
        return _running(cases, prefix)

    return Contender(f"{prefix}patient", partial(start_app, prepared, "patient", None, checkout=checkout), opened)


def strict(prepared: Path, checkout: Checkout = HERE, prefix: str = "") -> Contender:
    """Return a server that throttled the address after its first refusal, and rejects all its requests."""
    known = read_gate(prepared)
    wrong, right = known.refused["wrong MAC"], known.accepted["token"]
    throttled = Case(right.host, right.path, right.token, status=429)

    def opened(_: Path, port: int) -> Running:
        check(port, [wrong, throttled])
        return _running({THROTTLED: throttled}, prefix)

    return Contender(f"{prefix}strict", partial(start_app, prepared, "strict", None, checkout=checkout), opened)


def _running(cases: dict[str, Case], prefix: str) -> Running:
    requests: dict[str, Build] = {prefix + name: case.request() for name, case in cases.items()}
    return Running(requests, statuses={prefix + name: case.status for name, case in cases.items()})
