"""Shapes as JSON Schemas (draft 2020-12, as OpenAPI 3.1 takes them): what msgspec says of them, in the wire's spelling."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from bedesten.http.schemas import RequestModel, schemas_in, spellings

Schema = dict[str, Any]

PREFIX = "#/components/schemas/"
_GENERIC = re.compile(r"(\w+?)_(\w+)_")
_DECIMAL = {"type": "string", "format": "decimal"}
_NUMBER = {"type": "number"}


def schemas(shapes: Sequence[Any], strict: Sequence[Any] = ()) -> tuple[list[Schema], dict[str, Schema]]:
    """The schema of each shape, and the components that these refer to.

    What is sent takes `null` wherever a member may be left out. `strict` are bodies of operations that refuse members
    which they do not know.
    """
    made, found = msgspec.json.schema_components(shapes, ref_template=PREFIX + "{name}")
    wire = _Wire(_spelt(shapes))
    sent = {shape.__name__ for one in shapes for shape in schemas_in(one) if issubclass(shape, RequestModel)}
    closed = {shape.__name__ for one in strict for shape in schemas_in(one)}
    for name, schema in found.items():
        del schema["title"]
        component = wire.components[_named(name)] = wire.of(schema)
        if name in sent:
            _take_null(component)
        if name in closed:
            component["additionalProperties"] = False
    return [wire.of(schema) for schema in made], wire.components


def _take_null(component: Schema) -> None:
    """`null` is as if the member were left out, wherever it may be left out."""
    properties = component.get("properties", {})
    for name in properties.keys() - set(component.get("required", ())):
        properties[name] = nullable(properties[name])


def nullable(schema: Schema) -> Schema:
    """The same or null; what takes anything takes that already."""
    told = {word: schema[word] for word in ("description",) if word in schema}
    plain = {word: value for word, value in schema.items() if word not in told}
    if not plain or {"type": "null"} in plain.get("anyOf", ()):
        return schema
    choices = plain["anyOf"] if set(plain) == {"anyOf"} else [plain]
    return {"anyOf": [*choices, {"type": "null"}], **told}


def _spelt(shapes: Iterable[Any]) -> dict[str, str]:
    """Every field of the shapes and of those in them: as msgspec names it, and as the wire does."""
    names: dict[str, str] = {}
    for shape in shapes:
        for name, spelling in spellings(shape).items():
            assert names.setdefault(name, spelling) == spelling, f"{name} is spelt in two ways"
    return names


def _named(name: str) -> str:
    """A component's name: that of `Page[ProductView]` is `ProductViewPage`."""
    generic = _GENERIC.fullmatch(name)
    return generic[2] + generic[1] if generic else name


class _Wire:
    """Turns msgspec's schemas into ours: fields as they are written (`names`), amounts as numbers, a component for
    whatever has a title."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names
        self.components: dict[str, Schema] = {}

    def of(self, schema: Schema) -> Schema:
        if schema.items() >= _DECIMAL.items():
            return _NUMBER | {word: value for word, value in schema.items() if word not in _DECIMAL}
        made: Schema = {}
        for word, value in schema.items():
            match word:
                case "properties":
                    made[word] = {self.names.get(name, name): self.of(part) for name, part in value.items()}
                case "required":
                    made |= {word: [self.names.get(name, name) for name in value]} if value else {}
                case "$ref":
                    made[word] = PREFIX + _named(value.removeprefix(PREFIX))
                case "anyOf":
                    made.update(_any_of([self.of(part) for part in value]))
                case "items":
                    made[word] = self.of(value)
                case "default":
                    pass  # told in words: generators of TypeScript take a member with a default for one that must be sent
                case "enum" if all(isinstance(one, str) for one in value):
                    made |= {"type": "string", word: value}
                case _:
                    made[word] = value
        title = made.pop("title", None)
        if title is None:
            return made
        self.components[title] = made
        return {"$ref": PREFIX + title}


def _any_of(parts: list[Schema]) -> Schema:
    """A choice without what another part of it covers: every integer is a number."""
    kept = [part for part in parts if part != {"type": "integer"} or _NUMBER not in parts]
    return kept[0] if len(kept) == 1 else {"anyOf": kept}
