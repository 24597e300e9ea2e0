"""Texts about operations, taken from the reference pages in `docs/reference`.

The heading of a section in `docs/reference/{surface}.md` is the operation's endpoint. Each row of its tables of fields is
a description; the rest of the section is text. All of it is Markdown.
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
    """The documentation of one operation: its text, and descriptions of its fields by path."""

    text: str
    request_fields: Mapping[str, str]
    response_fields: Mapping[str, str]


def operation_docs(surface: Surface, address_of: AddressOf, hidden: frozenset[str]) -> dict[str, OperationDocs]:
    """The documentation of the surface's operations, by endpoint."""
    name = f"reference/{surface.value}"
    found: dict[str, OperationDocs] = {}
    for match in _SECTION.finditer(markdown.with_site_links(name, markdown.read(name, hidden) or "", address_of)):
        fields: dict[str, dict[str, str]] = {"field": {}, "member": {}}
        for table in _FIELDS.finditer(match["text"]):
            rows = _ROW.finditer(table["rows"])
            fields[table["head"]] |= {row["path"].replace("[]", ""): row["meaning"] for row in rows}
        text = _FIELDS.sub("", match["text"]).strip()
        found[match["endpoint"]] = OperationDocs(text, fields["field"], fields["member"])
    return found
