"""Whose word counts about where a request came from: the configured proxies', and nobody else's.

A proxy appends the address of its own peer to `X-Forwarded-For`. Read from the right, the first address that is not a
trusted proxy's is the client's; everything to the left of it is what the client itself may have written.
"""

from collections.abc import Iterable

from bedesten.gate.apikeys import address_allowed, parse_address, parse_networks
from bedesten.web.message import Request

HEADERS = ("x-forwarded-for", "forwarded")
MOST_HOPS = 32


class Proxies:
    """The trusted proxies and the one header that they write. Without proxies no header counts."""

    def __init__(self, networks: Iterable[str] = (), header: str = "x-forwarded-for") -> None:
        """Raises ValueError for a network that is none, or a header that is not read here."""
        if header not in HEADERS:
            raise ValueError(f"the header is one of {', '.join(HEADERS)}")
        self._trusted = parse_networks(networks)
        self._name = header.encode()

    def client(self, request: Request) -> str:
        """The address that the request came from, as far as those who are trusted can tell."""
        if not self._trusted or not address_allowed(self._trusted, request.peer):
            return request.peer
        hops = self._hops(request)
        for hop in reversed(hops[-MOST_HOPS:]):
            if parse_address(hop) is None:
                return request.peer
            if not address_allowed(self._trusted, hop):
                return hop
        return hops[0] if hops else request.peer

    def _hops(self, request: Request) -> list[str]:
        lines = [value.decode("latin-1") for name, value in request.headers if name == self._name]
        parts = [part.strip() for part in ",".join(lines).split(",") if part.strip()]
        return parts if self._name == b"x-forwarded-for" else [_forwarded_for(part) for part in parts]


def _forwarded_for(element: str) -> str:
    """The `for` parameter of one element of `Forwarded` (RFC 7239 section 4), without port and brackets."""
    for pair in element.split(";"):
        name, _, value = pair.strip().partition("=")
        if name.lower() == "for":
            node = value.strip('"')
            if node.startswith("["):
                return node[1:].partition("]")[0]
            return node.partition(":")[0]
    return ""
