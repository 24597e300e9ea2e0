"""A partner's webhook receiver: an HTTP server that stores the deliveries it receives."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Notice:
    """One received delivery. Header names are lower case."""

    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers 204 to everything and lets tests wait for it."""

    url: str = ""
    got: list[Notice] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def take(self, notice: Notice) -> None:
        """Stores a delivery."""
        with self.changed:
            self.got.append(notice)
            self.changed.notify_all()

    def wait_for(self, count: int, patience: float = 30.0) -> list[Notice]:
        """Waits for this many deliveries, and returns them."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.got) >= count, patience), f"{len(self.got)} of {count} came"
            return list(self.got)


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Runs a receiver on a free port for the block."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.take(Notice({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
