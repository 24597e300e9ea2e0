"""Finds the route of a request in the table of the surfaces' routes.

Below a surface of API keys only a valid key may learn that a path or method does not exist. So an unknown one leads to
the surface's fallback route, which demands any of its keys and then refuses with -3 or -4.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from bedesten import errors
from bedesten.errors import Refusal
from bedesten.gate.access import AnyKey, Keyed
from bedesten.gate.auth_cache import TenantEntry
from bedesten.gate.scopes import Surface
from bedesten.http.context import RequestContext
from bedesten.http.message import Request, Response
from bedesten.http.path_table import PathTable
from bedesten.http.route import METHODS, Match, Route, Static

MAX_SUGGESTION_LENGTH, MIN_SIMILARITY = 100, 0.75
"""The longest path for which the nearest operation is looked up, and how similar the two must be (`difflib`)."""
MAX_REMEMBERED = 1024
"""Unknown paths whose nearest operation is cached: clients that are configured wrongly repeat themselves."""
_KEYED_PREFIXES = ((b"/payment", Surface.PAYMENT), (b"/supplier", Surface.SUPPLIER))
Routes = Mapping[str, Route]
"""The routes of one path by method."""


@dataclass(slots=True)
class RouteMap:
    """The routes of the surfaces by path, and the fallback route of each surface of API keys."""

    table: PathTable[Route] = field(default_factory=PathTable)
    fallbacks: dict[Surface, Route] = field(init=False)
    _suggested: dict[tuple[Surface | None, bool], list[tuple[str, Route]]] = field(default_factory=dict)
    _found: dict[tuple[str, Surface | None], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fallbacks = {surface: self._fallback(surface) for _, surface in _KEYED_PREFIXES}

    @classmethod
    def of(cls, routes: Iterable[Route]) -> "RouteMap":
        """The map of these routes and their aliases. Two routes for one method and path are a programmer's mistake.

        A static route for GET answers HEAD as well (RFC 9110 section 9.3.2); the adapter leaves out the body.
        """
        made = cls()
        for route in routes:
            for path in (route.path, *route.aliases):
                made.table.add(route.method, path, route)
                if route.method == "GET" and isinstance(route.handler, Static):
                    made.table.add("HEAD", path, route)
        return made

    def match(self, request: Request, tenant: TenantEntry) -> Match[Route]:
        """The route of a request, or the fallback of its surface. Raises `Refusal` (-3, -4)."""
        routes, argument = self.find(request.path)
        route = routes.get(request.method)
        if route is not None:
            return Match(route, argument)
        surface = keyed_surface(request.path, routes)
        if surface is not None:
            return Match(self.fallbacks[surface], request.path.decode("latin-1"))
        if not routes and request.method not in METHODS:
            raise Refusal(errors.METHOD_NOT_ALLOWED, "a method that no path has", headers=((b"allow", b"GET, POST"),))
        raise self.unknown(request.path, None, tenant)

    def find(self, path: bytes) -> tuple[Routes, str]:
        """The routes of a raw path, and its argument; no routes for an unknown path."""
        return self.table.find(path)

    def unknown(self, path: bytes, surface: Surface | None, tenant: TenantEntry) -> Refusal:
        """The refusal of a method that the path does not have, or of an unknown path with the nearest operation.

        It names only operations of the surface, or without a surface those of the surfaces that take bearer tokens. It
        never names one that is switched off for the tenant.
        """
        routes, _ = self.find(path)
        if routes:
            allow = ", ".join(sorted(routes)).encode()
            return Refusal(errors.METHOD_NOT_ALLOWED, "no such method here", headers=((b"allow", allow),))

        nearest = self._nearest(path, surface, tenant)
        fields = {"path": f"the nearest operation is {nearest}"} if nearest else None
        return Refusal(errors.NOT_FOUND, "no such path", fields=fields, missing="operation")

    def _nearest(self, path: bytes, surface: Surface | None, tenant: TenantEntry) -> str:
        """The allowed operation whose path is most similar to an unknown one; empty if none is similar enough.

        Results are cached by path, for the tenants that have everything switched on.
        """
        text = path.decode("latin-1").lower()
        if len(text) > MAX_SUGGESTION_LENGTH:
            return ""
        if tenant.access:
            return self._search(text, surface, tenant)
        if len(self._found) >= MAX_REMEMBERED:
            self._found.clear()
        if (text, surface) not in self._found:
            self._found[text, surface] = self._search(text, surface, tenant)
        return self._found[text, surface]

    def _search(self, text: str, surface: Surface | None, tenant: TenantEntry) -> str:
        tails = text[: text.rfind("/") + 1]
        for wanted, table in ((text, self.table.exact), (tails, self.table.tails)):
            known = {near: route for near, route in self._operations(surface, table) if _switched_on(route, tenant)}
            if near := get_close_matches(wanted, known, n=1, cutoff=MIN_SIMILARITY):
                return known[near[0]].endpoint
        return ""

    def _operations(self, surface: Surface | None, table: Mapping[str, Routes]) -> list[tuple[str, Route]]:
        """The operations of a surface, or of those that take bearer tokens, each with its path in lower case."""
        key = (surface, table is self.table.tails)
        if key not in self._suggested:
            self._suggested[key] = [
                (near, route)
                for near, routes in table.items()
                for route in routes.values()
                if route.path.lower().partition("{")[0] == near and _suggestible(route, surface)
            ]
        return self._suggested[key]

    def _fallback(self, surface: Surface) -> Route:
        def refuse(context: RequestContext) -> Response:
            raise self.unknown(context.argument.encode("latin-1"), surface, context.tenant)

        codes = (errors.NOT_FOUND, errors.METHOD_NOT_ALLOWED)
        return Route(method="", path="", access=AnyKey(surface), handler=Static(refuse), errors=codes)


def keyed_surface(path: bytes, routes: Routes) -> Surface | None:
    """The surface of API keys to which a known or unknown path belongs; `routes` are those of the path."""
    folded = path.lower()
    for prefix, surface in _KEYED_PREFIXES:
        if folded.startswith(prefix) and folded[len(prefix) : len(prefix) + 1] in (b"", b"/"):
            return surface
    access = next(iter(routes.values())).access if routes else None
    return access.surface if isinstance(access, Keyed) else None


def _suggestible(route: Route, surface: Surface | None) -> bool:
    own = route.access.surface
    return own is not None and (own is surface if surface else own.uses_tokens)


def _switched_on(route: Route, tenant: TenantEntry) -> bool:
    own = route.access.surface
    return own is not None and tenant.allows(own, route.endpoint)
