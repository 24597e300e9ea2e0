"""A closed-loop HTTP/1.1 load generator: C connections with exactly one request in flight on each.

It uses blocking sockets under one epoll, no HTTP library and no object for each request, and reaches more than 40,000
requests a second on one core. It runs in its own process and reports its CPU share: near 100 % it measures itself.
"""

import gc
import multiprocessing
import os
import select
import socket
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe

Build = Callable[[int], bytes]

_BUSY = 0.9
_DRAIN_SECONDS = 10.0
_RECEIVE = 1 << 16
_LENGTH = b"\r\ncontent-length: "


@dataclass(frozen=True, slots=True)
class Load:
    """The load to generate. `build(n)` returns the n-th request; n counts up from `first`, and each number occurs once.

    It ends after `seconds` or `max_requests`, whichever comes first. `core` pins the generator's process. `status` is the
    expected status, for measuring refusals.
    """

    port: int
    build: Build
    connections: int = 32
    seconds: float = 3.0
    max_requests: int | None = None
    first: int = 0
    host: str = "127.0.0.1"
    core: int | None = None
    status: int = 200


@dataclass(frozen=True, slots=True)
class Result:
    """The result. `requests` counts every request sent; `errors` those without the expected response."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int
    cpu_s: float
    first_error: str | None = None

    @property
    def rate(self) -> float:
        """Requests with the expected response a second."""
        return (self.requests - self.errors) / self.seconds if self.seconds else 0.0

    @property
    def cpu_share(self) -> float:
        """The share of one core that the generator used, 0 to 1."""
        return self.cpu_s / self.seconds if self.seconds else 0.0

    @property
    def generator_bound(self) -> bool:
        """Whether the generator was too busy for the figure to describe the server."""
        return self.cpu_share > _BUSY


def run(load: Load) -> Result:
    """Generate the load from a separate process, and wait for it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(load, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        outcome = ours.recv()
    except EOFError:
        raise RuntimeError("the load generator died") from None
    finally:
        process.join()
        ours.close()
    if isinstance(outcome, Exception):
        raise outcome
    assert isinstance(outcome, Result)
    return outcome


def _child(load: Load, pipe: Pipe) -> None:
    try:
        pipe.send(run_here(load))
    except (OSError, ValueError, RuntimeError) as error:
        pipe.send(RuntimeError(f"the load generator failed: {error!r}"))


def run_here(load: Load) -> Result:
    """Generate the load from this process."""
    if load.core is not None:
        os.sched_setaffinity(0, {load.core})
    gc.collect()
    gc.disable()
    try:
        return _Loop(load).run()
    finally:
        gc.enable()


class _Connection:
    """One socket and its request in flight."""

    __slots__ = ("buffer", "sock", "started", "waiting")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""
        self.started = 0
        self.waiting = False


class _Loop:
    """The state of one run."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.build = load.build
        self.status = b"%03d" % load.status
        self.next = load.first
        self.end = load.first + load.max_requests if load.max_requests is not None else 1 << 62
        self.deadline = 0
        self.waiting = 0
        self.errors = 0
        self.first_error: str | None = None
        self.last = 0
        self.latencies = array("q")
        self.record = self.latencies.append
        self.epoll = select.epoll()
        self.connections: dict[int, _Connection] = {}

    def run(self) -> Result:
        try:
            for _ in range(self.load.connections):
                self._open()
            cpu, begin = time.process_time(), time.perf_counter_ns()
            self.last = begin
            self.deadline = begin + int(self.load.seconds * 1e9)
            for connection in list(self.connections.values()):
                self._send(connection)
            last = self._exchange()
            return self._result(max(last - begin, 1) / 1e9, time.process_time() - cpu)
        finally:
            for connection in self.connections.values():
                connection.sock.close()
            self.epoll.close()

    def _exchange(self) -> int:
        """Send and receive until nothing is in flight. Return the time of the last response."""
        poll, connections, turn = self.epoll.poll, self.connections, self._turn
        give_up = self.deadline + int(_DRAIN_SECONDS * 1e9)
        while self.waiting:
            events = poll(1.0)
            if not events and time.perf_counter_ns() > give_up:
                self._fail(self.waiting, "no answer")
                break
            for fd, _ in events:
                turn(connections[fd])
        return self.last

    def _turn(self, connection: _Connection, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        """Receive from one connection. If that completes a response, send the next request."""
        try:
            data = connection.sock.recv(_RECEIVE)
            if not data:
                self._lost(connection)
                return
            if connection.buffer:
                data = connection.buffer + data
            if (status := answered(data)) is None:
                connection.buffer = data
                return
            self.last = now = clock()
            self.record(now - connection.started)
            if status != self.status:
                self._fail(1, data.decode("latin-1"))
            connection.buffer = b""
            number = self.next
            if now >= self.deadline or number >= self.end:
                connection.waiting = False
                self.waiting -= 1
                return
            request = self.build(number)
            self.next = number + 1
            connection.started = clock()
            connection.sock.sendall(request)
        except ConnectionError:
            self._lost(connection)

    def _open(self) -> _Connection:
        sock = socket.create_connection((self.load.host, self.load.port), timeout=10)
        sock.settimeout(None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(sock)
        self.connections[sock.fileno()] = connection
        self.epoll.register(sock.fileno(), select.EPOLLIN)
        return connection

    def _send(self, connection: _Connection) -> None:
        if self.next >= self.end:
            return
        request = self.build(self.next)
        self.next += 1
        self.waiting += 1
        connection.waiting = True
        connection.started = time.perf_counter_ns()
        connection.sock.sendall(request)

    def _lost(self, connection: _Connection) -> None:
        """Count a closed connection as an error and continue with a new one."""
        fd = connection.sock.fileno()
        self.epoll.unregister(fd)
        del self.connections[fd]
        connection.sock.close()
        if connection.waiting:
            self.waiting -= 1
            self._fail(1, "connection closed")
        if time.perf_counter_ns() < self.deadline:
            self._send(self._open())

    def _fail(self, count: int, text: str) -> None:
        self.errors += count
        if self.first_error is None:
            self.first_error = text[:2000]

    def _result(self, seconds: float, cpu_s: float) -> Result:
        ordered = sorted(self.latencies)
        return Result(
            requests=self.next - self.load.first,
            seconds=seconds,
            p50_ms=_percentile(ordered, 0.50),
            p99_ms=_percentile(ordered, 0.99),
            errors=self.errors,
            cpu_s=cpu_s,
            first_error=self.first_error,
        )


def _percentile(ordered: list[int], part: float) -> float:
    """Return a percentile in milliseconds, by the nearest rank; 0 if there is no value."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] / 1e6


def answered(data: bytes) -> bytes | None:
    """Return the status of a complete response, or None if more is to come."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return None
    at = data.find(_LENGTH, 0, head)
    if at >= 0:
        at += len(_LENGTH)
        body = int(data[at : data.index(b"\r", at)])
    elif (length := _unusual_length(data[: head + 2].lower(), data[head + 4 :])) is not None:
        body = length
    else:
        return None
    if len(data) < head + 4 + body:
        return None
    return data[9:12]


def _unusual_length(head: bytes, body: bytes) -> int | None:
    """Return the length of the body if `content-length` is spelt differently or the body is chunked."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
        if name == b"transfer-encoding":
            return _chunked_length(body)
    if head[9:12] in (b"204", b"304"):
        return 0
    raise ValueError("an answer without Content-Length")


def _chunked_length(body: bytes) -> int | None:
    at = 0
    while (end := body.find(b"\r\n", at)) >= 0:
        size = int(body[at:end].split(b";")[0], 16)
        at = end + 2 + size + 2
        if not size:
            return at if at <= len(body) else None
    return None
