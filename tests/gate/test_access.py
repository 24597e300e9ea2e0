"""The access that a route can demand is a closed set of values."""

from dataclasses import FrozenInstanceError

import pytest

from bedesten.gate.access import GRANTS, Anonymous, Keyed, Open, Scoped, SignedIn
from bedesten.gate.scopes import SCOPES, Surface


def test_the_grants_of_the_api_key_surfaces_are_these() -> None:
    assert {surface: set(grants) for surface, grants in GRANTS.items()} == {
        Surface.PAYMENT: {"deposits:manage", "payments:manage", "keys:manage", "webhooks:manage"},
        Surface.SUPPLIER: {
            "products:read", "products:write", "stock:read", "stock:write", "orders:read", "orders:deliver",
            "complaints:manage", "statement:read", "webhooks:manage", "keys:manage",
        },
    }  # fmt: skip


def test_a_surface_has_scopes_or_grants_and_never_both() -> None:
    assert GRANTS.keys() | SCOPES.keys() == set(Surface)
    assert GRANTS.keys() & SCOPES.keys() == set()


@pytest.mark.parametrize(
    "access",
    [
        Open(None),
        Open(Surface.RESELLER),
        Anonymous(Surface.STOREFRONT),
        SignedIn(Surface.STOREFRONT),
        Scoped(Surface.RESELLER, "orders:read"),
        Keyed(Surface.PAYMENT, "payments:manage"),
    ],
    ids=repr,
)
def test_an_access_is_immutable(access: Open | Anonymous | SignedIn | Scoped | Keyed) -> None:
    with pytest.raises(FrozenInstanceError):
        access.surface = Surface.SUPPLIER  # type: ignore[misc]
