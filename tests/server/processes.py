"""A supervisor in a separate process, with the small application of `dummy_app`, for tests to start and watch."""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SERVE = Path(__file__).with_name("serve_dummy.py")
QUICK = {"initial_delay_s": 0.02, "max_delay_s": 0.1, "stable_after_s": 0.2, "max_failures": 3}


class Server:
    """A supervisor in a separate process, and its events."""

    def __init__(self, lock: Path, **values: Any) -> None:
        spec = {"port": 0, "workers": 2, "app_factory": "dummy_app:build", "settings_json": "{ }", "respawn": QUICK}
        command = [sys.executable, str(SERVE), json.dumps({**spec, "lock_path": str(lock), **values})]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.events: list[dict[str, Any]] = []

    def until(self, name: str) -> dict[str, Any]:
        """Reads events up to the named one."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == name:
                return self.events[-1]
        raise AssertionError(f"no {name} in {self.events}; {self.process.stderr and self.process.stderr.read()}")

    @property
    def port(self) -> int:
        return int(next(event["port"] for event in self.events if event["event"] == "listening"))

    @property
    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def get(self, path: str = "/pid", timeout: float = 120) -> bytes:
        """The body of one response on a new connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status == 200
            return answer.read()
        finally:
            connection.close()

    def stop(self) -> int:
        """Terminates the supervisor with SIGTERM; returns the exit code."""
        self.process.terminate()
        return self.process.wait(120)


Start = Callable[..., Server]


def starting(folder: Path) -> Iterator[Start]:
    """Starts servers on one data directory (or another `lock`); kills those that still run afterwards."""
    servers: list[Server] = []

    def begin(wait_for: str = "on_ready", lock: Path | None = None, **values: Any) -> Server:
        server = Server(lock or folder / "serve.lock", **values)
        servers.append(server)
        server.until(wait_for)
        return server

    yield begin
    for server in servers:
        server.process.kill()
        server.process.communicate(timeout=120)


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(truth: Callable[[], bool], within: float) -> bool:
    """Waits until the condition holds; whether it did in time."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if truth():
            return True
        time.sleep(0.02)
    return truth()


def refuses(port: int) -> bool:
    """Whether no process listens on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False
