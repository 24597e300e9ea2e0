"""The listening sockets, and the life of one child process that serves on one of them.

The supervisor reserves an address before anything starts (`Reservation`), so that a busy port is refused at once, and
listens on nothing itself. Each worker inherits its own bound socket, of which no other process has a copy, and listens
on it when it can answer. So no client waits for a worker that is not ready: while no worker is ready the kernel refuses
connections, and when a worker dies the kernel connects clients to the others. Connections that a killed worker had not
accepted yet are reset, or move to a live worker where `net.ipv4.tcp_migrate_req` is 1. (We tried one socket for all
workers: of 16 connections opened at once, one worker of two took 15 or 16.) Children start by exec, never by a bare fork,
and a thread in each ends it when its parent is gone.

granian 2.8.7 answers the following by itself, without a body and without calling the application, as
`tests/pipeline/test_asgi.py` verifies. Every row ends the connection:

| sent | answer |
|---|---|
| head over `head_bytes` (32 KiB): one header of 60 KiB, many headers, a URL of 64 KiB | 431 |
| more than 100 header lines | 431 |
| a URL over 65,534 bytes, if `head_bytes` were larger | 414 |
| HTTP/0.9, HTTP/2.0 in the request line, a leading space, a raw byte from 0x7F up in the target | 400 |
| the HTTP/2 preface | closed |
| a header line without a colon, with a space before it, folded, with a control byte | 400 |
| `Content-Length` negative, signed, hexadecimal, of 20 digits, empty, a list, or two that differ | 400 |
| `Transfer-Encoding` whose last coding is not `chunked`; any in HTTP/1.0 | 400 |
| a head that does not come within `idle_ms` (slow headers), or a silent kept-alive connection | closed |

The adapter answers, after which the connection ends:

| sent | answer |
|---|---|
| `Transfer-Encoding: gzip, chunked`; `chunked` twice | 400, -2 |
| a bad chunk size or data not ended by CRLF, in a body that is read | 400 |
| the same in a body that nobody reads | the application's answer |
| the end of the connection before the end of the body | 400 (to nobody) |
| a body that stops coming (10 s), or is not whole after 30 s, and the application lets it escape | 408 |
| `Content-Length` together with `Transfer-Encoding` | the application's answer; the chunks count |

The application is called, and has to decide: a missing, doubled or malformed `Host`; HTTP/1.0; a method in lower case,
`CONNECT` (with an empty path), `*`; `Upgrade` (ignored: neither h2c nor websocket is spoken); doubled credentials;
bytes from 0x80 up in header values. Accepted unchanged: pipelined requests (answered in order), bare LF as a line's end
in the head, an empty line before the request, chunk extensions and trailers (dropped), `Expect` other than
100-continue.

After `DRAIN_SIGNAL` a worker keeps serving and ends each connection with its next answer, so that a proxy never uses a
connection that is being closed. At SIGTERM a worker stops accepting, closes idle connections at once, finishes running
requests and exits. An incomplete head and a body that stalls delay it until the supervisor's deadline.
"""

import asyncio
import contextlib
import ctypes
import gc
import importlib
import inspect
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

log = logging.getLogger(__name__)
CHILD_VARIABLE = "BEDESTEN_CHILD"
SETTINGS_VARIABLE = "BEDESTEN_CHILD_SETTINGS"
WEB_VARIABLE = "BEDESTEN_CHILD_WEB"
"""The address of the surfaces as a JSON list of host and port, for a child that checks whether they can be reached."""
DRAIN_SIGNAL = signal.SIGUSR1
"""Asks a child to drain: it still answers, and ends every connection with the answer."""
STORE_UNAVAILABLE = "StoreUnavailable"
"""The name of the exception after which a child ends with `EX_TEMPFAIL`. The supervisor does not import the store."""
_PR_SET_PDEATHSIG = 1


