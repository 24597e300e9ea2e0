"""Forward-auth: Bedesten's `GET /gate/decide` and a FastAPI that decides the same, called directly and by nginx.

Before the measurement each gate must decide as expected about valid and invalid requests, both ways.
"""

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import nginx
from benchmarks.checkout import HERE, Checkout, SetupError
from benchmarks.gate_contenders import PEER_REFUSES, each_token
from benchmarks.harness import Contender, Running, log_path
from benchmarks.load import Build, answered
from benchmarks.machine import free_port
from benchmarks.material import KEY_PATH, TOKEN_PATH, Case, GateMaterial, material_file, read_gate
from benchmarks.peer_contenders import CEILING, start_module
from benchmarks.report import SUBJECT
from benchmarks.wire import Template, http_request

DIRECT: Final = ("decide: one token", "decide: a token each time", "decide: API key")
BEHIND: Final = tuple(f"{name}, nginx" for name in DIRECT)
ROUTES: Final = f"""
[[routes]]
path = "{TOKEN_PATH}"
methods = ["GET"]
surface = "reseller"
scopes = ["account:read"]

[[routes]]
path = "{KEY_PATH}"
methods = ["GET"]
surface = "supplier"
grants = ["products:read"]
"""


@dataclass(frozen=True, slots=True)
class Front:
    """Starts an nginx in front of each gate. `stack` ends them, and the service behind them.

    `service`: the port of that service; None: no nginx.
    """

    stack: ExitStack
    service: int | None
    folder: Path
    core: int | None

    def before(self, name: str, gate: int, host: str) -> int | None:
        """Return the port of an nginx that asks the gate at this port."""
        if self.service is None:
            return None
        running = nginx.in_front_of(gate, self.service, host, self.folder / f"nginx-{name}", self.core)
        return self.stack.enter_context(running)


def bedesten(prepared: Path, front: Front, name: str = SUBJECT, checkout: Checkout = HERE) -> Contender:
    """Return Bedesten's own program with a route file; the admin process decides."""
    known = read_gate(prepared)
    return Contender(name, partial(_start_bedesten, prepared, checkout), _opened(known, front, name))


def fastapi(prepared: Path, front: Front) -> Contender:
    """Return FastAPI for the same credentials."""
    known = read_gate(prepared)

    def start(data: Path, port: int) -> "subprocess.Popen[bytes]":
        shutil.copy(material_file(prepared), material_file(data))
        return start_module("benchmarks.peers.fastapi_decide", data, port)

    return Contender("fastapi", start, _opened(known, front, "fastapi"))


def ceiling(prepared: Path, front: Front) -> Contender:
    """Return a gate that allows everything: behind nginx it shows what nginx and the generator can do."""
    known = read_gate(prepared)

    def opened(_: Path, port: int) -> Running:
        behind = front.before("ceiling", port, known.host)
        assert behind is not None
        request = known.accepted["token"].request()
        return Running({BEHIND[0]: request}, ports={BEHIND[0]: behind})

    return replace(CEILING, open=opened)


def _start_bedesten(prepared: Path, checkout: Checkout, data: Path, port: int) -> "subprocess.Popen[bytes]":
    routes = data / "gate.toml"
    routes.write_text(ROUTES, encoding="utf-8")
    line = checkout.program("serve", "--data", str(prepared), "--port", str(free_port()), "--admin-port", str(port))
    line += ["--workers", "1", "--no-worker", "--gate-routes", str(routes)]
    place = checkout.process()
    place["env"] |= {"BEDESTEN_TRUSTED_PROXIES": "127.0.0.1", "BEDESTEN_LOG_LEVEL": "error"}
    with log_path(data).open("wb") as log:
        return subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT, **place)


def _opened(known: GateMaterial, front: Front, name: str) -> Callable[[Path, int], Running]:
    def opened(_: Path, port: int) -> Running:
        check(port, known, asked)
        requests = _requests(known, DIRECT, asked)
        behind = front.before(name, port, known.host)
        if behind is None:
            return Running(requests)
        check(behind, known, Case.request)
        return Running(requests | _requests(known, BEHIND, Case.request), ports=dict.fromkeys(BEHIND, behind))

    return opened


def _requests(known: GateMaterial, names: tuple[str, ...], build: Callable[[Case], Template]) -> dict[str, Build]:
    builds = (build(known.accepted["token"]), each_token(known, build), build(known.accepted["API key"]))
    return dict(zip(names, builds, strict=True))


def asked(case: Case) -> Template:
    """Build the authorization request for a case, as nginx sends it."""
    headers = {"ApiKey": case.api_key} if case.api_key else {}
    headers |= {
        "X-Forwarded-Method": case.method,
        "X-Forwarded-Uri": case.path,
        "X-Forwarded-Host": case.host,
        "X-Forwarded-For": "127.0.0.1",
    }
    return http_request(
        "GET", "/gate/decide?document=header", host="localhost", token=case.token or None, headers=headers
    )


def cases(known: GateMaterial) -> Iterator[Case]:
    """Yield requests with their expected verdicts. A path without a rule is forbidden."""
    yield from (known.accepted["token"], known.accepted["API key"])
    yield from (known.refused[name] for name in (*PEER_REFUSES, "unknown host"))
    yield replace(known.refused["unknown path"], status=403)


def check(port: int, known: GateMaterial, build: Callable[[Case], Template]) -> None:
    """Send each case once. Raises `SetupError` for an unexpected verdict."""
    for case in cases(known):
        status = _status(port, build(case)(0))
        if status != case.status:
            raise SetupError(f"{case.path} as {case.host}: {status} in place of {case.status}")


def _status(port: int, request: bytes) -> int:
    data, status = b"", None
    with socket.create_connection(("127.0.0.1", port), timeout=300) as connection:
        connection.sendall(request)
        while status is None:
            received = connection.recv(1 << 16)
            if not received:
                raise SetupError(f"the connection ended in place of a response: {data!r}")
            data += received
            status = answered(data)
    return int(status)
