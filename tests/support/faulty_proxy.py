"""A TCP proxy in front of a database that forwards, falls silent, refuses, and heals.

While silent, it keeps connections open, accepts new ones, acknowledges data, and forwards nothing, like a hung server
or a stopped pooler. `python faulty_proxy.py PORT TARGET_PORT` runs it in a separate process, which can be stopped.
"""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


def on_loopback(port: int) -> socket.socket:
    """Listens on a loopback port."""
    return socket.create_server(("127.0.0.1", port), backlog=128)


class Proxy:
    """Forwards between its port and the target's port on loopback. `listen` opens its own, by default also there."""

    def __init__(self, target: int, port: int = 0, listen: Callable[[int], socket.socket] = on_loopback) -> None:
        self._target = target
        self._listen_at = listen
        self._flows = threading.Event()
        self._flows.set()
        self._left: int | None = None
        self._ends: set[socket.socket] = set()
        self._listener = listen(port)
        self.address, self.port = self._listener.getsockname()[:2]
        self._listen()

    def silence(self) -> None:
        """Stops forwarding."""
        self._flows.clear()

    def silence_after(self, pieces: int) -> None:
        """Stops forwarding after this many more chunks from either side."""
        self._left = pieces
        if not pieces:
            self.silence()

    def refuse(self) -> None:
        """Closes every connection and refuses new ones."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._flows.set()
        for end in tuple(self._ends):
            _end(end)

    def heal(self) -> None:
        """Resumes forwarding, beginning with the backlog."""
        self._left = None
        self._flows.set()
        if self._listener.fileno() < 0:
            self._listener = self._listen_at(self.port)
            self._listen()

    def close(self) -> None:
        """Closes the proxy."""
        self.refuse()

    def _listen(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._flows.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            near.close()
            return
        self._ends.update((near, far))
        threading.Thread(target=self._pump, args=(far, near), daemon=True).start()
        self._pump(near, far)

    def _count(self) -> None:
        left = self._left
        if left is not None:
            self._left = left - 1
            if left <= 1:
                self.silence()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                self._flows.wait()
                target.sendall(piece)
                self._count()
        self._flows.wait()
        for end in (source, target):
            _end(end)
            self._ends.discard(end)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextlib.contextmanager
def proxied(url: str, listen: Callable[[int], socket.socket] = on_loopback) -> Iterator[tuple[Proxy, str]]:
    """Yields a proxy in front of a database, and the database URL through it."""
    proxy = Proxy(urlsplit(url).port or 5432, listen=listen)
    try:
        yield proxy, through(url, proxy.port, proxy.address)
    finally:
        proxy.close()


@contextlib.contextmanager
def proxy_process(url: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Like `proxied`, in a separate process."""
    command = [sys.executable, str(Path(__file__)), "0", str(urlsplit(url).port or 5432)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, through(url, int(process.stdout.readline()))
        finally:
            process.kill()


def through(url: str, port: int, host: str = "127.0.0.1") -> str:
    """The database URL with another host and port."""
    parts = urlsplit(url)
    login, sign, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login}{sign}{host}:{port}"))


if __name__ == "__main__":
    sys.stdout.write(f"{Proxy(int(sys.argv[2]), int(sys.argv[1])).port}\n")
    sys.stdout.flush()
    threading.Event().wait()
