"""The plain applications of `peers` as contenders."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.harness import ORDER, READ, Contender, Running, log_path
from benchmarks.peers import fastapi_postgres, setup
from benchmarks.postgres import first_process
from benchmarks.report import YARDSTICK
from benchmarks.wire import PLACEHOLDER, http_request

_ROOT = Path(__file__).resolve().parents[1]


def start_module(module: str, data: Path, port: int) -> subprocess.Popen[bytes]:
    """Start a peer as a process with its output in the log."""
    with log_path(data).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", module, "--port", str(port), "--data", str(data)],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=_ROOT,
        )


def _start(module: str, data: Path, port: int) -> subprocess.Popen[bytes]:
    setup.prepare(data)
    return start_module(module, data, port)


def _open(data: Path, port: int) -> Running:
    host, token = f"localhost:{port}", setup.issue(data)
    line = {"deliverId": "1", "customerStoreProductId": setup.PRODUCT, "quantity": 1}
    body = json.dumps({"orderReference": PLACEHOLDER.decode(), "basketData": [line]}).encode()
    return Running(
        {
            READ: http_request("GET", "/Account/Details", host=host, token=token),
            ORDER: http_request("POST", "/Orders/Create", host=host, token=token, body=body),
        }
    )


def _open_ceiling(data: Path, port: int) -> Running:
    return Running({READ: http_request("GET", "/Account/Details", host=f"localhost:{port}", token="x" * 400)})


def peer(name: str, module: str) -> Contender:
    """Return a contender for a module that serves the database of `peers.setup`."""
    return Contender(name, partial(_start, module), _open)


def on_postgres(url: str) -> Contender:
    """Return two processes with one database."""

    def start(data: Path, port: int) -> subprocess.Popen[bytes]:
        fastapi_postgres.prepare(data, url)
        return start_module("benchmarks.peers.fastapi_postgres", data, port)

    def opened(data: Path, port: int) -> Running:
        return replace(_open(data, port), database=first_process(url))

    return Contender("fastapi-orm", start, opened)


FASTAPI_RAW = peer("fastapi-raw", "benchmarks.peers.fastapi_raw")
FASTAPI_ORM = peer("fastapi-orm", "benchmarks.peers.fastapi_orm")
CEILING = Contender(YARDSTICK, partial(start_module, "benchmarks.peers.ceiling"), _open_ceiling)
