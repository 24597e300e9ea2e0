"""A partner's webhook receiver on this machine: verifies each message, answers 204, and stores it by message id."""

import contextlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


class Receiver:
    """The messages so far. A message may arrive more than once; `bodies` has one entry for each time."""

    def __init__(self) -> None:
        self.secret = ""
        self.bodies: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.forged: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        """The URL at which it listens."""
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Verifies a message with the partner's secret; returns the status to answer with."""
        try:
            Webhook(self.secret).verify(body, headers)
        except Exception as problem:
            self.forged.append(f"{problem}")
            return 401
        self.bodies[headers["webhook-id"]].append(json.loads(body))
        return 204

    @contextlib.contextmanager
    def listening(self) -> Iterator["Receiver"]:
        """Receives messages until the end of the block."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # named so by the library
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:
                    raise ConnectionError("the sender was killed meanwhile")
                self.send_response(receiver.take({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the library's own name)
                """Logs nothing."""

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):  # a worker that was killed while it was sending
                    super().handle()

        return Handler
