"""Network addresses of callers, in one form."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address


@lru_cache(maxsize=4096)
def parse_address(peer: str) -> IPv4Address | IPv6Address | None:
    """Returns the address of a peer, without a zone and with IPv4 in IPv6 as IPv4; None if the text is not an address."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
