"""What people wrote about operations, taken out of the reference: text for each, and the meanings of fields.

A section of `docs/reference/{surface}.md` is headed by the operation's endpoint. Its tables of fields become meanings, one
for each row, everything else stays text. All of it is Markdown, for the pages of surfaces and for documents for tools.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bedesten.apidocs import markdown
from bedesten.apidocs.markdown import AddressOf
from bedesten.gate.scopes import Surface

_SECTION = re.compile(r"^## (?P<endpoint>[A-Z]+ /\S*)\n(?P<text>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_FIELDS = re.compile(r"^\| (?P<head>field|member) \| meaning \|\n\|[-|]+\|\n(?P<rows>(?:\|.*\n?)+)\n?", re.MULTILINE)
_ROW = re.compile(r"^\| `(?P<path>[A-Za-z.\[\]]+)` \| (?P<meaning>.+) \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class OperationDocs:
    """Of one operation: text, and meanings by path, of the fields that it takes and of the members that it answers."""

    text: str
    taken: Mapping[str, str]
    given: Mapping[str, str]


def told(surface: Surface, address_of: AddressOf, hidden: frozenset[str]) -> dict[str, OperationDocs]:
    """What is told of the surface's operations, by endpoint."""
    name = f"reference/{surface.value}"
    found: dict[str, OperationDocs] = {}
    for match in _SECTION.finditer(markdown.with_site_links(name, markdown.read(name, hidden) or "", address_of)):
        meanings: dict[str, dict[str, str]] = {"field": {}, "member": {}}
        for fields in _FIELDS.finditer(match["text"]):
            rows = _ROW.finditer(fields["rows"])
            meanings[fields["head"]] |= {row["path"].replace("[]", ""): row["meaning"] for row in rows}
        found[match["endpoint"]] = OperationDocs(
            _FIELDS.sub("", match["text"]).strip(), meanings["field"], meanings["member"]
        )
    return found
