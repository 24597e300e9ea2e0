"""What the pipeline eats and gives: plain values that know no server."""

from dataclasses import dataclass
from typing import Protocol

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
