"""A webhook receiver that answers when a test permits it, keeps connections open, and counts them."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class BlockingReceiver:
    """Answers paths that begin with `/held` once `release` is set, all others at once."""

    url: str = ""
    arrived: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    release: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def at(self, path: str) -> str:
        """The URL of a path."""
        return f"{self.url}{path}"

    def wait_for(self, path: str, count: int, patience: float = 40.0) -> None:
        """Waits until this many requests have arrived at a path."""
        with self.changed:
            came = self.changed.wait_for(lambda: self.arrived[path] >= count, patience)
        assert came, f"{self.arrived[path]} of {count} came: {self.arrived}"

    def count(self, counter: Counter[str], path: str) -> None:
        """Counts one request."""
        with self.changed:
            counter[path] += 1
            self.changed.notify_all()


@contextlib.contextmanager
def blocking_receiver() -> Iterator[BlockingReceiver]:
    """Runs a receiver on a free port for the block."""
    receiver = BlockingReceiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            with receiver.changed:
                receiver.connections += 1

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            receiver.count(receiver.arrived, self.path)
            if self.path.startswith("/held"):
                receiver.release.wait()
            with contextlib.suppress(OSError):
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")
                receiver.count(receiver.answered, self.path)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    with Server(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.release.set()
            server.shutdown()
            thread.join()
