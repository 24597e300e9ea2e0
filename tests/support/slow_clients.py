"""Clients that send as slowly as they can."""

import threading
import time
from dataclasses import dataclass, field

from tests.support.client import bearer
from tests.support.shop import Shop
from tests.support.wire import Connection

EACH = 20
SLOWEST = 60.0
"""Seconds after which an open connection counts as hung: the server allows 30 for a head and for a whole body."""

PLANS = {
    "nothing at all": ("", 0.0),
    "half a head": ("GET /Account/Details HTTP/1.1\r\nHost:", 0.0),
    "a head byte by byte": ("GET /Account/Details HTTP/1.1\r\nX-Slow: ", 0.9),
    "no body": ("POST /Orders/Create HTTP/1.1\r\n{lines}Content-Length: 60000\r\n\r\n", 0.0),
    "a body byte by byte": ("POST /Orders/Create HTTP/1.1\r\n{lines}Content-Length: 60000\r\n\r\n", 0.9),
    "an idle connection": ("GET /Account/Details HTTP/1.1\r\n{lines}\r\n", 0.0),
}
"""What each kind of client sends first, and the seconds between further bytes (0: none)."""


@dataclass
class Slow:
    """`EACH` clients of every kind, started together. `ends`: what each received until the server disconnected it."""

    shop: Shop
    ends: dict[str, list[bytes]] = field(default_factory=lambda: {name: [] for name in PLANS})
    threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> "Slow":
        """Starts the clients."""
        known = [("Host", self.shop.host), ("Content-Type", "application/json"), *bearer(self.shop.partner_token)]
        lines = "".join(f"{name}: {value}\r\n" for name, value in known)
        for name, (start, every) in PLANS.items():
            sent = start.format(lines=lines).encode()
            for _ in range(EACH):
                self.threads.append(threading.Thread(target=self._run, args=(name, sent, every), daemon=True))
        for thread in self.threads:
            thread.start()
        return self

    def _run(self, name: str, start: bytes, every: float) -> None:
        end = time.monotonic() + SLOWEST
        with Connection(self.shop.site.port, timeout=every or SLOWEST) as connection:
            connection.send(start)
            while time.monotonic() < end:
                try:
                    self.ends[name].append(connection.rest())
                    return
                except TimeoutError:
                    connection.send(b" ")

    def wait(self) -> None:
        """Waits until the server has closed every connection, or they hang."""
        for thread in self.threads:
            thread.join(SLOWEST + 10)
