"""A network behind a cable: a Linux network namespace at the end of a pair of virtual Ethernet devices.

Packets to a listener there are real and can be lost: then no kernel acknowledges anything, as when a switch fails.
`faulty_proxy` is silent only in the program, while its kernel still acknowledges.
"""

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

_CLONE_NEWNET = 0x40000000
_setns = ctypes.CDLL(None, use_errno=True).setns


class Cable:
    """The cable to a network in which only `address` exists. `near` is this end's address."""

    def __init__(self, name: str, near: str, address: str) -> None:
        self.near, self.address = near, address
        self._namespace = name

    def listener(self, port: int) -> socket.socket:
        """Listens at the far end. Only the thread that creates the socket enters that network, for a moment."""
        made: list[socket.socket] = []
        thread = threading.Thread(target=lambda: made.append(self._listen(port)))
        thread.start()
        thread.join()
        return made[0]

    def pull(self) -> None:
        """Drops all packets in both directions."""
        self._far("link", "set", "eth0", "down")

    def lose_answers(self) -> None:
        """Drops packets from the far end: data from here arrives, but no answer or acknowledgement returns."""
        self._far("route", "add", "blackhole", self.near)

    def plug(self) -> None:
        """Stops dropping packets."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._far("route", "del", "blackhole", self.near)
        self._far("link", "set", "eth0", "up")

    def _far(self, *words: str) -> None:
        ip("-n", self._namespace, *words)

    def _listen(self, port: int) -> socket.socket:
        there = os.open(f"/run/netns/{self._namespace}", os.O_RDONLY)
        try:
            if _setns(there, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(there)
        return socket.create_server((self.address, port), backlog=128)


def ip(*words: str) -> None:
    """Runs a command of iproute2."""
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=60)


@contextlib.contextmanager
def plugged() -> Iterator[Cable]:
    """Creates a cable to a new network. Skips the test where namespaces cannot be created, which takes root."""
    number = os.getpid() % 16_384
    name = f"bedesten-{os.getpid()}"
    near, address = (f"10.213.{number >> 6}.{(number & 63) * 4 + end}" for end in (1, 2))
    if shutil.which("ip") is None:
        pytest.skip("NOT TESTED: ip is missing; apt-get install iproute2")
    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError as problem:
        pytest.skip(f"NOT TESTED: no network of its own can be made here: {problem.stderr.strip()}")
    try:
        device = f"bed{os.getpid()}"
        ip("link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("address", "add", f"{near}/30", "dev", device)
        ip("link", "set", device, "up")
        ip("-n", name, "address", "add", f"{address}/30", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        yield Cable(name, near, address)
    finally:
        ip("netns", "delete", name)
