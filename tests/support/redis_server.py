"""Runs Redis on a free loopback port; a test may stop and start it."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator

import pytest

from bedesten.server.child_process import free_port
from tests.support.postgres_cluster import until


class RedisServer:
    """One server without persistence."""

    def __init__(self, folder: str) -> None:
        self.port = free_port(0)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [_program(), *options, "--dir", self._folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._answers, "Redis answers")

    def stop(self) -> None:
        """Kills the server at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(120)
            self._process = None

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        return False


def _program() -> str:
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None and not os.environ.get("CI"):
        pytest.skip("NOT TESTED: redis-server is missing; apt-get install redis-server")
    assert found is not None, "redis-server is missing: apt-get install redis-server"
    return found


@contextlib.contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Runs a server for the block."""
    with tempfile.TemporaryDirectory(prefix="bedesten-redis-") as folder:
        made = RedisServer(folder)
        try:
            made.start()
            yield made
        finally:
            made.stop()
