"""A TCP proxy in front of a database that forwards, falls silent, refuses, and heals.

Silent, it keeps every connection open, takes new ones, acknowledges what comes, and forwards nothing, as a hung server or
a stopped pooler does. `python proxy.py PORT TARGET_PORT` is the same in a process of its own, which can be stopped.
"""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Between `port` on loopback and a port of the target."""

    def __init__(self, target: int, port: int = 0) -> None:
        self._target = target
        self._flows = threading.Event()
        self._flows.set()
        self._ends: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._listen()

    def silence(self) -> None:
        """Forwards nothing from now on."""
        self._flows.clear()

    def refuse(self) -> None:
        """Ends every connection and takes no new one."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._flows.set()
        for end in tuple(self._ends):
            _end(end)

    def heal(self) -> None:
        """Forwards again, what has piled up first."""
        self._flows.set()
        if self._listener.fileno() < 0:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
            self._listen()

    def close(self) -> None:
        """Ends it."""
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

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                self._flows.wait()
                target.sendall(piece)
        self._flows.wait()
        for end in (source, target):
            _end(end)
            self._ends.discard(end)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextlib.contextmanager
def proxied(url: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy in front of a database, and the address through it."""
    proxy = Proxy(urlsplit(url).port or 5432)
    try:
        yield proxy, through(url, proxy.port)
    finally:
        proxy.close()


@contextlib.contextmanager
def proxy_process(url: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The same in a process of its own."""
    command = [sys.executable, str(Path(__file__)), "0", str(urlsplit(url).port or 5432)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, through(url, int(process.stdout.readline()))
        finally:
            process.kill()


def through(url: str, port: int) -> str:
    """The address with another port."""
    parts = urlsplit(url)
    login, sign, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login}{sign}127.0.0.1:{port}"))


if __name__ == "__main__":
    sys.stdout.write(f"{Proxy(int(sys.argv[2]), int(sys.argv[1])).port}\n")
    sys.stdout.flush()
    threading.Event().wait()
