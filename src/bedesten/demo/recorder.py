"""An HTTP transport that records each request and its response."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx2

SERVER = "127.0.0.1"
REQUEST_HEADERS = ("Authorization", "ApiKey")
RESPONSE_HEADERS = ("WWW-Authenticate", "Retry-After")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response, with the headers that matter. Secrets are in clear."""

    method: str
    path: str
    request_headers: tuple[tuple[str, str], ...]
    body: Any
    status: int
    reason: str
    response_headers: tuple[tuple[str, str], ...]
    document: Any
    milliseconds: float

    @property
    def code(self) -> int | None:
        """The number of a refusal."""
        return self.document.get("code") if isinstance(self.document, dict) else None


class Recorder(httpx2.HTTPTransport):
    """Sends every request to the demo's server, whatever host it names, and reports each exchange."""

    def __init__(self, on_exchange: Callable[[Exchange], None]) -> None:
        super().__init__()
        self._on_exchange = on_exchange

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request. `Host` keeps the name that the caller used."""
        host = request.url.host
        request.url = request.url.copy_with(host=SERVER)
        begun = time.perf_counter()
        response = super().handle_request(request)
        response.read()
        elapsed = (time.perf_counter() - begun) * 1000
        shop = () if host == SERVER else (("Host", host),)
        self._on_exchange(
            Exchange(
                method=request.method,
                path=request.url.path,
                request_headers=(*shop, *_chosen(request.headers, REQUEST_HEADERS)),
                body=_parsed(request.content) if request.content else None,
                status=response.status_code,
                reason=response.extensions["reason_phrase"].decode("ascii"),
                response_headers=_chosen(response.headers, RESPONSE_HEADERS),
                document=_parsed(response.content),
                milliseconds=elapsed,
            )
        )
        return response


def _chosen(headers: httpx2.Headers, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, headers[name]) for name in names if name in headers)


def _parsed(content: bytes) -> Any:
    """Parse JSON with exact amounts. Anything else stays text."""
    try:
        return json.loads(content, parse_float=Decimal)
    except ValueError:
        return content.decode("utf-8", "replace")
