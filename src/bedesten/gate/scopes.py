"""Scopes: what a bearer token may do, in the closed vocabulary of its surface (RFC 6749 section 3.3).

Scopes exist on the two surfaces that use tokens. What an API key may do is a grant, and is not said here.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType


class Surface(StrEnum):
    """One of the four gates. The value stands in tokens (`aud`), in the database and on the command line."""

    RESELLER = "reseller"
    STOREFRONT = "storefront"
    PAYMENT = "payment"
    SUPPLIER = "supplier"

    @property
    def uses_tokens(self) -> bool:
        """Whether callers present bearer tokens here; otherwise they present API keys."""
        return self in SCOPES


SCOPES: Mapping[Surface, frozenset[str]] = MappingProxyType(
    {
        Surface.RESELLER: frozenset({"catalogue:read", "orders:create", "orders:read", "account:read"}),
        Surface.STOREFRONT: frozenset({"profile:manage", "orders:create", "orders:read"}),
    }
)
"""Every scope there is, by the surface that knows it. Each is asked for by an operation of the surface."""

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


@lru_cache(maxsize=1024)
def parse_scopes(text: str) -> frozenset[str]:
    """The scopes of a space-separated list. Order does not matter, case does.

    Raises ValueError if the list is empty, if anything but exactly one space separates, if a scope stands twice or
    has a character that RFC 6749 section 3.3 does not allow. Knows nothing of the vocabulary.
    """
    scopes = text.split(" ")
    if not all(_SCOPE.fullmatch(scope) for scope in scopes):
        raise ValueError("scopes are words of printable ASCII, separated by single spaces")
    unique = frozenset(scopes)
    if len(unique) != len(scopes):
        raise ValueError("a scope stands twice")
    return unique


def check_scopes(surface: Surface, scopes: frozenset[str]) -> None:
    """Raises ValueError, naming them and those that there are, if the surface does not know some of the scopes."""
    known = SCOPES.get(surface, frozenset())
    unknown = scopes - known
    if unknown:
        there_are = f"; there are {', '.join(sorted(known))}" if known else ""
        raise ValueError(f"the {surface} surface has no scope {', '.join(sorted(unknown))}{there_are}")


def effective(snapshot: frozenset[str], configured: frozenset[str] | None, surface: Surface) -> frozenset[str]:
    """What a token may do now: what it was issued with **and** what its account is configured with today.

    `configured` is None for an account for which no scopes were named: it has every scope of its surface. So a scope
    that was taken away is gone at once, and one that was added needs a new token.
    """
    return snapshot & (SCOPES.get(surface, frozenset()) if configured is None else configured)