class PortBusy(Exception):
    """The address cannot be listened on. The text gives the reason, for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """The limits of one worker.

    `connections` is a ceiling per worker, idle ones included; past it, connections wait in the kernel's queue of
    `backlog`, so overload costs bounded memory. `head_bytes` bounds request line and headers together. `idle_ms` is
    both the time a request's head may take and the time a kept-alive connection may be silent: the server has one
    timer for both.
    """

    connections: int = 1024
    backlog: int = 1024
    head_bytes: int = 32 * 1024
    idle_ms: int = 30_000


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What a parent passes to its child through the environment.

    `listen_fd` is a bound socket that does not listen yet, or -1 for a child without HTTP. Into `ready_fd` the child
    writes "1" when it is ready, or why it never will be; with `verbose` the traceback goes to the log as well.
    """

    name: str
    target: str
    parent: int
    life_fd: int
    ready_fd: int
    listen_fd: int
    limits: HttpLimits
    path: list[str]
    verbose: bool = True

    def dump(self) -> str:
        """The text for `CHILD_VARIABLE`."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> "ChildSpec":
        """Parse what `dump` returns."""
        values = json.loads(text)
        return cls(**{**values, "limits": HttpLimits(**values["limits"])})


class Reservation:
    """An address at which only our own workers can listen; connections are refused until one of them does.

    A bound socket that never listens holds it. SO_REUSEPORT lets the workers bind beside it. It has no SO_REUSEADDR,
    with which any program could bind too: two sockets that are bound with it conflict only when one of them listens.
    """

    def __init__(self, family: int, address: Any) -> None:
        with _bound(
            family, address, reuse=True, shared=False
        ) as probe:  # SO_REUSEPORT alone would join another listener
            self.address: Any = probe.getsockname()
        self._family = family
        try:
            self._holder = _bound(family, self.address, reuse=False, shared=True)
        except OSError:  # connections of another program are still in TIME_WAIT
            self._holder = _bound(family, self.address, reuse=True, shared=True)

    def socket(self) -> socket.socket:
        """A new socket for one worker: bound, not listening."""
        return _bound(self._family, self.address, reuse=True, shared=True)

    def close(self) -> None:
        """Release the address. Workers that listen continue."""
        self._holder.close()

    def __enter__(self) -> "Reservation":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def reserve(host: str, port: int) -> Reservation:
    """Reserve a free address. Raises `PortBusy` with the reason, also for an address of another machine. Port 0 means any
    free port."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return Reservation(family, address)
    except (OSError, UnicodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else problem
        raise PortBusy(f"cannot listen on {host} port {port}: {reason}") from problem


def _bound(family: int, address: Any, *, reuse: bool, shared: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


def free_port(preferred: int, host: str = "127.0.0.1") -> int:
    """Returns `preferred` if it is free now, otherwise another free port. Another process may take it in between."""
    for port in (preferred, 0):
        with contextlib.suppress(PortBusy), reserve(host, port) as free:
            return int(free.address[1])
    raise PortBusy(f"no free port on {host}")


def resolve(target: str) -> Callable[..., Any]:
    """Import the object of an import string `package.module:name`."""
    module, _, name = target.partition(":")
    found = getattr(importlib.import_module(module), name)
    assert callable(found), f"{target} cannot be called"
    return found  # type: ignore[no-any-return]


def die_with_parent(parent: int, life_fd: int) -> None:
    """End this process at once when its parent is gone: by the kernel where possible, by a thread in any case."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)

    def watch() -> None:
        while os.read(life_fd, 1):
            pass
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def main() -> int:
    """Run a child. Returns its exit code: `EX_TEMPFAIL` if the store is unavailable."""
    spec = ChildSpec.load(os.environ.pop(CHILD_VARIABLE))
    settings = os.environ.pop(SETTINGS_VARIABLE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor handles the terminal's Ctrl-C
    signal.signal(DRAIN_SIGNAL, signal.SIG_IGN)  # until there is something to drain
    die_with_parent(spec.parent, spec.life_fd)
    sys.path[:] = spec.path
    try:
        return _run_plain(spec, settings) if spec.listen_fd < 0 else _run_http(spec, settings)
    except Exception as problem:
        report_failure(spec, problem)
        return os.EX_TEMPFAIL if type(problem).__name__ == STORE_UNAVAILABLE else 1


def report_failure(spec: ChildSpec, problem: BaseException) -> None:
    """Report to the supervisor in one line why this child ends. Once it was ready, only the log gets the reason."""
    if spec.verbose:
        log.error("%s ends", spec.name, exc_info=problem)
    with contextlib.suppress(OSError):
        _report(spec, f"{type(problem).__name__}: {problem}".replace("\n", " ")[:400].encode())


def _run_plain(spec: ChildSpec, settings: str) -> int:
    target = resolve(spec.target)
    _report(spec, b"1")
    os.close(spec.ready_fd)
    result = target(settings)
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    return int(result or 0)


def new_loop() -> asyncio.AbstractEventLoop:
    """A uvloop event loop if uvloop is installed (about a fifth less CPU per request), else asyncio's."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def _run_http(spec: ChildSpec, settings: str) -> int:
    loop = new_loop()
    asyncio.set_event_loop(loop)
    return loop.run_until_complete(_serve(spec, settings, loop))


async def _serve(spec: ChildSpec, settings: str, loop: asyncio.AbstractEventLoop) -> int:
    """Serve until SIGTERM. Returns the exit code, not 0 if the application refused to start."""
    stopping = False
    refusal = ""
    application: Callable[..., Any]

    def enter(scope: Any, receive: Any, send: Any) -> Any:
        if scope["type"] == "lifespan":
            return application(scope, receive, _announcing(send, spec, loop, refuse))
        return application(scope, receive, send)

    def refuse(reason: str) -> None:
        nonlocal refusal
        refusal = reason

    # The server's constructor configures logging and closes existing handlers, so it comes first.
    server = _make_server(enter, spec)

    def stop() -> None:
        nonlocal stopping
        stopping = True
        server.stop()

    loop.add_signal_handler(signal.SIGTERM, stop)
    application = resolve(spec.target)(settings)
    if drain := getattr(application, "drain", None):
        loop.add_signal_handler(DRAIN_SIGNAL, drain)
    with contextlib.suppress(_fatal()):
        await server.serve()
    if refusal.startswith(STORE_UNAVAILABLE):
        return os.EX_TEMPFAIL
    return 0 if stopping else 1


def _report(spec: ChildSpec, text: bytes) -> None:
    """Report to the supervisor. Ignore it if it was just killed: this process ends too."""
    with contextlib.suppress(BrokenPipeError):
        os.write(spec.ready_fd, text)


def _announcing(send: Any, spec: ChildSpec, loop: asyncio.AbstractEventLoop, refuse: Callable[[str], None]) -> Any:
    """Wrap the lifespan's `send`: listen as soon as the application can answer, and report to the supervisor.

    The server starts to accept one or two iterations of the loop after the message that the startup is complete.
    """

    def announce() -> None:
        _report(spec, b"1")
        os.close(spec.ready_fd)

    async def sending(message: Any) -> None:
        if message["type"] == "lifespan.startup.complete":
            gc.collect()
            gc.freeze()  # spares the garbage collector the objects that startup loaded
            try:
                _listen(spec)
            except OSError as problem:
                message = {"type": "lifespan.startup.failed", "message": f"cannot listen: {problem.strerror}"}
        if message["type"] == "lifespan.startup.failed":
            reason = str(message.get("message", "startup failed"))
            refuse(reason)
            _report(spec, reason.encode()[:400])
        await send(message)
        if message["type"] == "lifespan.startup.complete":
            loop.call_later(0.01, announce)

    return sending


def _listen(spec: ChildSpec) -> None:
    with socket.socket(fileno=os.dup(spec.listen_fd)) as sock:
        sock.listen(spec.limits.backlog)


def _fatal() -> type[Exception]:
    from granian.errors import FatalError

    return FatalError


def _make_server(application: Any, spec: ChildSpec) -> Any:
    from granian._granian import SocketHolder
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.server.embed import Server

    make_holder: Any = SocketHolder  # its stub lacks the constructor
    holder = make_holder(spec.listen_fd, False, spec.limits.backlog)

    class Inherited(Server):
        """Granian's embedded server (one loop, one runtime thread), on the socket that the supervisor gave us."""

        def _init_shared_socket(self) -> None:
            self._shd = holder

    return Inherited(
        application,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=spec.limits.idle_ms, keep_alive=True, max_buffer_size=spec.limits.head_bytes
        ),
        websockets=False,
        backlog=spec.limits.backlog,
        backpressure=spec.limits.connections,
        log_enabled=False,
        log_access=False,
    )


if __name__ == "__main__":
    sys.exit(main())
