"""The load generator counts every request, whatever the form of the responses."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from benchmarks.load import Load, Result, run, run_here
from benchmarks.wire import Template, http_request

pytestmark = pytest.mark.slow

Answer = Callable[[int], bytes | None]


class _Server(asyncio.Protocol):
    """Responds with `answer(n)` to the number in the body; None closes the connection."""

    seen: list[int]
    answer: Answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        number = int(data.rpartition(b"\r\n\r\n")[2])
        self.seen.append(number)
        reply = self.answer(number)
        if reply is None:
            self.transport.close()
            return
        half = len(reply) // 2
        self.transport.write(reply[:half])
        asyncio.get_running_loop().call_soon(self.transport.write, reply[half:])


@contextmanager
def serving(answer: Answer) -> Iterator[tuple[int, list[int]]]:
    """Run a server in a thread; yields its port and the received numbers."""
    seen: list[int] = []
    loop = asyncio.new_event_loop()

    def connect() -> _Server:
        protocol = _Server()
        protocol.seen, protocol.answer = seen, answer
        return protocol

    server = loop.run_until_complete(loop.create_server(connect, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1], seen
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def counting_request() -> Template:
    return http_request("POST", "/", host="localhost", body=b"{reference-}")


def plain(status: bytes = b"200 OK", name: bytes = b"content-length") -> bytes:
    return b"HTTP/1.1 " + status + b"\r\nserver: tiny\r\n" + name + b": 5\r\n\r\nhello"


def load(port: int, requests: int, *, connections: int = 4, first: int = 0) -> Result:
    return run_here(
        Load(port, counting_request(), connections=connections, seconds=30, max_requests=requests, first=first)
    )


@pytest.mark.parametrize(
    "reply",
    [
        plain(),
        plain(name=b"Content-Length"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
    ],
    ids=["lower-case", "mixed-case", "chunked"],
)
def test_each_number_is_sent_once_and_every_response_is_counted(reply: bytes) -> None:
    with serving(lambda number: reply) as (port, seen):
        result = load(port, 250, first=1000)
    assert sorted(seen) == list(range(1000, 1250))
    assert (result.requests, result.errors, result.first_error) == (250, 0, None)
    assert 0 < result.p50_ms <= result.p99_ms


def test_unexpected_statuses_are_errors_and_the_first_is_kept() -> None:
    with serving(lambda number: plain(b"503 Unavailable") if number % 10 == 0 else plain()) as (port, seen):
        result = load(port, 100)
    assert (len(seen), result.requests, result.errors) == (100, 100, 10)
    assert result.first_error is not None
    assert result.first_error.startswith("HTTP/1.1 503 Unavailable")


def test_a_closed_connection_is_one_error_and_is_reopened() -> None:
    with serving(lambda number: None if number in (3, 40) else plain()) as (port, seen):
        result = load(port, 60, connections=2)
    assert sorted(seen) == list(range(60))
    assert (result.requests, result.errors) == (60, 2)


def test_fewer_requests_than_connections_leave_the_rest_idle() -> None:
    with serving(lambda number: plain()) as (port, seen):
        result = load(port, 3, connections=8)
    assert (sorted(seen), result.requests) == ([0, 1, 2], 3)


def test_the_time_limit_ends_a_run_and_loses_no_response() -> None:
    with serving(lambda number: plain()) as (port, seen):
        result = run_here(Load(port, counting_request(), connections=4, seconds=0.2))
    assert result.requests == len(seen) > 0
    assert result.errors == 0


def test_a_run_in_a_separate_process_gives_the_same_counts() -> None:
    with serving(lambda number: plain()) as (port, seen):
        result = run(Load(port, counting_request(), connections=2, seconds=30, max_requests=50))
    assert (len(seen), result.requests, result.errors) == (50, 50, 0)
    assert result.cpu_s > 0


def test_an_unreachable_server_is_reported_not_measured() -> None:
    with serving(lambda number: plain()) as (port, _):
        pass
    with pytest.raises(RuntimeError, match="load generator"):
        run(Load(port, counting_request(), connections=1, seconds=1))


def test_a_request_without_the_placeholder_is_always_the_same() -> None:
    request = http_request("GET", "/Account/Details", host="localhost", token="t")
    assert request(1) == request(2)
    assert b"Authorization: Bearer t\r\n" in request(1)
    assert b"Content-Length" not in request(1)
