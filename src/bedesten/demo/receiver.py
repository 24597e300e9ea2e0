"""The partner's web server for webhooks, with the receiver of the client library."""

import hmac
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import msgspec

from bedesten.core.secret import Secret
from bedesten_client.webhooks import Event, MemoryDeduplicationStore, Verifier, wsgi_receiver

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature", "Apikey")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One verified webhook, with the headers that matter."""

    id: str
    headers: tuple[tuple[str, str], ...]
    body: dict[str, Any]


class Receiver:
    """A server on a free loopback port. It refuses every request until `trust` was called."""

    def __init__(self, on_delivery: Callable[[Delivery], None] = lambda _: None) -> None:
        self._on_delivery = on_delivery
        self._verifier: Verifier | None = None
        self._outbound_key = ""
        self._store = MemoryDeduplicationStore()
        self._arrival = threading.Condition()
        self._deliveries: list[Delivery] = []
        self.refused = 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.set_app(self._application)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="receiver", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address for webhooks."""
        return f"http://127.0.0.1:{self._server.server_port}/webhooks"

    def trust(self, secret: Secret[str], outbound_key: Secret[str]) -> None:
        """Accept deliveries that are signed with the secret and carry the outbound key."""
        self._outbound_key = outbound_key.reveal()
        self._verifier = Verifier(secret.reveal())

    def wait_for(self, enough: Callable[[list[Delivery]], bool], timeout_s: float) -> list[Delivery]:
        """Wait until the deliveries suffice or the time is over, and return them."""
        with self._arrival:
            self._arrival.wait_for(lambda: enough(self._deliveries), timeout_s)
            return list(self._deliveries)

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        presented = environ.get("HTTP_APIKEY", "")
        if self._verifier is None or not hmac.compare_digest(presented.encode(), self._outbound_key.encode()):
            self.refused += 1
            start_response("401 Unauthorized", [("Content-Length", "0")])
            return [b""]

        def respond(status: str, headers: list[tuple[str, str]]) -> Any:
            self.refused += not status.startswith("2")
            return start_response(status, headers)

        def handle(event: Event) -> None:
            headers = tuple((name, environ["HTTP_" + name.upper().replace("-", "_")]) for name in HEADERS)
            delivery = Delivery(event.id, headers, msgspec.to_builtins(event))
            with self._arrival:
                self._deliveries.append(delivery)
                self._arrival.notify_all()
            self._on_delivery(delivery)

        return wsgi_receiver(self._verifier, handle, store=self._store)(environ, respond)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False


class _Handler(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing: the demo shows the deliveries."""
