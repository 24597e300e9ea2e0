"""The partner's web server for webhooks: the receiver of the client library, in the server of the standard library."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from bedesten_client.webhooks import Event, MemoryDeduplicationStore, Verifier, wsgi_receiver

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature", "Apikey")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One verified webhook, with the headers that matter."""

    headers: dict[str, str]
    event: Event


class Receiver:
    """A server on a free loopback port. It responds only once it has the shop's signing secret."""

    def __init__(self) -> None:
        self._server = WSGIServer(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks"
        self.deliveries: list[Delivery] = []

    def start(self, secret: str) -> None:
        """Receive webhooks in a thread. Repeated deliveries are acknowledged and dropped."""
        verifier, handled = Verifier(secret), MemoryDeduplicationStore()

        def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            def handle(event: Event) -> None:
                headers = {name: environ.get("HTTP_" + name.upper().replace("-", "_"), "") for name in HEADERS}
                self.deliveries.append(Delivery(headers, event))

            return wsgi_receiver(verifier, handle, store=handled)(environ, start_response)

        self._server.set_app(application)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="receiver", daemon=True).start()


class _Handler(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing: the demo shows the deliveries."""
