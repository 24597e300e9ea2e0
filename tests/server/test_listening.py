"""Connections reach only workers that can answer. With real processes, one of them held back or killed."""

import contextlib
import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedesten.server.child_process import PortBusy, reserve
from tests.server.processes import Server, Start, alive, eventually, refuses, starting
from tests.support.pausing import pause

pytestmark = pytest.mark.slow


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers on one data directory; kills those that still run afterwards."""
    yield from starting(tmp_path)


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The file without which no worker becomes ready."""
    return tmp_path / "gate"


def gated(start: Start, gate: Path, wait_for: str, workers: int) -> Server:
    settings = json.dumps({"gate": str(gate)})
    return start(wait_for, workers=workers, app_factory="dummy_app:build_gated", settings_json=settings)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_starts_refuses_connections_until_it_can_answer(start: Start, gate: Path, workers: int) -> None:
    server = gated(start, gate, "listening", workers)
    assert eventually(lambda: len(server.children) == workers, 10)
    assert refuses(server.port)
    gate.touch()
    server.until("on_ready")
    assert int(server.get()) in server.children
    assert server.stop() == 0


def test_the_port_is_reserved_before_any_process_listens_on_it(start: Start, gate: Path, tmp_path: Path) -> None:
    server = gated(start, gate, "listening", 2)
    with pytest.raises(PortBusy, match="Address already in use"):
        reserve("127.0.0.1", server.port)
    other = start("refused", lock=tmp_path / "other.lock", port=server.port)
    assert other.process.wait(120) == 1


def test_after_kill_9_of_a_worker_no_request_waits_for_its_successor(start: Start, gate: Path) -> None:
    gate.touch()
    server = gated(start, gate, "on_ready", 2)
    killed, living = server.children
    gate.unlink()
    os.kill(killed, signal.SIGKILL)
    server.until("respawned")
    assert not alive(killed)
    assert {int(server.get()) for _ in range(40)} == {living}
    gate.touch()
    assert eventually(lambda: {int(server.get()) for _ in range(16)} == set(server.children), 20)


def test_connections_that_a_killed_worker_had_not_accepted_are_reset_at_once(start: Start, gate: Path) -> None:
    """A stopped worker accepts nothing, so connections queue up in its socket."""
    gate.touch()
    server = gated(start, gate, "on_ready", 1)
    (worker,) = server.children
    pause([worker])
    gate.unlink()
    with contextlib.ExitStack() as stack:
        queued = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10)) for _ in range(8)]
        for sock in queued:
            sock.sendall(b"GET /pid HTTP/1.1\r\nHost: a\r\n\r\n")
        os.kill(worker, signal.SIGKILL)
        for sock in queued:
            with pytest.raises(ConnectionResetError):
                sock.recv(1)


def test_after_a_single_worker_was_killed_connections_are_refused_until_its_successor_is_ready(
    start: Start, gate: Path
) -> None:
    gate.touch()
    server = gated(start, gate, "on_ready", 1)
    gate.unlink()
    os.kill(server.children[0], signal.SIGKILL)
    server.until("respawned")
    assert refuses(server.port)
    gate.touch()
    assert eventually(lambda: not refuses(server.port), 20)
    assert int(server.get()) in server.children


def test_a_restart_can_bind_a_port_with_connections_in_time_wait(start: Start, gate: Path) -> None:
    gate.touch()
    first = gated(start, gate, "on_ready", 1)
    for _ in range(4):
        connection = http.client.HTTPConnection("127.0.0.1", first.port, timeout=120)
        connection.request("GET", "/close")
        assert connection.getresponse().read() == b"bye"  # the server closes first: the port is in TIME_WAIT
        connection.close()
    assert first.stop() == 0
    again = start(port=first.port, workers=1)
    assert again.port == first.port
    assert again.stop() == 0
