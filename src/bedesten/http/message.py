"""What the pipeline eats and gives: plain values that know no server."""

from dataclasses import dataclass
from typing import Any, Protocol

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Request:
    """The head of one request. `path` is the raw path (undecoded, without the query), header names are lower case.

    `peer` is the address of the other end of the connection, `scheme` what the server itself terminated.
    """

    method: str
    path: bytes
    query: bytes
    headers: Headers
    peer: str
    body: "Body"


class Body(Protocol):
    """The body of a request that has not been read yet."""

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises `BodyTooLarge` past the limit, `BodyStalled` past the deadline, `ClientGone`."""


class EmptyRequestBody:
    """A body of which nothing is read: it belongs to somebody else."""

    async def read(self, limit: int) -> bytes:  # noqa: ARG002
        """Nothing."""
        return b""


def peer_of(scope: Any) -> str:
    """The address of the other end, from an ASGI scope; `unix` for a socket that has none."""
    client = scope.get("client")
    return client[0] if client and client[0][:1] not in ("", "/") else "unix"


@dataclass(slots=True)
class Response:
    """One answer: status, headers with lower-case names, body. `close` asks for the connection to end after it."""

    status: int
    headers: Headers
    body: bytes
    close: bool = False


class BodyTooLarge(Exception):
    """The body is longer than the route allows (413)."""


class BodyStalled(Exception):
    """The body stopped coming and its deadline passed (408 or a closed connection)."""


class ClientGone(Exception):
    """The client left before the end of its body: it has asked nothing, and nothing is answered."""
