"""A thin JSON client of the four surfaces: one keep-alive connection, one host, one set of credentials."""

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from tests.support.wire import Answer, Connection, fresh_address

Lines = Iterable[tuple[str, str]]
Connect = Callable[[str, str], Connection]
"""Opens a connection to a host from an address, for example through a proxy."""
_to_json = msgspec.json.Encoder(decimal_format="number").encode


class _Absent:
    """No body at all; `None` is the JSON null."""


ABSENT: Final = _Absent()


def encoded(body: object) -> bytes:
    """JSON with decimals as numbers."""
    return _to_json(body)


def request_bytes(method: str, path: str, host: str, lines: Lines = (), body: object = ABSENT) -> bytes:
    """A request. Bytes stay unchanged; other bodies become JSON, with its content type unless `lines` has one."""
    lines = list(lines)
    head = [("Host", host), *lines] if host else lines
    payload = b""
    if not isinstance(body, _Absent):
        payload = body if isinstance(body, bytes) else encoded(body)
        if not any(name.lower() == "content-type" for name, _ in head):
            head.append(("Content-Type", "application/json"))
        head.append(("Content-Length", str(len(payload))))
    text = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in head) + "\r\n"
    return text.encode("latin-1") + payload


class Client:
    """Calls one tenant's host. Sends `lines` with every request, from a fresh address unless `source` is given.

    `connect`: opens the connections, instead of connecting to the port.
    """

    def __init__(
        self, port: int, host: str, lines: Lines = (), source: str | None = None, connect: Connect | None = None
    ) -> None:
        self.port = port
        self._connect = connect or (lambda _host, near: Connection(port, near))
        self.host = host
        self.lines = tuple(lines)
        self.source = source or fresh_address()
        self._connection: Connection | None = None

    def call(self, method: str, path: str, body: object = ABSENT, lines: Lines = ()) -> Answer:
        """Sends a request and returns its answer. Reuses the connection if it is still open."""
        if self._connection is None or not self._connection.alive:
            self.close()
            self._connection = self._connect(self.host, self.source)
        raw = request_bytes(method, path, self.host, [*self.lines, *lines], body)
        answer = self._connection.exchange(raw)
        if answer.closes:
            self.close()
        return answer

    def get(self, path: str, lines: Lines = ()) -> Answer:
        """GET."""
        return self.call("GET", path, ABSENT, lines)

    def post(self, path: str, body: object = ABSENT, lines: Lines = ()) -> Answer:
        """POST."""
        return self.call("POST", path, body, lines)

    def data(self, path: str, body: object = ABSENT, lines: Lines = ()) -> Any:
        """The data of a POST that succeeds."""
        return self.post(path, body, lines).data

    def close(self) -> None:
        """Closes the connection; the next call opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The header of a bearer token."""
    return (("Authorization", f"Bearer {token}"),)


def api_key(key: str) -> tuple[tuple[str, str], ...]:
    """The header of an API key."""
    return (("ApiKey", key),)


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token."""
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found
