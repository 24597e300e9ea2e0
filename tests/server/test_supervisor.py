"""The processes that run the application, with real processes and signals."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedesten.server.child_process import PortBusy, free_port, reserve
from bedesten.server.data_directory_lock import AlreadyServing, DataDirectoryLock
from tests.server.processes import Server, Start, alive, eventually, refuses, starting

pytestmark = pytest.mark.slow


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts servers on one data directory (or another `lock`); kills those that still run afterwards."""
    yield from starting(tmp_path)


def answers(server: Server) -> bool:
    """Whether the server answers a request."""
    try:
        return server.get() != b""
    except OSError:
        return False


def test_every_worker_serves_and_sigterm_ends_the_server_with_exit_code_0(start: Start) -> None:
    server = start()
    pids = server.children
    assert len(pids) == 2
    assert eventually(lambda: {int(server.get()) for _ in range(8)} == set(pids), 30)
    assert server.stop() == 0
    assert not any(alive(pid) for pid in pids)
    assert refuses(server.port)


def test_a_busy_port_is_refused_before_anything_starts(start: Start, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as a server that shares the port does
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for workers in (1, 2):
            server = start("refused", port=port, workers=workers)
            assert server.process.wait(120) == 1
            assert server.events == [
                {"event": "refused", "reason": f"cannot listen on 127.0.0.1 port {port}: Address already in use"}
            ]


def test_a_refusal_is_one_line_on_standard_error(tmp_path: Path) -> None:
    with reserve("127.0.0.1", 0) as taken:
        port = taken.address[1]
        server = Server(tmp_path / "serve.lock", port=port, settings_json="{}")
        said, complained = server.process.communicate(timeout=120)
    assert server.process.returncode == 1
    assert said == ""
    assert complained == f"bedesten: cannot listen on 127.0.0.1 port {port}: Address already in use\n"


def test_a_second_server_on_one_data_directory_is_refused(start: Start, tmp_path: Path) -> None:
    first = start(workers=1)
    second = start("refused")
    assert second.process.wait(120) == 1
    reason = second.events[-1]["reason"]
    assert f"another server (process {first.process.pid})" in reason
    assert str(tmp_path) in reason
    assert int(first.get()) in first.children
    assert first.stop() == 0
    assert start(workers=1).stop() == 0


def test_a_killed_worker_is_replaced_and_service_goes_on(start: Start) -> None:
    server = start()
    before = server.children
    os.kill(before[0], signal.SIGKILL)
    assert server.until("died")["code"] == -signal.SIGKILL  # all of its threads have ended, so its socket is closed
    answers = {int(server.get()) for _ in range(20)}
    assert server.until("respawned")["pid"] not in before
    assert before[0] not in answers
    assert eventually(lambda: len({int(server.get()) for _ in range(8)}) == 2, 30)
    assert server.stop() == 0


def test_no_child_outlives_a_killed_supervisor(start: Start, tmp_path: Path) -> None:
    side = {"name": "outbox", "target": "dummy_app:side"}
    settings = json.dumps({"side_file": str(tmp_path / "side")})
    server = start(side_processes=[side], settings_json=settings)
    assert eventually((tmp_path / "side").exists, 30)
    pids = server.children
    assert len(pids) == 3
    server.process.kill()
    server.process.wait(120)
    assert eventually(lambda: not any(alive(pid) for pid in pids) and refuses(server.port), 30)
    again = start(port=server.port)  # no orphan holds the port or the directory
    assert again.stop() == 0


def test_the_pipe_alone_ends_an_orphan(tmp_path: Path) -> None:
    """Without the kernel's parent-death signal, a child ends when the parent's end of the pipe closes."""
    code = (
        "import os, sys, time; from bedesten.server import child_process;"
        "child_process.ctypes = None; child_process.die_with_parent(os.getppid(), int(sys.argv[1])); print(1, flush=True);"
        "time.sleep(60)"
    )
    read, write = os.pipe()
    with subprocess.Popen([sys.executable, "-c", code, str(read)], pass_fds=[read], stdout=subprocess.PIPE) as child:
        os.close(read)
        assert child.stdout is not None
        child.stdout.readline()
        os.close(write)
        assert child.wait(120) == 1


def raw_answer(port: int) -> bytes:
    """One response on a connection that should be kept alive."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as sock:
        sock.sendall(b"GET /pid HTTP/1.1\r\nHost: a\r\n\r\n")
        return sock.recv(4096).lower()


def test_a_draining_server_answers_and_closes_each_connection(start: Start, tmp_path: Path) -> None:
    side = {"name": "outbox", "target": "dummy_app:side"}
    settings = json.dumps({"side_file": str(tmp_path / "side")})
    server = start(workers=1, drain_s=3_600, side_processes=[side], settings_json=settings)
    assert eventually((tmp_path / "side").exists, 30)
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as kept:
        kept.sendall(b"GET /pid HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"connection: close" not in kept.recv(4096).lower()
        server.process.terminate()
        assert server.until("draining") == {"event": "draining", "seconds": 3_600}
        assert eventually(lambda: b"connection: close" in raw_answer(server.port), 30)
        kept.sendall(b"GET /pid HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = kept.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"connection: close" in answer.lower()
        assert kept.recv(1) == b""
    assert eventually(lambda: not alive(int((tmp_path / "side").read_text())), 30)  # another node takes over its work
    assert raw_answer(server.port).startswith(b"http/1.1 200 ")
    server.process.terminate()
    assert server.process.wait(120) == 130
    assert refuses(server.port)


def test_a_server_stops_when_it_has_drained(start: Start) -> None:
    server = start(workers=2, drain_s=0.2)
    server.process.terminate()
    server.until("draining")
    server.until("stopping")
    assert server.process.wait(120) == 0


def test_an_interrupt_stops_a_server_without_draining(start: Start) -> None:
    server = start(workers=1, drain_s=3_600)
    server.process.send_signal(signal.SIGINT)
    server.until("stopping")
    assert server.process.wait(120) == 0
    assert "draining" not in [event["event"] for event in server.events]


def test_a_server_whose_workers_die_while_it_drains_stops(start: Start) -> None:
    server = start(workers=2, drain_s=3_600)
    server.process.terminate()
    server.until("draining")
    for child in server.children:
        os.kill(child, signal.SIGKILL)
    server.until("stopping")
    assert server.process.wait(120) == 0


def test_a_running_request_is_finished_before_the_end(start: Start, tmp_path: Path) -> None:
    arrived = tmp_path / "arrived"
    server = start(workers=1)
    port = server.port
    idle = socket.create_connection(("127.0.0.1", port))
    with idle, socket.create_connection(("127.0.0.1", port), timeout=120) as busy:
        busy.sendall(b"GET /sleep/1?" + bytes(arrived) + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert eventually(arrived.exists, 30)
        server.process.terminate()
        assert eventually(lambda: refuses(port), 30)
        answer = busy.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close\r\n" in answer
    assert server.process.wait(120) == 0


def test_a_request_that_does_not_end_is_cut_off_at_the_deadline(start: Start, tmp_path: Path) -> None:
    arrived = tmp_path / "arrived"
    server = start(workers=1, stop_timeout_s=0.5)
    with socket.create_connection(("127.0.0.1", server.port)) as busy:
        busy.sendall(b"GET /sleep/60?" + bytes(arrived) + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert eventually(arrived.exists, 30)
        assert server.stop() == 0
    assert server.until("killed")["name"] == "web-1"


def test_a_second_interrupt_ends_at_once(start: Start, tmp_path: Path) -> None:
    arrived = tmp_path / "arrived"
    server = start(workers=1)
    pids = server.children
    with socket.create_connection(("127.0.0.1", server.port)) as busy:
        busy.sendall(b"GET /sleep/60?" + bytes(arrived) + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert eventually(arrived.exists, 30)
        server.process.send_signal(signal.SIGINT)
        server.until("stopping")
        time.sleep(0.2)
        assert alive(pids[0])
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(120) == 130
    assert not alive(pids[0])


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        ("dummy_app:build_broken", "RuntimeError: this application cannot be built"),
        ("dummy_app:build_refusing", "RuntimeError: this application cannot start"),
        ("dummy_app:missing", "AttributeError: module 'dummy_app' has no attribute 'missing'"),
    ],
)
def test_an_application_that_cannot_start_ends_the_server_with_the_reason(
    start: Start, factory: str, reason: str
) -> None:
    server = start("gave-up", workers=1, app_factory=factory)
    assert server.events[-1]["reason"] == f"web-1 ended 3 times in a row at its start: {reason}"
    assert server.process.wait(120) == 1
    assert not any(event["event"] == "on_ready" for event in server.events)


def test_a_worker_that_finds_no_store_is_restarted_until_the_store_is_back(start: Start, tmp_path: Path) -> None:
    """More often than `max_failures`, the limit for an application that cannot start."""
    away = tmp_path / "away"
    server = start(
        workers=1, app_factory="dummy_app:build_on_store", settings_json=json.dumps({"away_file": str(away)})
    )
    away.touch()
    os.kill(int(server.get()), signal.SIGKILL)
    assert [server.until("died")["code"] for _ in range(5)] == [-signal.SIGKILL] + [os.EX_TEMPFAIL] * 4
    away.unlink()
    assert eventually(lambda: answers(server), 30)
    assert server.stop() == 0


def test_a_server_without_its_store_at_start_ends_with_the_reason(start: Start, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.touch()
    settings = json.dumps({"away_file": str(away)})
    server = start("gave-up", workers=1, app_factory="dummy_app:build_on_store", settings_json=settings)
    assert server.events[-1]["reason"].endswith("StoreUnavailable: the store is away")
    assert server.process.wait(120) == 1


def test_a_side_process_runs_is_replaced_and_gets_sigterm(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "side"
    side = {"name": "outbox", "target": "dummy_app:side"}
    server = start(workers=1, side_processes=[side], settings_json=json.dumps({"side_file": str(file)}))
    assert eventually(lambda: file.exists() and file.read_text() != "", 30)
    first = int(file.read_text())
    os.kill(first, signal.SIGKILL)
    assert server.until("respawned")["name"] == "outbox"
    assert eventually(lambda: file.read_text() not in ("", str(first)), 30)
    assert server.stop() == 0


def test_a_side_process_may_listen_on_its_own_address(start: Start) -> None:
    side = {"name": "admin", "target": "dummy_app:build", "listen": ["127.0.0.1", 0]}
    server = start(workers=1, side_processes=[side])
    own = [event["port"] for event in server.events if event["event"] == "listening" and event["name"] == "admin"]
    connection = http.client.HTTPConnection("127.0.0.1", own[0], timeout=120)
    connection.request("GET", "/pid")
    answered = int(connection.getresponse().read())
    connection.close()
    assert answered in server.children
    assert answered != int(server.get())
    assert server.stop() == 0


def test_more_connections_than_allowed_wait_and_are_served(start: Start) -> None:
    server = start(workers=1, limits={"connections": 4})
    with contextlib.ExitStack() as stack:
        crowd = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=120)) for _ in range(12)
        ]
        for sock in crowd:
            sock.sendall(b"GET /sleep/0.1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert all(sock.recv(4096).startswith(b"HTTP/1.1 200 ") for sock in crowd)
    assert server.stop() == 0


def test_the_lock_is_exclusive_names_its_holder_and_is_released_automatically(tmp_path: Path) -> None:
    first, second = DataDirectoryLock(tmp_path / "serve.lock"), DataDirectoryLock(tmp_path / "serve.lock")
    first.acquire()
    with pytest.raises(AlreadyServing, match=f"process {os.getpid()}"):
        second.acquire(wait_s=0.1)
    first.release()
    second.acquire(wait_s=0.1)
    second.release()
    assert (tmp_path / "serve.lock").stat().st_mode & 0o777 == 0o600


def test_free_port_returns_the_preferred_port_unless_it_is_taken() -> None:
    with reserve("127.0.0.1", 0) as taken:
        port = int(taken.address[1])
        other = free_port(port)
        assert other not in (0, port)
    assert free_port(port) == port


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(PortBusy, match=r"cannot listen on 192\.0\.2\.1 port 80"):
        reserve("192.0.2.1", 80)
    with pytest.raises(PortBusy, match="cannot listen on no such host"):
        reserve("no such host", 80)
