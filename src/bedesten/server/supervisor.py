"""The supervisor: one parent that reserves the port, starts the children, replaces dead ones and stops them all.

It reports every error that it can detect before the first child starts. It opens no database and serves no request: it
only waits for signals and pipes.
"""

import contextlib
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from bedesten.server.child_process import (
    CHILD_VARIABLE,
    DRAIN_SIGNAL,
    SETTINGS_VARIABLE,
    WEB_VARIABLE,
    ChildSpec,
    HttpLimits,
    PortBusy,
    Reservation,
    reserve,
)
from bedesten.server.data_directory_lock import AlreadyServing, DataDirectoryLock
from bedesten.server.secret_cache import VARIABLE as SECRET_CACHE_VARIABLE

log = logging.getLogger(__name__)
OnEvent = Callable[[dict[str, object]], None]
INTERRUPTED = 130
QUICK_STOPS = frozenset({signal.SIGINT, signal.SIGHUP})
"""Signals after which the server does not drain: a person at a terminal waits for its end."""


@dataclass(frozen=True, slots=True)
class SideProcess:
    """A process beside the web workers. `target` is called with the settings and runs until SIGTERM.

    With `listen` (host, port) it is an HTTP process on that address, and `target` an application factory. The admin
    listener is one.
    """

    name: str
    target: str
    listen: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class RespawnPolicy:
    """When to start a dead child again, in seconds.

    A child fails if it dies before it is ready or within `stable_after_s` after that, or if it is not ready within
    `start_timeout_s`: then it is killed. After the n-th failure in a row the supervisor waits `initial_delay_s` *
    2 ** (n - 1), at most `max_delay_s`; the `max_failures`-th failure ends the server. A child that finds no store
    (`EX_TEMPFAIL`) in a server that was ready once has not failed: it is started again every `max_delay_s`.
    """

    initial_delay_s: float = 0.1
    max_delay_s: float = 2.0
    stable_after_s: float = 1.0
    max_failures: int = 5
    start_timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class ServeSpec:
    """Everything that the supervisor needs. Every child gets `settings_json` unchanged, in its environment. It contains
    the database's password, unless the settings refer to it.

    `drain_s` is the time from SIGTERM until the workers stop accepting. During it the server answers every request, but
    reports that it is not ready and ends each connection with the answer, so that proxies use other servers.
    `secret_cache_fd` is the memory file in which the children find the secrets that their settings name; see `known`.
    """

    host: str
    port: int
    workers: int
    app_factory: str
    settings_json: str
    lock_path: Path
    side_processes: tuple[SideProcess, ...] = ()
    drain_s: float = 0.0
    stop_timeout_s: float = 10.0
    limits: HttpLimits = field(default_factory=HttpLimits)
    respawn: RespawnPolicy = field(default_factory=RespawnPolicy)
    secret_cache_fd: int = -1


@dataclass(slots=True)
class _Child:
    name: str
    target: str
    address: Reservation | None
    process: "subprocess.Popen[bytes] | None" = None
    ready_fd: int = -1
    started: float = 0.0
    ready_at: float = 0.0
    failures: int = 0
    reason: str = ""
    start_at: float = 0.0


def run(spec: ServeSpec, on_ready: Callable[[], None], on_event: OnEvent | None = None) -> int:
    """Serve until SIGTERM, SIGINT or SIGHUP. Returns the exit code: 0 stopped on request, 1 refused or gave up, 130
    interrupted twice. Must be called from the main thread.

    `on_ready` is called once, when every HTTP worker accepts. `on_event` gets `listening`, `ready`, `died`,
    `respawned`, `killed`, `draining`, `stopping`, `refused` and `gave-up`, each with what belongs to it; without
    it they go to the log, and a reason to end goes to standard error in one line.
    """
    on_event = on_event or _on_event
    lock = DataDirectoryLock(spec.lock_path)
    with contextlib.ExitStack() as stack:
        try:
            lock.acquire()
            stack.callback(lock.release)
            children = _children(spec, stack)
        except (AlreadyServing, PortBusy, OSError) as refusal:
            on_event({"event": "refused", "reason": str(refusal)})
            return 1
        for child in (children[0], *children[spec.workers :]):
            if child.address is not None:
                host, port = child.address.address[:2]
                name = "web" if child is children[0] else child.name
                on_event({"event": "listening", "name": name, "host": host, "port": port})
        return _Supervisor(spec, children, lock.fd, on_ready, on_event).run()


def _on_event(event: dict[str, object]) -> None:
    log.info("%s", event)
    if event["event"] in ("refused", "gave-up"):
        sys.stderr.write(f"bedesten: {event['reason']}\n")


