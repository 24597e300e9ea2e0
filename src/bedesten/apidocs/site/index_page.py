"""The index: every operation with its fields, every error number, every chapter of the guides, on one page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bedesten.apidocs.markdown import Article, Heading, anchor_of
from bedesten.apidocs.site.schema import Schemas
from bedesten.apidocs.site.surface_page import request_schema, response_schema
from bedesten.apidocs.templating import HOME, render
from bedesten.errors import CATALOGUE
from bedesten.gate.scopes import Surface
from bedesten.http.route import Route


@dataclass(frozen=True, slots=True)
class SurfaceContent:
    """One surface of a tenant: its routes, and the OpenAPI document that describes them."""

    surface: Surface
    routes: Sequence[Route]
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Entry:
    address: str
    title: str
    endpoints: tuple[str, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Part:
    title: str
    entries: list[_Entry]

    @property
    def anchor(self) -> str:
        return anchor_of(self.title)


def article(surfaces: Iterable[SurfaceContent], guides: Iterable[tuple[str, Article]]) -> Article:
    """The page. `guides` are addresses and articles, in reading order."""
    parts = [_Part(f"{one.surface.value.title()} operations", _operations(one)) for one in surfaces]
    parts.append(_Part("Error numbers", _errors()))
    parts += [_Part(guide.title, _guide(address, guide)) for address, guide in guides]
    chapters = tuple(Heading(2, part.title, part.anchor) for part in parts)
    return Article("Index", render("index.html", parts=parts), chapters)


def _operations(content: SurfaceContent) -> list[_Entry]:
    schemas = Schemas(content.document["components"]["schemas"])
    entries = []
    for route in content.routes:
        request = request_schema(content.document, route)
        names = (schemas.names(request) if request else frozenset()) | schemas.names(
            response_schema(content.document, route)
        )
        address = f"{HOME}/surfaces/{content.surface.value}#{anchor_of(route.endpoint)}"
        endpoints = (route.endpoint, *(f"{route.method} {alias}" for alias in route.aliases))
        entries.append(_Entry(address, route.summary, endpoints, ", ".join(sorted(names, key=str.lower))))
    return entries


def _errors() -> list[_Entry]:
    return [
        _Entry(f"{HOME}/errors/{number}", f"{number} {error.name}", text=error.text)
        for number, error in CATALOGUE.items()
    ]


def _guide(address: str, guide: Article) -> list[_Entry]:
    chapters = (_Entry(f"{address}#{chapter.anchor}", chapter.text) for chapter in guide.chapters)
    return [_Entry(address, guide.title), *chapters]
