"""Wire schemas as JSON Schemas (draft 2020-12, as in OpenAPI 3.1), made by msgspec and changed to wire spelling."""

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


def schemas(types: Sequence[Any], strict: Sequence[Any] = ()) -> tuple[list[Schema], dict[str, Schema]]:
    """The schema of each type, and the components that they reference.

    In requests, optional members may be `null`. `strict` are the bodies of operations that refuse unknown members.
    """
    made, found = msgspec.json.schema_components(types, ref_template=PREFIX + "{name}")
    wire = _Wire(_spellings(types))
    requests = {kind.__name__ for one in types for kind in schemas_in(one) if issubclass(kind, RequestModel)}
    closed = {kind.__name__ for one in strict for kind in schemas_in(one)}
    for name, schema in found.items():
        del schema["title"]
        component = wire.components[_component_name(name)] = wire.of(schema)
        if name in requests:
            _allow_null(component)
        if name in closed:
            component["additionalProperties"] = False
    return [wire.of(schema) for schema in made], wire.components


def _allow_null(component: Schema) -> None:
    """Allows `null` for every optional member."""
    properties = component.get("properties", {})
    for name in properties.keys() - set(component.get("required", ())):
        properties[name] = nullable(properties[name])


def nullable(schema: Schema) -> Schema:
    """The same schema, or null. A schema that allows everything stays as it is."""
    description = {word: schema[word] for word in ("description",) if word in schema}
    plain = {word: value for word, value in schema.items() if word not in description}
    if not plain or {"type": "null"} in plain.get("anyOf", ()):
        return schema
    choices = plain["anyOf"] if set(plain) == {"anyOf"} else [plain]
    return {"anyOf": [*choices, {"type": "null"}], **description}


def _spellings(types: Iterable[Any]) -> dict[str, str]:
    """The wire spelling of every field of the types and of those in them, by msgspec's name."""
    names: dict[str, str] = {}
    for kind in types:
        for name, spelling in spellings(kind).items():
            assert names.setdefault(name, spelling) == spelling, f"{name} has two spellings"
    return names


def _component_name(name: str) -> str:
    """A component's name: that of `Page[ProductView]` is `ProductViewPage`."""
    generic = _GENERIC.fullmatch(name)
    return generic[2] + generic[1] if generic else name


class _Wire:
    """Converts msgspec's schemas: fields in wire spelling (`names`), amounts as numbers, a component for each title."""

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
                    made[word] = PREFIX + _component_name(value.removeprefix(PREFIX))
                case "anyOf":
                    made.update(_any_of([self.of(part) for part in value]))
                case "items":
                    made[word] = self.of(value)
                case "default":
                    pass  # in the description instead: TypeScript generators make a member with a default mandatory
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
    """A choice without redundant parts: every integer is a number."""
    kept = [part for part in parts if part != {"type": "integer"} or _NUMBER not in parts]
    return kept[0] if len(kept) == 1 else {"anyOf": kept}
