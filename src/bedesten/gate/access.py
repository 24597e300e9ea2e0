"""Access: what a route demands. Every route says it; there is no default."""

from dataclasses import dataclass

from bedesten.gate.scopes import Surface

GRANTS = {
    Surface.PAYMENT: frozenset({"deposits:manage", "payments:manage", "keys:manage"}),
    Surface.SUPPLIER: frozenset(
        {"products:read", "products:write", "stock:write", "orders:read", "orders:deliver", "keys:manage"}
    ),
}
"""What an API key can be narrowed to. A key without grants of its own may do all that its surface offers."""


@dataclass(frozen=True, slots=True)
class Open:
    """No credential is asked for and none is looked at: logins and, with no surface, the documentation."""

    surface: Surface | None


@dataclass(frozen=True, slots=True)
class Anonymous:
    """No bearer token is needed, but one that is sent must be valid: the storefront's catalogue and registration."""

    surface: Surface


@dataclass(frozen=True, slots=True)
class Scoped:
    """A bearer token of the surface that carries the scope."""

    surface: Surface
    scope: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A bearer token of the surface, whatever its scopes: what every holder may do with its own token."""

    surface: Surface


@dataclass(frozen=True, slots=True)
class Keyed:
    """An API key of the surface that has the grant, in a tenant that has access to the endpoint."""

    surface: Surface
    grant: str


@dataclass(frozen=True, slots=True)
class AnyKey:
    """An API key of the surface, whatever its grants: the twin of `SignedIn`."""

    surface: Surface


Access = Open | Anonymous | SignedIn | Scoped | Keyed | AnyKey
