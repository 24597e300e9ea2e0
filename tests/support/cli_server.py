"""Runs `bedesten serve` as a process, and reads its events."""

import contextlib
import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.cli_program import ENVIRONMENT, Program
from tests.support.client import Client
from tests.support.sites import shown_beside_failures

EMPTY: Mapping[str, str] = {}
NO_DRAIN = {"BEDESTEN_DRAIN_SECONDS": "0"}


@dataclass
class CliServer:
    """A running server."""

    process: "subprocess.Popen[str]"
    log: Path
    events: list[dict[str, Any]] = field(default_factory=list)

    def until(self, name: str) -> dict[str, Any]:
        """Reads events up to the named one."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1].get("event") == name:
                return self.events[-1]
        raise AssertionError(f"no {name} in {self.events}")

    def logged(self) -> list[dict[str, Any]]:
        """The log lines so far."""
        return [
            json.loads(line) for line in self.log.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")
        ]

    def until_logged(self, event: str) -> dict[str, Any]:
        """Waits for the first log line with the name of an event, and returns it."""
        for _ in range(1200):
            for line in self.logged():
                if line["event"] == event:
                    return line
            time.sleep(0.1)
        raise AssertionError(f"{event} was not logged")

    @property
    def ready(self) -> dict[str, Any]:
        """The event `ready`: every worker accepts connections."""
        return next(event for event in self.events if event["event"] == "ready")

    @property
    def port(self) -> int:
        """The port of the four surfaces."""
        return urlsplit(self.ready["url"]).port or 0

    @property
    def workers(self) -> list[int]:
        """The process ids of the workers."""
        return [pid for name, pid in self.ready["pids"].items() if name.startswith("web-")]

    def operator(self, path: str, method: str = "GET") -> tuple[int, Any]:
        """Sends a request to the admin listener; returns status and document."""
        connection = http.client.HTTPConnection(urlsplit(self.ready["adminUrl"]).netloc, timeout=120)
        with contextlib.closing(connection):
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, json.loads(body) if body else None

    def clients(self, host: str, lines: tuple[tuple[str, str], ...]) -> list[Client]:
        """Clients with one open connection each, enough that every worker has at least one."""
        before = {pid: _sockets(pid) for pid in self.workers}
        made: list[Client] = []
        while not all(_sockets(pid) > count for pid, count in before.items()):
            assert len(made) < 200, "a worker that accepts nothing"
            made.append(Client(self.port, host, lines))
            made[-1].get("/documentation/errors/-1.json")
        return made


def _sockets(pid: int) -> int:
    """How many sockets a process holds."""
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            count += str(entry.readlink()).startswith("socket:")
    return count


@contextlib.contextmanager
def served(
    program: Program, *arguments: str, wait_for: str = "ready", environment: Mapping[str, str] = EMPTY
) -> Iterator[CliServer]:
    """Runs the program's server for the block, on free ports by default."""
    command = [sys.executable, "-m", "bedesten", "serve", "--port", "0", *arguments, "--json", *program.where]
    with (
        tempfile.NamedTemporaryFile(
            suffix=".log"
        ) as log,  # a pipe that nobody reads would stop the server once it is full
        subprocess.Popen(
            command, env={**ENVIRONMENT, **NO_DRAIN, **environment}, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
        shown_beside_failures(Path(log.name)),
    ):
        try:
            server = CliServer(process, Path(log.name))
            server.until(wait_for)
            yield server
        finally:
            process.terminate()
            try:
                process.communicate(timeout=120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
