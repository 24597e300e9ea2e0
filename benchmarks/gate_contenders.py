"""The gate over HTTP: Bedesten, FastAPI and HAProxy with the same tokens.

Before the measurement each contender must accept valid requests and refuse invalid ones.
"""

import http.client
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import haproxy
from benchmarks.checkout import HERE, Checkout, SetupError
from benchmarks.harness import Contender, Running, log_path
from benchmarks.load import Build
from benchmarks.material import Case, GateMaterial, material_file, read_gate
from benchmarks.peer_contenders import CEILING, start_module
from benchmarks.report import SUBJECT
from benchmarks.wire import PLACEHOLDER, Cycle, Template, http_request

WARM, COLD, KEY = "gate: one token", "gate: a token each time", "gate: API key"
TOKENS: Final = 80_000
"""More than the 65,536 tokens that Bedesten caches: a full cycle evicts the first one."""
_PROXY_REFUSES: Final = ("no credential", "malformed token", "wrong MAC", "expired", "revoked", "another tenant's")
PEER_REFUSES: Final = (*_PROXY_REFUSES, "lacks the scope", "unknown API key", "no API key")


def contenders(data: Path) -> list[Contender]:
    """Return Bedesten and its peers for an installation that was prepared as `gate` in this directory."""
    return [bedesten(data), *peers(data)]


def peers(data: Path) -> list[Contender]:
    """Return the peers, which check the credentials of a prepared installation."""
    known = read_gate(data)
    start = partial(_start_fastapi, data)
    found = [Contender("fastapi", start, lambda _, port: _open(known, port, PEER_REFUSES))]
    if program := haproxy.program():
        proxy = haproxy.Haproxy(program, known)
        found.append(Contender("haproxy", proxy.start, lambda _, port: _open_proxy(known, port)))
    ceiling = {each: http_request("GET", "/", host=known.host, token="x" * 400) for each in (WARM, COLD, KEY)}
    found.append(replace(CEILING, open=lambda _, port: Running(ceiling)))
    return found


def bedesten(
    data: Path,
    name: str = SUBJECT,
    application: str = "whole",
    database: str | None = None,
    checkout: Checkout = HERE,
) -> Contender:
    """Return Bedesten with one worker and one of the applications of `app.applications`."""
    known = read_gate(data)
    start = partial(start_app, data, application, database, checkout=checkout)
    return Contender(name, start, lambda _, port: _open(known, port, known.refused))


def start_app(
    prepared: Path, application: str, database: str | None, data: Path, port: int, *, checkout: Checkout = HERE
) -> "subprocess.Popen[bytes]":
    """Serve a prepared installation. The contender's own directory has only its log."""
    line = checkout.part("serve", "--data", str(prepared), "--port", str(port))
    line += ["--application", application, *(["--database", database] if database else [])]
    with log_path(data).open("wb") as log:
        return subprocess.Popen(line, stdout=log, stderr=subprocess.STDOUT, **checkout.process())


def _start_fastapi(prepared: Path, data: Path, port: int) -> "subprocess.Popen[bytes]":
    shutil.copy(material_file(prepared), material_file(data))
    return start_module("benchmarks.peers.fastapi_gate", data, port)


def _open(known: GateMaterial, port: int, refuses: Iterable[str]) -> Running:
    check(port, [known.accepted["token"], known.accepted["API key"], *(known.refused[name] for name in refuses)])
    requests: dict[str, Build] = {
        WARM: known.accepted["token"].request(),
        COLD: each_token(known),
        KEY: known.accepted["API key"].request(),
    }
    return Running(requests)


def _open_proxy(known: GateMaterial, port: int) -> Running:
    check(port, [known.accepted["token"], *(known.refused[name] for name in _PROXY_REFUSES)])
    return Running({WARM: known.accepted["token"].request(), COLD: each_token(known)})


def each_token(known: GateMaterial, build: Callable[[Case], Template] = Case.request) -> Cycle:
    """Build the request with another valid token each time."""
    template = build(replace(known.accepted["token"], token=PLACEHOLDER.decode()))
    assert template.after is not None
    return Cycle(Path(known.tokens), template.before, template.after)


def check(port: int, cases: Iterable[Case]) -> None:
    """Send each case once. Raises `SetupError` for an unexpected response."""
    for case in cases:
        status = _status(port, case)
        if status != case.status:
            raise SetupError(f"{case.path} as {case.host}: {status} in place of {case.status}")


def _status(port: int, case: Case) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    headers = {"Host": case.host} | ({"Authorization": f"Bearer {case.token}"} if case.token else {})
    headers |= {"ApiKey": case.api_key} if case.api_key else {}
    try:
        connection.request(case.method, case.path, case.body or None, headers)
        return connection.getresponse().status
    finally:
        connection.close()
