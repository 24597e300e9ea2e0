"""API keys: their form, how a request presents one, and from which addresses it may be used.

A key is `ak_live_` or `ak_test_` and 32 lower-case hexadecimal digits, all random. It names neither tenant nor surface:
the store finds both by its digest (`Keyring.key_digest`), and keeps nothing else of the key.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from bedesten.core.addresses import parse_address
from bedesten.core.secret import Secret, masked

SAMPLE_KEY = "ak_live_8f3b1c0e5a4d4f2c9b1e7d6c5a4b3c2d"
"""The key that the documentation shows. It can never be issued or imported, so it is unknown everywhere."""

Networks = tuple[IPv4Network | IPv6Network, ...]
"""Networks from which a key may be used; empty: from anywhere."""

_FORM = re.compile(r"ak_(?:live|test)_[0-9a-f]{32}")
_HEADER = re.compile(rb"[ \t]*(ak_(?:live|test)_[0-9a-f]{32})[ \t]*")


class MalformedKey(ValueError):
    """The request has no API key of the right form. The message is for the log and never holds what was sent."""


def new_api_key(sandbox: bool, randomness: Callable[[int], bytes] = secrets.token_bytes) -> Secret[str]:
    """Returns a fresh key with 128 random bits: `ak_test_…` for a sandbox tenant, `ak_live_…` for a live one."""
    while True:
        key = f"ak_{'test' if sandbox else 'live'}_{randomness(16).hex()}"
        if key != SAMPLE_KEY:
            return Secret(key)


def extract(header_values: list[bytes]) -> str:
    """Returns the key from the `ApiKey` header lines: exactly one line, exactly the form, with optional white space.

    Raises `MalformedKey`. Accepts the documented sample, which no store knows.
    """
    if len(header_values) != 1:
        raise MalformedKey("sent twice" if header_values else "no ApiKey header")
    match = _HEADER.fullmatch(header_values[0])
    if match is None:
        raise MalformedKey("not of the form of an API key")
    return match[1].decode("ascii")


def is_live(key: str) -> bool:
    """Whether a well-formed key is for live tenants (`ak_live_`) and not for sandboxes (`ak_test_`)."""
    return key.startswith("ak_live_")


def is_importable(key: str) -> bool:
    """Whether a key of another system may be imported: it has the exact form and is not the documented sample."""
    return _FORM.fullmatch(key) is not None and key != SAMPLE_KEY


def imported_form(key: str) -> str:
    """Returns the text that is digested in place of an imported key, of which the import has only the SHA-256."""
    return imported_form_of_sha256(hashlib.sha256(key.encode("ascii")).hexdigest())


def imported_form_of_sha256(sha256: str) -> str:
    """Returns the imported form from the SHA-256 in 64 lower-case hexadecimal digits. No key has this form."""
    return "sha256:" + sha256


def find_keys(text: str) -> list[str]:
    """Returns every part of the text that has the form of a key, once each, in order of appearance."""
    return list(dict.fromkeys(_FORM.findall(text)))


def looks_like_key(text: str) -> bool:
    """Whether the text begins like a key, in any case."""
    return text.strip().lower().startswith(("ak_live_", "ak_test_"))


def mask_keys(text: str) -> str:
    """Masks every part of the text that has the form of a key, so that the text may be kept."""
    return _FORM.sub(lambda found: masked(found[0]), text)


# --- the address allow-list -------------------------------------------------------------------------------------------


def parse_networks(texts: Iterable[str]) -> Networks:
    """Parses CIDR texts or single addresses. Raises ValueError that names the text, for host bits too.

    IPv4-mapped IPv6 (`::ffff:10.0.0.0/104`) becomes IPv4, like the addresses that it is compared with.
    """
    return tuple(_parse_network(text) for text in texts)


def _parse_network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(f"not a network in CIDR notation, or with bits set outside of it: {text[:64]!r}") from None
    if isinstance(network, IPv6Network):
        inner = network.network_address.ipv4_mapped  # host bits are refused, so its prefix has at least 96 bits
        if inner is not None:
            return IPv4Network((inner, network.prefixlen - 96))
    return network


def address_allowed(networks: Networks, peer: str) -> bool:
    """Whether the peer's address is in one of the networks. No networks allow every peer, even one without an address."""
    if not networks:
        return True
    address = parse_address(peer)
    return address is not None and any(address in network for network in networks)
