"""Access: what a route demands of its caller. Every route states it; there is no default."""

from dataclasses import dataclass

from bedesten.gate.scopes import Surface

GRANTS = {
    Surface.PAYMENT: frozenset({"deposits:manage", "payments:manage", "keys:manage", "webhooks:manage"}),
    Surface.SUPPLIER: frozenset(
        {
            "products:read",
            "products:write",
            "stock:read",
            "stock:write",
            "orders:read",
            "orders:deliver",
            "complaints:manage",
            "statement:read",
            "keys:manage",
            "webhooks:manage",
        }
    ),
}
"""The grants that an API key can be narrowed to. A key without grants of its own has all grants of its surface."""


@dataclass(frozen=True, slots=True)
class Open:
    """Needs no credential and ignores any: logins and, without a surface, the documentation."""

    surface: Surface | None


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Needs no bearer token, but one that is sent must be valid: the storefront's catalogue and registration."""

    surface: Surface


@dataclass(frozen=True, slots=True)
class Scoped:
    """Needs a bearer token of the surface with the scope."""

    surface: Surface
    scope: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Needs a bearer token of the surface, with any scopes: what holders may do with their own tokens."""

    surface: Surface


@dataclass(frozen=True, slots=True)
class Keyed:
    """Needs an API key of the surface with the grant, in a tenant that has access to the endpoint."""

    surface: Surface
    grant: str


@dataclass(frozen=True, slots=True)
class AnyKey:
    """Needs an API key of the surface, with any grants: unknown paths, and routes of a service that name no grant."""

    surface: Surface


Access = Open | Anonymous | SignedIn | Scoped | Keyed | AnyKey
