"""Hosts: the canonical form of a `Host` header, by which a tenant is found, and which hosts a tenant may have.

RFC 9110 section 7.2 and RFC 3986 section 3.2.2. Stricter than both where they allow what no host name uses: percent
encoding, sub-delimiters (`!$&'()*+,;=`), empty labels, IPv6 zones and IPv4-mapped IPv6 addresses are malformed.
"""

import re
from collections.abc import Collection
from functools import cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from publicsuffixlist import PublicSuffixList

MAX_HOST_LENGTH = 253
"""Characters of a name without its trailing dot (RFC 1035 section 2.3.4, less the length octets)."""

_HEADER = re.compile(
    rb"(?:(?P<name>[A-Za-z0-9_~-]+(?:\.[A-Za-z0-9_~-]+)*)\.?|\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\])(?::(?P<port>[0-9]{0,5}))?"
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def canonical_host(raw: bytes) -> str | None:
    """Returns the host of a `Host` header in lower case, without port and one trailing dot; None if it is malformed.

    Does not look the host up. `[0:0::1]` becomes `[::1]`.
    """
    match = _HEADER.fullmatch(raw)
    if match is None:
        return None
    port = match["port"]
    if port and not 1 <= int(port) <= 65_535:
        return None
    name = match["name"]
    if name is None:
        return _canonical_ipv6(match["ipv6"].decode("ascii"))
    return name.decode("ascii").lower() if len(name) <= MAX_HOST_LENGTH else None


def _canonical_ipv6(text: str) -> str | None:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        return None
    return None if address.ipv4_mapped is not None else f"[{address.compressed}]"


def valid_tenant_host(text: str, *, allow_loopback: bool, reserved: Collection[str] = ()) -> str:
    """Returns the canonical form of a host for a tenant. Raises ValueError with a reason for people.

    `allow_loopback` says that the server listens on loopback only; then `localhost`, names below it and loopback
    addresses may be hosts as well. `reserved` are names of the operator, such as those of the admin listener. Nothing is
    looked up in DNS.
    """
    if "*" in text:
        raise ValueError("a host is one name: there are no wildcards")
    if not text.isascii():
        raise ValueError("an international host name is written in its ASCII form (xn--…)")
    host = canonical_host(text.encode("ascii"))
    if host is None:
        raise ValueError("not a host name")
    labels = host.split(".")
    if host.startswith("[") or _NUMBER.fullmatch(labels[-1]):
        _require_loopback_address(host, allow_loopback)
    elif not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("a label of a host has 1 to 63 letters, digits and inner hyphens (RFC 1123)")
    elif labels[-1] == "localhost":
        if not allow_loopback:
            raise ValueError("localhost is a host only while the server listens on loopback only")
    elif len(labels) == 1:
        raise ValueError("a host has at least two labels, such as api.example.com")
    if is_public_suffix(host):
        raise ValueError("a public suffix: the names below it are other people's")
    if host in {canonical_host(name.encode("ascii", "replace")) for name in reserved}:
        raise ValueError("a name of the operator's own")
    return host


def is_public_suffix(host: str) -> bool:
    """Whether anyone can register names below this canonical host (`com.tr`, `github.io`; publicsuffix.org).

    The list is the one that the library `publicsuffixlist` ships: nothing is fetched. A name of one label is not on
    it, except for the top-level domains that exist.
    """
    return _public_suffixes().is_public(host, accept_unknown=False)


@cache
def _public_suffixes() -> PublicSuffixList:
    """The list, parsed at its first use. That takes a quarter of a second, and answering requests never needs it."""
    return PublicSuffixList()


def _require_loopback_address(host: str, allow_loopback: bool) -> None:
    """Refuses all but a loopback address: clients may parse the name as one (WHATWG URL, "ends in a number")."""
    try:
        address = IPv6Address(host[1:-1]) if host.startswith("[") else IPv4Address(host)
    except AddressValueError:
        raise ValueError("not a host name: it ends in a number and is no address") from None
    if not (allow_loopback and address.is_loopback):
        raise ValueError("an address is a host only if it is loopback and the server listens on loopback only")
