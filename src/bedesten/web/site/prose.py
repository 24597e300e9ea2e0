"""What people wrote about operations, taken out of the reference: text for each, and the meanings of fields.

A section of `docs/reference/{surface}.md` is headed by the operation's endpoint. Its tables of fields become meanings,
everything else stays text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bedesten.gate.scopes import Surface
from bedesten.web import page
from bedesten.web.page import AddressOf
from bedesten.web.site.markup import Markup

_SECTION = re.compile(r"^## (?P<endpoint>[A-Z]+ /\S*)\n(?P<text>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_FIELDS = re.compile(r"^\| (?P<head>field|member) \| meaning \|\n\|[-|]+\|\n(?P<rows>(?:\|.*\n?)+)\n?", re.MULTILINE)
_NAME = re.compile(r"`(?P<path>[A-Za-z]+(?:\[\])?(?:\.[A-Za-z]+(?:\[\])?)*)`")


@dataclass(frozen=True, slots=True)
class Told:
    """Of one operation: text, and meanings by path, of the fields that it takes and of the members that it answers."""

    text: Markup
    taken: Mapping[str, Markup]
    given: Mapping[str, Markup]


def told(surface: Surface, address_of: AddressOf, hidden: frozenset[str]) -> dict[str, Told]:
    """What is told of the surface's operations, by endpoint."""
    name = f"reference/{surface.value}"
    found: dict[str, Told] = {}
    for match in _SECTION.finditer(page.read(name, hidden) or ""):
        meanings: dict[str, dict[str, Markup]] = {"field": {}, "member": {}}
        for table in _FIELDS.finditer(match["text"]):
            for row in table["rows"].strip().splitlines():
                names, meaning = (cell.strip() for cell in row.strip().strip("|").split("|", 1))
                for path in _meant(names, meaning):
                    meanings[table["head"]][path] = page.line(name, meaning, address_of)
        text = _FIELDS.sub("", match["text"])
        found[match["endpoint"]] = Told(page.fragment(name, text, address_of), meanings["field"], meanings["member"])
    return found


def _meant(names: str, meaning: str) -> list[str]:
    """Whose meaning it is, where a row names several fields: of those that it mentions, else of the first."""
    paths = [match["path"].replace("[]", "") for match in _NAME.finditer(names)]
    mentioned = [path for path in paths if f"`{path}`" in meaning]
    return mentioned if mentioned and len(paths) > 1 else paths[:1]
