"""API keys: their form, how they come out of a request, and from where they may be used.

A key is `ak_live_` or `ak_test_` and 32 lower-case hexadecimal digits, all random. It says neither tenant nor surface:
that is found by its digest (`Keyring.key_digest`), which is all that is stored of it.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from bedesten.core.addresses import parse_address
from bedesten.core.secret import Secret, masked

SAMPLE_KEY = "ak_live_8f3b1c0e5a4d4f2c9b1e7d6c5a4b3c2d"
"""The key that documentation prints. It is never issued and never imported, so it is unknown everywhere for ever."""

Networks = tuple[IPv4Network | IPv6Network, ...]
"""Where a key may be used from; empty: from anywhere."""

_FORM = re.compile(r"ak_(?:live|test)_[0-9a-f]{32}")
_HEADER = re.compile(rb"[ \t]*(ak_(?:live|test)_[0-9a-f]{32})[ \t]*")


class MalformedKey(ValueError):
    """The request has no API key of the right form. The message is for the log and never holds what was sent."""


def new_api_key(sandbox: bool, randomness: Callable[[int], bytes] = secrets.token_bytes) -> Secret[str]:
    """A fresh key with 128 random bits: `ak_test_…` for a sandbox tenant, `ak_live_…` for a live one."""
    while True:
        key = f"ak_{'test' if sandbox else 'live'}_{randomness(16).hex()}"
        if key != SAMPLE_KEY:
            return Secret(key)


def extract(header_values: list[bytes]) -> str:
    """The key of the request's `ApiKey` lines: exactly one, exactly the form, white space around it aside.

    Raises `MalformedKey`. The documented sample comes through: it is simply unknown.
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
    """Whether a key made elsewhere may be taken over: the exact form, and not the documented sample."""
    return _FORM.fullmatch(key) is not None and key != SAMPLE_KEY


def imported_form(key: str) -> str:
    """What is known of a key that another system made and of which only the SHA-256 was handed over."""
    return imported_form_of_sha256(hashlib.sha256(key.encode("ascii")).hexdigest())


def imported_form_of_sha256(sha256: str) -> str:
    """The same, of the SHA-256 in 64 lower-case hexadecimal digits. No key is ever spelt like this."""
    return "sha256:" + sha256


def find_keys(text: str) -> list[str]:
    """Whatever in the text has the form of a key, each once, in the order in which they stand."""
    return list(dict.fromkeys(_FORM.findall(text)))


def looks_like_key(text: str) -> bool:
    """Whether the text is meant to be a key, or part of one, whatever else is in it."""
    return text.strip().lower().startswith(("ak_live_", "ak_test_"))


def mask_keys(text: str) -> str:
    """The text with everything that has the form of a key masked, so that it may be kept."""
    return _FORM.sub(lambda found: masked(found[0]), text)


# --- the address allow-list -------------------------------------------------------------------------------------------


def parse_networks(texts: Iterable[str]) -> Networks:
    """The networks of a list of CIDR texts or single addresses. Raises ValueError naming the text, also for host bits.

    IPv4 written as IPv6 (`::ffff:10.0.0.0/104`) becomes IPv4, like the addresses it is compared with.
    """
    return tuple(_parse_network(text) for text in texts)


def _parse_network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(f"not a network in CIDR notation, or with bits set outside of it: {text[:64]!r}") from None
    if isinstance(network, IPv6Network):
        inner = network.network_address.ipv4_mapped  # such an address fixes 96 bits, so the network does as well
        if inner is not None:
            return IPv4Network((inner, network.prefixlen - 96))
    return network


def address_allowed(networks: Networks, peer: str) -> bool:
    """Whether the peer's address lies in one of the networks. No networks: no restriction. No address: only then."""
    if not networks:
        return True
    address = parse_address(peer)
    return address is not None and any(address in network for network in networks)
