"""A server that sends scripted bytes, to test failures."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate

LOGIN = "/Login/Customer/Api/Verify"


@dataclass(frozen=True)
class RecordedRequest:
    """One received request. Header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        """The body's members."""
        found: dict[str, object] = json.loads(self.body)
        return found


@dataclass
class Raw:
    """Raw pieces of bytes with pauses between them, after which the connection closes."""

    pieces: list[bytes]
    pause: float = 0.0
    gate: threading.Event | None = None


Script = Callable[[RecordedRequest], "bytes | Raw"]


@dataclass
class Server:
    """The server's address and the requests that it received."""

    url: str
    script: Script
    asked: list[RecordedRequest] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def logins(self) -> int:
        """The number of logins received."""
        return sum(one.path == LOGIN for one in self.asked)

    @property
    def calls(self) -> list[RecordedRequest]:
        """The requests that are not logins."""
        return [one for one in self.asked if one.path != LOGIN]


def http(status: int, body: bytes, *lines: str, kind: str = "application/json") -> bytes:
    """A complete response."""
    head = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *lines]
    if not any(line.lower().startswith("date:") for line in lines):
        head.append(f"Date: {formatdate(usegmt=True)}")
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def ok(data: object, *lines: str) -> bytes:
    """A successful response."""
    return http(200, json.dumps({"success": True, "message": "OK", "data": data}).encode(), *lines)


def refusal(status: int, code: int, *lines: str) -> bytes:
    """A refusal."""
    body = {"success": False, "message": "no", "code": code, "errorCode": code, "data": None, "requestId": "req_1"}
    return http(status, json.dumps(body).encode(), *lines)


def token(name: str, expiration: str = "2100-01-01T01:00:00Z", date: str = "Fri, 01 Jan 2100 00:00:00 GMT") -> bytes:
    """The response to a login: a token that lasts an hour by a clock unrelated to this machine's."""
    data = {"token": name, "expiration": expiration, "idleTimeoutSeconds": None, "callbackData": None}
    return ok(data, f"Date: {date}")


ACCOUNT = {
    "accountId": "par_1", "name": "P", "email": "p@partner.example", "scopes": [], "currency": "USD",
    "balance": 1, "held": 0, "available": 1, "creditLimit": 0, "spendable": 1,
}  # fmt: skip
PLACED = {
    "orderId": "ord_1", "orderReference": "r", "currency": "USD", "total": 5,
    "details": [{"deliverId": "1", "orderDetailId": "odl_1", "quantity": 1, "price": 5, "status": 1}],
}  # fmt: skip


@contextlib.contextmanager
def scripted(script: Script) -> Iterator[Server]:
    """Run the server for the duration of the block."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        server = Server(f"http://127.0.0.1:{listener.getsockname()[1]}", script)
        threading.Thread(target=_accept, args=(listener, server), daemon=True).start()
        try:
            yield server
        finally:
            server.stopping.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, server: Server) -> None:
    while not server.stopping.is_set():
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(connection, server), daemon=True).start()


def _serve(connection: socket.socket, server: Server) -> None:
    with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
        while asked := _read(stream):  # type: ignore[arg-type]
            server.asked.append(asked)
            answer = server.script(asked)
            if isinstance(answer, Raw):
                _trickle(connection, answer, server)
                return
            connection.sendall(answer)


def _trickle(connection: socket.socket, answer: Raw, server: Server) -> None:
    if answer.gate is not None:
        answer.gate.wait(30)
    for piece in answer.pieces:
        connection.sendall(piece)
        if server.stopping.wait(answer.pause):
            return


def _read(stream: "socket.SocketIO") -> RecordedRequest | None:
    line = stream.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    headers = {}
    while text := stream.readline().decode("latin-1").strip():
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    return RecordedRequest(line[0], line[1], headers, stream.read(int(headers.get("content-length", "0"))))
