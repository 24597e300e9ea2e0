"""One HTTP/1.1 connection, byte for byte: it sends exactly what the test wrote, and keeps exactly what it receives.

It uses no HTTP library: a library would refuse to send half of what hostile clients send, and would fix or hide half of
what tests must see of the server's answers.
"""

import itertools
import json
import re
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

TIMEOUT_S = 20.0
"""Seconds without an answer after which the server counts as hung."""

_addresses = itertools.count(1)


def fresh_address() -> str:
    """An unused loopback address: refusals are counted by address, and tests must not affect each other."""
    number = next(_addresses)
    return f"127.{16 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"


class NoAnswer(Exception):
    """The connection ended before a complete answer; `raw` is what was received."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(f"the connection ended after {raw[:200]!r}")
        self.raw = raw


@dataclass(frozen=True)
class Answer:
    """One answer. Header names are lower case, in the order received."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    raw: bytes = field(default=b"", repr=False)

    def every(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for known, value in self.headers if known == name]

    def header(self, name: str) -> str | None:
        """The value of a header that may occur at most once."""
        values = self.every(name)
        assert len(values) <= 1, f"{name} stands {len(values)} times"
        return values[0] if values else None

    @property
    def closes(self) -> bool:
        """Whether the server ends the connection after this answer."""
        return (self.header("connection") or "").lower() == "close"

    @cached_property
    def json(self) -> Any:
        """The body as JSON, with exact decimals."""
        return json.loads(self.body, parse_float=Decimal)

    @property
    def data(self) -> Any:
        """The data of a success; fails the test with the answer otherwise."""
        assert self.status == 200, f"{self.status} {self.body!r}"
        assert self.json["success"] is True
        return self.json["data"]

    @property
    def code(self) -> int | None:
        """The error's number; None for a success or a refusal without a body."""
        code: int | None = self.json["code"] if self.status >= 400 and self.body else None
        return code

    @property
    def verdict(self) -> tuple[int, int | None]:
        """Status and number, on which a client decides."""
        return self.status, self.code

    @property
    def fields(self) -> list[str]:
        """The invalid fields, as spelt on the wire."""
        return [one["field"] for one in self.json.get("errors", ())]

    @property
    def anonymous(self) -> bytes:
        """The answer's bytes with request id and `Date` masked: the only parts in which two equal answers differ."""
        plain = re.sub(rb"req_[0-9a-f]+", b"req_X", self.raw)
        return re.sub(rb"(?im)^date: [^\r\n]*", b"date: X", plain)


class Connection:
    """A connection to the server under test, kept open until one side ends it."""

    def __init__(self, port: int, source: str | None = None, timeout: float = TIMEOUT_S) -> None:
        self.source = source or fresh_address()
        self._sock = socket.create_connection(("127.0.0.1", port), timeout, (self.source, 0))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def send(self, raw: bytes) -> None:
        """Sends bytes. Tolerates a server that has already answered and closed: its answer can still be read."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._sock.sendall(raw)

    def receive(self, method: str = "GET") -> Answer:
        """Receives the next final (not 1xx) answer. Raises `NoAnswer` if the connection ends, `TimeoutError`."""
        while True:
            answer = self._one(method)
            if answer.status >= 200:
                return answer

    def receive_or_end(self, method: str = "GET") -> Answer | None:
        """Receives the next answer; None if the connection ends without any byte of an answer."""
        try:
            return self.receive(method)
        except NoAnswer as end:
            if end.raw:
                raise
            return None

    def interim(self) -> int:
        """Receives the next answer, interim or not, and returns its status; for `100 Continue`."""
        return self._one("HEAD").status

    def exchange(self, raw: bytes) -> Answer:
        """Sends one request and returns its answer."""
        self.send(raw)
        return self.receive(raw[:5].decode("latin-1").split(" ")[0])

    def half_close(self) -> None:
        """Closes the sending side of the connection."""
        self._sock.shutdown(socket.SHUT_WR)

    def rest(self) -> bytes:
        """Receives everything until the server ends the connection."""
        with suppress(ConnectionResetError):
            while self._more():
                pass
        return self._buffer

    @property
    def alive(self) -> bool:
        """Whether the connection can be used again: the server has sent nothing unexpected and not closed it."""
        if self._buffer:
            return False
        self._sock.setblocking(False)
        try:
            return self._sock.recv(1, socket.MSG_PEEK) != b"" and False
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            self._sock.settimeout(TIMEOUT_S)

    def close(self) -> None:
        """Closes the connection."""
        self._sock.close()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _one(self, method: str) -> Answer:
        try:
            while b"\r\n\r\n" not in self._buffer:
                self._need()
            head, _, _ = self._buffer.partition(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            version, status, *_ = first.split(" ")
            assert version in ("HTTP/1.1", "HTTP/1.0"), first
            headers = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
            end = len(head) + 4 + self._length(int(status), dict(headers), method)
            while len(self._buffer) < end:
                self._need()
        except ConnectionResetError as problem:
            raise NoAnswer(self._buffer) from problem
        raw, self._buffer = self._buffer[:end], self._buffer[end:]
        return Answer(int(status), headers, raw[len(head) + 4 :], raw)

    @staticmethod
    def _length(status: int, headers: dict[str, str], method: str) -> int:
        if method == "HEAD" or status < 200 or status in (204, 304):
            return 0
        assert "transfer-encoding" not in headers, "every answer of ours announces its length"
        return int(headers["content-length"])

    def _need(self) -> None:
        if not self._more():
            raise NoAnswer(self._buffer)

    def _more(self) -> bool:
        chunk = self._sock.recv(65_536)
        self._buffer += chunk
        return bool(chunk)


def speak(port: int, raw: bytes, source: str | None = None) -> Answer:
    """Sends exactly these bytes on a new connection and returns the answer."""
    with Connection(port, source) as connection:
        return connection.exchange(raw)
