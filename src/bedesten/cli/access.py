"""Names of surfaces and endpoints that can be allowed or denied for a tenant, in canonical spelling."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bedesten.errors import bad_field
from bedesten.gate.scopes import Surface

if TYPE_CHECKING:  # importing the pipeline would slow down every command
    from bedesten.http.route import Route


def switchable_targets(routes: "Iterable[Route]") -> list[str]:
    """Return every surface, then every endpoint. Public pages belong to no surface and cannot be switched."""
    return [surface.value for surface in Surface] + sorted(route.endpoint for route in routes if route.access.surface)


def canonical_target(routes: "Iterable[Route]", text: str) -> str:
    """Return the canonical spelling of a surface or an endpoint, whatever its case, and also by an alias.

    Raises `Refusal` (-2), which lists all targets.
    """
    routes = list(routes)
    wanted = _folded(text)
    for surface in Surface:
        if wanted == surface.value:
            return surface.value
    for route in routes:
        paths = (route.path, *route.aliases)
        if route.access.surface and wanted in {_folded(f"{route.method} {path}") for path in paths}:
            return route.endpoint
    raise bad_field(
        "access", f"{text!r} is neither a surface nor an endpoint; there are {', '.join(switchable_targets(routes))}"
    )


def shown(routes: "Iterable[Route]", access: dict[str, bool]) -> dict[str, bool]:
    """Return the access settings with canonical targets."""
    spelling = {target.lower(): target for target in switchable_targets(routes)}
    return {spelling.get(target, target): allowed for target, allowed in access.items()}


def _folded(text: str) -> str:
    """Fold a target for comparison: `get  /Order/detail/{id}` becomes `get /order/detail/{}`."""
    words = " ".join(text.lower().split())
    head, brace, _ = words.partition("{")
    return head + ("{}" if brace else "")
