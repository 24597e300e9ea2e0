"""The HTTP of the fake shop: reads a request, sends the response or closes the connection."""

from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import msgspec

from bedesten_client.testing._model import Data

_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class ScriptedResponse:
    """A response. Status 0: close the connection without one. `processed`: perform the call first."""

    status: int
    document: Data | None
    lines: dict[str, str] = field(default_factory=dict)
    processed: bool = False


Handle = Callable[[str, str, dict[str, str], bytes], ScriptedResponse]
"""Maps method, path, headers and body to the response."""


def handler_of(handle: Handle, request_id: Callable[[], str]) -> type[BaseHTTPRequestHandler]:
    """Return a handler class that gets its responses from `handle`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self._reply()

        def _reply(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            response = handle(self.command, self.path, headers, raw)
            if not response.status:
                self.close_connection = True
                return
            body = _encode(response.document)
            self.send_response(response.status)
            lines = {
                **response.lines,
                "Content-Type": "application/json",
                "X-Request-Id": (response.document or {}).get("requestId") or request_id(),
                "Content-Length": str(len(body)),
            }
            for name, value in lines.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