def _children(spec: ServeSpec, stack: contextlib.ExitStack) -> list[_Child]:
    """Every child, not started yet, with its reserved address."""
    web = stack.enter_context(reserve(spec.host, spec.port))
    children = [_Child(f"web-{number}", spec.app_factory, web) for number in range(1, spec.workers + 1)]
    for side in spec.side_processes:
        own = stack.enter_context(reserve(*side.listen)) if side.listen else None
        children.append(_Child(side.name, side.target, own))
    return children


class _Supervisor:
    def __init__(
        self, spec: ServeSpec, children: list[_Child], lock_fd: int, on_ready: Callable[[], None], on_event: OnEvent
    ) -> None:
        self._spec = spec
        self._children = children
        self._lock_fd = lock_fd
        self._on_ready = on_ready
        self._on_event = on_event
        self._announced = False
        self._drains = False
        self._signals: list[int] = []
        self._wake_fd = -1
        self._life: tuple[int, int] = (-1, -1)

    def run(self) -> int:
        with self._signals_caught(), contextlib.ExitStack() as stack:
            self._life = os.pipe()
            stack.callback(os.close, self._life[0])
            stack.callback(os.close, self._life[1])
            stack.callback(self._kill_all)
            code = self._watch()
            interrupted = (self._drains and self._drain()) or self._stop()
            return INTERRUPTED if interrupted else code

    @contextlib.contextmanager
    def _signals_caught(self) -> Iterator[None]:
        """Record signals and wake the loop during the block; restore the handlers afterwards."""
        read, write = socket.socketpair()
        for end in (read, write):
            end.setblocking(False)
        self._wake_fd = read.fileno()
        waking = signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        before: dict[int, Any] = {}

        def note(number: int, _frame: FrameType | None) -> None:
            self._signals.append(number)

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # nohup
            before[number] = signal.signal(number, note)
        try:
            yield
        finally:
            for caught, handler in before.items():
                signal.signal(caught, handler)
            signal.set_wakeup_fd(waking)
            read.close()
            write.close()

    def _watch(self) -> int:
        """Start, replace and announce children until a signal asks to stop (0) or until the server gives up (1)."""
        while not self._asked_to_stop():
            now = time.monotonic()
            for child in self._children:
                reason = self._manage(child, now)
                if reason:
                    self._on_event({"event": "gave-up", "name": child.name, "reason": reason})
                    return 1
            self._announce()
            self._wait(self._next_deadline())
        return 0

    def _asked_to_stop(self) -> bool:
        asked = [number for number in self._signals if number != signal.SIGCHLD]
        self._signals.clear()
        self._drains = bool(asked) and self._announced and QUICK_STOPS.isdisjoint(asked)
        return bool(asked)

    def _manage(self, child: _Child, now: float) -> str | None:
        """Do what is due for one child. Returns the reason if the server has to give up."""
        if child.process is None:
            return self._start(child) if now >= child.start_at else None
        code = child.process.poll()
        if code is None:
            if not child.ready_at and now - child.started > self._spec.respawn.start_timeout_s:
                child.process.kill()
            return None
        return self._on_exit(child, code, now)

    def _on_exit(self, child: _Child, code: int, now: float) -> str | None:
        policy = self._spec.respawn
        settled = child.ready_at and now - child.ready_at >= policy.stable_after_s
        away = self._announced and code == os.EX_TEMPFAIL
        if not away:
            child.failures = 0 if settled else child.failures + 1
        self._read_status(child)
        why = child.reason or f"exit code {code}"
        self._on_event({"event": "died", "name": child.name, "code": code, "reason": why, "failures": child.failures})
        child.process = None
        if child.failures >= policy.max_failures:
            return f"{child.name} ended {child.failures} times in a row at its start: {why}"
        delay = (
            min(policy.max_delay_s, policy.initial_delay_s * 2 ** max(0, child.failures - 1)) if child.failures else 0.0
        )
        delay = policy.max_delay_s if away else delay
        child.start_at = now + delay
        return None if delay else self._start(child)

    def _start(self, child: _Child) -> str | None:
        """Start a child on its own socket. Returns the reason if the server has to give up."""
        try:
            with contextlib.closing(child.address.socket()) if child.address else contextlib.nullcontext() as sock:
                self._spawn(child, sock.fileno() if sock else -1)
        except OSError as problem:
            return f"{child.name} cannot be started: {problem.strerror}"
        return None

    def _spawn(self, child: _Child, listen_fd: int) -> None:
        again = child.started > 0
        ready, ready_end = os.pipe()
        child_spec = ChildSpec(
            name=child.name,
            target=child.target,
            parent=os.getpid(),
            life_fd=self._life[0],
            ready_fd=ready_end,
            listen_fd=listen_fd,
            limits=self._spec.limits,
            path=[entry or os.getcwd() for entry in sys.path],
            verbose=child.failures == 0,
        )
        kept = [ready_end, self._life[0], self._lock_fd] + ([listen_fd] if listen_fd >= 0 else [])
        environment = {CHILD_VARIABLE: child_spec.dump(), SETTINGS_VARIABLE: self._spec.settings_json}
        if web := self._children[0].address:
            environment[WEB_VARIABLE] = json.dumps(web.address[:2])
        if self._spec.secret_cache_fd >= 0:
            kept.append(self._spec.secret_cache_fd)
            environment[SECRET_CACHE_VARIABLE] = str(self._spec.secret_cache_fd)
        child.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "bedesten.server.child_process"],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            pass_fds=kept,
            process_group=0,  # the terminal's Ctrl-C reaches the supervisor alone
        )
        os.close(ready_end)
        os.set_blocking(ready, False)
        child.ready_fd = ready
        child.reason = ""
        child.ready_at = 0.0
        child.started = time.monotonic()
        if again:
            self._on_event({"event": "respawned", "name": child.name, "pid": child.process.pid})

    def _announce(self) -> None:
        web = [child for child in self._children if child.address is not None]
        if not self._announced and all(child.ready_at for child in web):
            self._announced = True
            pids = {child.name: child.process.pid for child in self._children if child.process}
            self._on_event({"event": "ready", "pids": pids})
            self._on_ready()

    def _next_deadline(self) -> float | None:
        """Seconds until the next start or timeout of a child; None if there is none."""
        due = [child.start_at for child in self._children if child.process is None]
        due += [
            child.started + self._spec.respawn.start_timeout_s + 0.01
            for child in self._children
            if child.process is not None and not child.ready_at
        ]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _wait(self, timeout: float | None) -> None:
        """Wait for a signal, the status of a child, or the timeout."""
        by_fd = {child.ready_fd: child for child in self._children if child.ready_fd >= 0}
        readable, _, _ = select.select([self._wake_fd, *by_fd], [], [], timeout)
        for fd in readable:
            if fd == self._wake_fd:
                with contextlib.suppress(BlockingIOError):
                    os.read(fd, 4096)
                continue
            self._read_status(by_fd[fd])

    def _read_status(self, child: _Child) -> None:
        """Read the status of a child, if it wrote one: that it is ready, or why it never will be."""
        if child.ready_fd < 0:
            return
        with contextlib.suppress(BlockingIOError):
            said = os.read(child.ready_fd, 4096)
            if said == b"1":
                child.ready_at = time.monotonic()
            else:
                child.reason = said.decode("utf-8", "replace")
        self._close_ready(child)

    def _close_ready(self, child: _Child) -> None:
        if child.ready_fd >= 0:
            os.close(child.ready_fd)
            child.ready_fd = -1

    def _running(self) -> list[_Child]:
        return [child for child in self._children if child.process is not None and child.process.poll() is None]

    def _drain(self) -> bool:
        """Answer requests for `drain_s` while the children turn clients away. True if a second signal interrupted it.

        Side processes without HTTP stop at once: the other nodes take over their work.
        """
        if not self._spec.drain_s:
            return False
        self._on_event({"event": "draining", "seconds": self._spec.drain_s})
        for child in self._running():
            assert child.process is not None
            if child.address is None:
                child.process.terminate()
            elif child.ready_at:
                child.process.send_signal(DRAIN_SIGNAL)
        end = time.monotonic() + self._spec.drain_s
        while (left := end - time.monotonic()) > 0 and any(child.address for child in self._running()):
            self._wait(left)
            if self._asked_to_stop():
                self._kill_all()
                return True
        return False

    def _stop(self) -> bool:
        """Stop every child: first by SIGTERM, after `stop_timeout_s` by SIGKILL. True if a second signal interrupted it."""
        self._on_event({"event": "stopping"})
        for child in self._children:
            if child.address is not None:
                child.address.close()  # once the workers have closed their sockets, the port is free
            if child.process is not None:
                child.process.terminate()
        end = time.monotonic() + self._spec.stop_timeout_s
        while self._running() and time.monotonic() < end:
            self._wait(max(0.0, end - time.monotonic()))
            if self._asked_to_stop():
                self._kill_all()
                return True
        self._kill_all()
        return False

    def _kill_all(self) -> None:
        for child in self._running():
            assert child.process is not None
            self._on_event({"event": "killed", "name": child.name, "pid": child.process.pid})
            child.process.kill()
        for child in self._children:
            if child.process is not None:
                child.process.wait()
            self._close_ready(child)
