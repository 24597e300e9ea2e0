"""The partner's side of the webhooks: a small web server that believes nothing which is not signed.

It does what every receiver should: verify the signature over the raw body (here with the `standardwebhooks` library),
compare the `Apikey` header, drop what it has had before (by `webhook-id`), answer quickly. The deduplication is needed
because delivery is at least once.
"""

import hmac
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bedesten.core.secret import Secret

PATH = "/webhooks"
LARGEST = 1 << 20
SHOWN = ("webhook-id", "webhook-timestamp", "webhook-signature", "Apikey")


@dataclass(frozen=True, slots=True)
class Received:
    """One delivery that was verified."""

    id: str
    headers: tuple[tuple[str, str], ...]
    body: dict[str, Any]


class Receiver:
    """Listens on a free loopback port from the moment that it is made. Until `trust` was called it refuses everything."""

    def __init__(self, on_delivery: Callable[[Received], None] = lambda _: None) -> None:
        self._on_delivery = on_delivery
        self._webhook: Any = None
        self._outbound_key = ""
        self._news = threading.Condition()
        self._received: dict[str, Received] = {}
        self.duplicates = 0
        self.refused = 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.receiver = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="receiver", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where webhooks are to be sent."""
        return f"http://127.0.0.1:{self._server.server_port}{PATH}"

    def trust(self, secret: Secret[str], outbound_key: Secret[str]) -> None:
        """From now on deliveries that are signed with this secret and carry this outbound key are taken."""
        self._webhook, self._outbound_key = Webhook(secret.reveal()), outbound_key.reveal()

    def wait_for(self, enough: Callable[[list[Received]], bool], within: float) -> list[Received]:
        """What was received when it was enough, or when the time (in seconds) was over."""
        with self._news:
            self._news.wait_for(lambda: enough(list(self._received.values())), within)
            return list(self._received.values())

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """The status to answer. 2xx means that the delivery is taken, or was taken before."""
        verified = self._verified(headers, body)
        with self._news:
            if verified is None:
                self.refused += 1
                return 401
            if verified.id in self._received:
                self.duplicates += 1
                return 200
            self._received[verified.id] = verified
            self._news.notify_all()
        self._on_delivery(verified)
        return 200

    def _verified(self, headers: dict[str, str], body: bytes) -> Received | None:
        if self._webhook is None:
            return None
        if not hmac.compare_digest(headers.get("apikey", "").encode(), self._outbound_key.encode()):
            return None
        try:
            parsed = self._webhook.verify(body, headers)
        except (WebhookVerificationError, ValueError):
            return None
        return Received(headers["webhook-id"], tuple((name, headers[name.lower()]) for name in SHOWN), parsed)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    server: _Server

    def do_POST(self) -> None:
        """Takes one delivery."""
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > LARGEST:
            self.close_connection = True
            self._answer(413)
            return
        body = self.rfile.read(int(length))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._answer(self.server.receiver.take(headers, body) if self.path == PATH else 404)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nothing: what was received is shown by the demo."""
