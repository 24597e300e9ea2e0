"""What a tenant has access to: the names that can be switched, in their one spelling."""

from collections.abc import Iterable

from bedesten.errors import bad_field
from bedesten.gate.scopes import Surface
from bedesten.http.route import Route


def switchable_targets(routes: Iterable[Route]) -> list[str]:
    """Every surface, then every endpoint of one; public pages belong to no surface and cannot be switched."""
    return [surface.value for surface in Surface] + sorted(route.endpoint for route in routes if route.access.surface)


def canonical_target(routes: Iterable[Route], text: str) -> str:
    """A surface or an endpoint as the tables spell it: without regard to case, an alias as its own endpoint.

    Raises `Refusal` (-2) that names everything there is.
    """
    routes = list(routes)
    asked = _folded(text)
    for surface in Surface:
        if asked == surface.value:
            return surface.value
    for route in routes:
        paths = (route.path, *route.aliases)
        if route.access.surface and asked in {_folded(f"{route.method} {path}") for path in paths}:
            return route.endpoint
    raise bad_field(
        "access", f"{text!r} is neither a surface nor an endpoint; there are {', '.join(switchable_targets(routes))}"
    )


def shown(routes: Iterable[Route], access: dict[str, bool]) -> dict[str, bool]:
    """What was switched, each target as the tables spell it."""
    spelling = {target.lower(): target for target in switchable_targets(routes)}
    return {spelling.get(target, target): allowed for target, allowed in access.items()}


def _folded(text: str) -> str:
    """One spelling for comparing: `get  /Order/detail/{id}` is `get /order/detail/{}`."""
    words = " ".join(text.lower().split())
    head, brace, _ = words.partition("{")
    return head + ("{}" if brace else "")
