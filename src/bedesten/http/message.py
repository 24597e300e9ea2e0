"""Requests and responses: plain values that know no server."""

from dataclasses import dataclass
from typing import Any, Protocol

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Request:
    """One request before its body is read. `path` is raw (undecoded, without the query), header names are lower case.

    `peer` is the address of the other end of the connection, or `unix`.
    """

    method: str
    path: bytes
    query: bytes
    headers: Headers
    peer: str
    body: "Body"


class Body(Protocol):
    """The unread body of a request."""

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises `BodyTooLarge` past the limit, `BodyStalled` past the deadline, `ClientGone`."""


class EmptyRequestBody:
    """Stands in for a body that only the service behind the gate reads."""

    async def read(self, limit: int) -> bytes:  # noqa: ARG002
        """No bytes."""
        return b""


def peer_of(scope: Any) -> str:
    """The address of the other end, from an ASGI scope; `unix` for a Unix socket."""
    client = scope.get("client")
    return client[0] if client and client[0][:1] not in ("", "/") else "unix"


@dataclass(slots=True)
class Response:
    """One response. Header names are lower case. `close` ends the connection after it."""

    status: int
    headers: Headers
    body: bytes
    close: bool = False


class BodyTooLarge(Exception):
    """The body is longer than the route allows (413)."""


class BodyStalled(Exception):
    """The body did not arrive before its deadline (408 or a closed connection)."""


class ClientGone(Exception):
    """The client left before the end of its body: there is no request, and no answer."""
