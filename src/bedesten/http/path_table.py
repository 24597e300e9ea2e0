"""Finds routes by path, without regard to case. Nothing is decoded, nothing is normalised."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

RouteT = TypeVar("RouteT")


@dataclass(slots=True)
class PathTable(Generic[RouteT]):
    """Routes by path, then by method: `exact` paths, paths that end in one segment as an argument (`tails`, by what
    precedes it) and paths that end in any rest (`prefixes`)."""

    exact: dict[str, dict[str, RouteT]] = field(default_factory=dict)
    tails: dict[str, dict[str, RouteT]] = field(default_factory=dict)
    prefixes: dict[str, dict[str, RouteT]] = field(default_factory=dict)

    def add(self, method: str, path: str, route: RouteT) -> None:
        """Adds a route. `path` may end in `{name}` for one segment or in `{name*}` for any rest.

        Two routes for one method and path are a programmer's mistake.
        """
        head, _, argument = path.lower().partition("{")
        table = (
            self.exact if not argument else self.prefixes if argument == argument.rstrip("*}") + "*}" else self.tails
        )
        routes = table.setdefault(head, {})
        assert method not in routes, f"{method} {path} twice"
        routes[method] = route

    def find(self, path: bytes) -> tuple[Mapping[str, RouteT], str]:
        """The routes of a raw path by method, and its argument; no routes for an unknown path."""
        try:
            text = path.decode("ascii")
        except UnicodeDecodeError:
            return {}, ""
        folded = text.lower()
        exact = self.exact.get(folded)
        if exact is not None:
            return exact, ""
        cut = folded.rfind("/") + 1
        tail = self.tails.get(folded[:cut])
        if tail is not None and cut < len(text):
            return tail, text[cut:]
        return next(self._prefixed(text, folded), ({}, ""))

    def _prefixed(self, text: str, folded: str) -> Iterator[tuple[Mapping[str, RouteT], str]]:
        for prefix, routes in self.prefixes.items():
            if folded.startswith(prefix):
                yield routes, text[len(prefix) :]
