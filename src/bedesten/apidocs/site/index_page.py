"""The index: every operation with its fields, every number, every chapter of every guide, on one page.

It is whole without scripts; with them it has a field that leaves only what is looked for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bedesten.apidocs.markdown import Article, Heading, anchor_of
from bedesten.apidocs.site.layout import HOME
from bedesten.apidocs.site.markup import Child, Markup, code, el, join, link
from bedesten.apidocs.site.schema import Schemas
from bedesten.apidocs.site.surface_page import answered, taken
from bedesten.errors import CATALOGUE
from bedesten.gate.scopes import Surface
from bedesten.http.route import Route


@dataclass(frozen=True, slots=True)
class Shown:
    """One surface as a tenant has it: the routes, and the document that describes them."""

    surface: Surface
    routes: Sequence[Route]
    document: Mapping[str, Any]


def article(surfaces: Iterable[Shown], guides: Iterable[tuple[str, Article]]) -> Article:
    """The page. `guides` are addresses and what they show, in reading order."""
    parts = [(f"{one.surface.value.title()} operations", _operations(one)) for one in surfaces]
    parts.append(("Error numbers", [_error(number) for number in CATALOGUE]))
    parts += [(shown.title, _guide(address, shown)) for address, shown in guides]
    chapters = tuple(Heading(2, title, anchor_of(title)) for title, _ in parts)
    body = join(
        [
            el("h1", "Index"),
            el("p", "Every operation with its fields, every error number, every chapter of the guides.", class_="lead"),
            _filter(),
            [
                el("section", el("h2", title, id=anchor_of(title)), el("ul", entries, class_="entries"))
                for title, entries in parts
            ],
        ]
    )
    return Article("Index", el("div", body, class_="index"), chapters)


def _filter() -> Markup:
    return el(
        "div",
        el("label", "Find in this index", for_="filter"),
        el("input", id="filter", type="search", autocomplete="off", spellcheck="false"),
        el("p", aria_live="polite", class_="soft"),
        class_="filter",
        hidden=True,
    )


def _operations(shown: Shown) -> list[Markup]:
    schemas = Schemas(shown.document["components"]["schemas"])
    found = []
    for route in shown.routes:
        sent = taken(shown.document, route)
        names = (schemas.names(sent) if sent else frozenset()) | schemas.names(answered(shown.document, route))
        address = f"{HOME}/surfaces/{shown.surface.value}#{anchor_of(route.endpoint)}"
        others = [[" ", code(f"{route.method} {one}")] for one in route.aliases]
        told = el("p", ", ".join(sorted(names, key=str.lower)), class_="soft") if names else None
        found.append(_entry(address, route.summary, " ", code(route.endpoint), others, told))
    return found


def _error(number: int) -> Markup:
    row = CATALOGUE[number]
    return _entry(f"{HOME}/errors/{number}", f"{number} {row.name}", el("p", row.text, class_="soft"))


def _guide(address: str, shown: Article) -> list[Markup]:
    return [
        _entry(address, shown.title),
        *(_entry(f"{address}#{chapter.anchor}", chapter.text) for chapter in shown.chapters),
    ]


def _entry(address: str, title: str, *more: Child) -> Markup:
    return el("li", link(address, title), *more)
