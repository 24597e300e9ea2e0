"""The client's address, as trusted proxies report it.

A proxy appends the address of its own peer to `X-Forwarded-For` or `Forwarded`. Read from the right, the first address
that is not a trusted proxy's is the client's; everything to the left of it may come from the client and is ignored. No
other header counts, and none replaces the `Host`: the proxy has to pass it on.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from bedesten.core.addresses import parse_address
from bedesten.gate.api_keys import address_allowed, parse_networks
from bedesten.http.message import Request

HEADERS = ("x-forwarded-for", "forwarded")
MAX_HOPS, MAX_HOP_LENGTH = 32, 80
MAX_REMEMBERED, MAX_REMEMBERED_LENGTH = 4_096, 256
"""Cached results, and the bytes of the longest header whose result is cached."""
UNKNOWN = "unknown"
"""The address of a client that a trusted proxy does not name. It is on no allow-list, and all such clients count as one."""
UNIX = "unix"
"""The peer at the other end of a Unix socket, and its name among the trusted proxies."""

_PORT = re.compile(r":[0-9]{1,5}")
_FOR = re.compile(r'\s*for\s*=\s*(?:"(?P<quoted>[^"\\]*)"|(?P<plain>[^\s"]+))\s*', re.IGNORECASE)


class Proxies:
    """The trusted proxies and the one header that they write. Without trusted proxies no header counts."""

    def __init__(self, networks: Iterable[str] = (), header: str = "x-forwarded-for") -> None:
        """Raises ValueError for an invalid network or an unknown header."""
        if header not in HEADERS:
            raise ValueError(f"the header must be one of {', '.join(HEADERS)}")
        named = list(networks)
        self._unix = UNIX in named
        self._trusted = parse_networks(name for name in named if name != UNIX)
        self._name = header.encode()
        self._any = bool(named)
        self._trusts = lru_cache(MAX_REMEMBERED)(self._is_trusted)
        self._remembered = lru_cache(MAX_REMEMBERED)(self._find)

    def client(self, request: Request) -> str:
        """The address of the client, as far as trusted proxies name it."""
        if not self._any:
            return _plain(request.peer)
        name = self._name
        line = b",".join([value for known, value in request.headers if known == name])
        find = self._remembered if len(line) <= MAX_REMEMBERED_LENGTH else self._find
        return find(request.peer, line)

    def _find(self, peer: str, header: bytes) -> str:
        """The client's address. It depends only on these two arguments, so it can be cached."""
        known = _plain(peer)
        if not self._trusts(known):
            return known
        for number, hop in enumerate(self._hops(header.decode("latin-1"))):
            address = _address(hop)
            if address is None:
                return UNKNOWN
            if number == MAX_HOPS or not self._trusts(address):
                return address
            known = address
        return known

    def trusts(self, peer: str) -> bool:
        """Whether this peer is one of the proxies."""
        return self._trusts(_plain(peer))

    def has_forwarded_header(self, request: Request) -> bool:
        """Whether the request has the header that the proxies write."""
        return any(name == self._name for name, _ in request.headers)

    def _is_trusted(self, peer: str) -> bool:
        return self._unix if peer == UNIX else bool(self._trusted) and address_allowed(self._trusted, peer)

    def _hops(self, line: str) -> Iterator[str]:
        """The addresses in the header, the last one first."""
        if self._name == b"x-forwarded-for":
            yield from (part.strip() for part in reversed(line.split(",")) if part.strip())
        else:
            yield from (_forwarded_for(part) for part in _from_the_right(line, ",") if part.strip())


@lru_cache(maxsize=4096)
def _plain(peer: str) -> str:
    """The canonical form of an address: IPv4 in IPv6 as IPv4. Other text is returned unchanged."""
    parsed = parse_address(peer)
    return peer if parsed is None else str(parsed)


def _address(hop: str) -> str | None:
    """The address of `192.0.2.1`, `192.0.2.1:567`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:567`, else None."""
    if len(hop) > MAX_HOP_LENGTH:
        return None
    text, bracket, port = hop, "", ""
    if hop.startswith("["):
        text, bracket, port = hop[1:].partition("]")
        if not bracket or ":" not in text:
            return None
    elif hop.count(":") == 1:
        text, colon, port = hop.partition(":")
        port = colon + port
    parsed = parse_address(text)
    return str(parsed) if parsed is not None and (not port or _PORT.fullmatch(port)) else None


def _forwarded_for(element: str) -> str:
    """The one `for` parameter of an element of `Forwarded` (RFC 7239 section 4); empty if there are two."""
    found = [match for pair in _from_the_right(element, ";") if (match := _FOR.fullmatch(pair))]
    return (found[0]["quoted"] or found[0]["plain"] or "") if len(found) == 1 else ""


def _from_the_right(text: str, separator: str) -> Iterator[str]:
    """The parts between separators outside quoted strings, the last one first.

    A trusted proxy wrote the right end. Read from there, a quote that the client left open at the left cannot swallow
    it, as it could in a parser that starts at the left.
    """
    end, quoted = len(text), False
    for at in range(len(text) - 1, -1, -1):
        if text[at] == '"' and not _escaped(text, at):
            quoted = not quoted
        elif text[at] == separator and not quoted:
            yield text[at + 1 : end]
            end = at
    yield text[:end]


def _escaped(text: str, at: int) -> bool:
    """Whether an odd number of backslashes precedes this position."""
    first = at
    while first and text[first - 1] == "\\":
        first -= 1
    return (at - first) % 2 == 1
