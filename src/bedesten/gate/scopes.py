"""Scopes: the rights of a bearer token, in the closed vocabulary of its surface (RFC 6749 section 3.3).

Scopes exist on the two surfaces that use tokens. The rights of an API key are grants (`access`).
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType


class Surface(StrEnum):
    """One of the four surfaces. The value appears in tokens (`aud`), in the database and on the command line."""

    RESELLER = "reseller"
    STOREFRONT = "storefront"
    PAYMENT = "payment"
    SUPPLIER = "supplier"

    @property
    def uses_tokens(self) -> bool:
        """Whether callers present bearer tokens on this surface; on the others they present API keys."""
        return self in SCOPES


SCOPES: Mapping[Surface, frozenset[str]] = MappingProxyType(
    {
        Surface.RESELLER: frozenset(
            {
                "catalogue:read",
                "orders:create",
                "orders:read",
                "orders:cancel",
                "account:read",
                "complaints:manage",
                "webhooks:manage",
            }
        ),
        Surface.STOREFRONT: frozenset(
            {"profile:manage", "orders:create", "orders:read", "orders:cancel", "complaints:manage"}
        ),
    }
)
"""Every scope by its surface. At least one operation of the surface demands each of them."""

_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")


@lru_cache(maxsize=1024)
def parse_scopes(text: str) -> frozenset[str]:
    """Parses a space-separated list of scopes. Order does not matter, case does.

    Raises ValueError if the list is empty, if a separator is not exactly one space, if a scope is repeated or has a
    character that RFC 6749 section 3.3 does not allow. Does not check the vocabulary.
    """
    scopes = text.split(" ")
    if not all(_SCOPE.fullmatch(scope) for scope in scopes):
        raise ValueError("scopes are words of printable ASCII, separated by single spaces")
    unique = frozenset(scopes)
    if len(unique) != len(scopes):
        raise ValueError("a scope is repeated")
    return unique


def check_scopes(surface: Surface, scopes: frozenset[str]) -> None:
    """Raises ValueError, which lists the unknown and the known scopes, if the surface lacks some of them."""
    known = SCOPES.get(surface, frozenset())
    unknown = scopes - known
    if unknown:
        there_are = f"; there are {', '.join(sorted(known))}" if known else ""
        raise ValueError(f"the {surface} surface has no scope {', '.join(sorted(unknown))}{there_are}")


def effective(snapshot: frozenset[str], configured: frozenset[str] | None, surface: Surface) -> frozenset[str]:
    """Returns the scopes that count now: those of the token **and** of the account's present configuration.

    `configured` is None for an account without a list: it has every scope of its surface. A scope that is taken away
    is gone on the next request; a scope that is added needs a new token.
    """
    return snapshot & (SCOPES.get(surface, frozenset()) if configured is None else configured)
