"""Decides where webhooks may go: first the form of the URL, then, for each attempt, the resolved address."""

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from bedesten.errors import bad_field

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


_UNICAST = ip_network("2000::/3")
_BLOCKED = (ip_network("192.0.0.0/24"), ip_network("192.88.99.0/24"), ip_network("2002::/16"))
"""Ranges that `is_global` accepts in some or all versions of Python: protocol assignments, and 6to4, where an address
that looks public leads on to an arbitrary IPv4 address (RFC 7526)."""


class Unreachable(Exception):
    """The target is forbidden or cannot be reached; the message says why and repeats no input of the caller."""


PRIVATE_ADDRESS = "names a private address: webhooks reach it only if the operator allows its network"
PLAIN_HTTP = "must be https: plain http is for private networks that the operator allows"


def check_url(url: str, field: str) -> None:
    """Refuses (-2) a URL that can never be a target, whatever the operator allows."""
    try:
        _split(url)
    except ValueError as error:
        raise bad_field(field, str(error)) from error


def check_target(url: str, allowed: tuple[Network, ...], field: str) -> None:
    """Refuses (-2) a URL that is certain to fail under the current settings. Does not use DNS.

    The address of a name is checked only when a webhook is sent. Plain http is accepted only if some network is
    allowed.
    """
    check_url(url, field)
    address = _literal(url)
    named = None if address is None else _permitted(address, allowed)
    if address is not None and named is None:
        raise bad_field(field, PRIVATE_ADDRESS)
    reachable = named == "named" if address is not None else bool(allowed)
    if _split(url).scheme == "http" and not reachable:
        raise bad_field(field, PLAIN_HTTP)


def host_of(url: str) -> str:
    """Returns host and port of a URL for logs, because the rest of it may contain a secret."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _literal(url: str) -> Address | None:
    """Returns the address that the URL contains in any notation, without DNS; `localhost` counts as one."""
    host = (_split(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        host = "127.0.0.1"
    try:
        found = socket.getaddrinfo(host.partition("%")[0], None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return ip_address(found[0][4][0])


def _split(url: str) -> SplitResult:
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("a URL in printable ASCII characters")
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("an absolute https URL")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL without user name and password")
    if parts.port == 0:
        raise ValueError("a port from 1 to 65535")
    return parts


def parse_networks(text: str) -> tuple[Network, ...]:
    """Parses the private networks that the operator allows, in CIDR notation, separated by spaces."""
    return tuple(ip_network(one) for one in text.split())


def resolve(url: str, allowed: tuple[Network, ...]) -> tuple[SplitResult, str]:
    """Returns the parts of the URL and the one address to connect to. Blocks on DNS. Raises `Unreachable`.

    The caller connects to exactly this address, so a name that resolves differently the second time (DNS rebinding)
    gains nothing. Every address of the name must be allowed, not only the one that is used.
    """
    try:
        parts = _split(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (ValueError, OSError) as error:
        raise Unreachable("the name does not resolve") from error
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    named = [_permitted(address, allowed) for address in addresses]
    if not named or None in named:
        raise Unreachable("the address is private; the operator can allow its network")
    if parts.scheme == "http" and "named" not in named:
        raise Unreachable("plain http is for allowed private networks only")
    return parts, str(addresses[0])


def _permitted(address: Address, allowed: tuple[Network, ...]) -> str | None:
    """Returns `named` if the operator allows the network, `public` if the address is public, None if it is forbidden."""
    plain = address.ipv4_mapped if isinstance(address, IPv6Address) and address.ipv4_mapped else address
    if any(plain.version == network.version and plain in network for network in allowed):
        return "named"
    never = any(plain.version == network.version and plain in network for network in _BLOCKED)
    public = plain.is_global and not plain.is_multicast and not plain.is_reserved and not never
    return "public" if public and (plain.version == 4 or plain in _UNICAST) else None
