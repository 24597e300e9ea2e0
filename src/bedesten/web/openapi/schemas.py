"""Shapes as JSON Schemas (draft 2020-12, as OpenAPI 3.1 takes them): what msgspec says of them, in the wire's spelling."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from bedesten.web.shapes import spellings

Schema = dict[str, Any]

PREFIX = "#/components/schemas/"
_GENERIC = re.compile(r"(\w+?)_(\w+)_")
_DECIMAL = {"type": "string", "format": "decimal"}
_NUMBER = {"type": "number"}


def schemas(shapes: Sequence[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    """The schema of each shape, and the components that these refer to."""
    made, components = msgspec.json.schema_components(shapes, ref_template=PREFIX + "{name}")
    names = _spelt(shapes)
    return (
        [_wire(schema, names) for schema in made],
        {_named(name): _wire(schema, names) for name, schema in components.items()},
    )


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


def _wire(schema: Any, names: dict[str, str]) -> Any:
    """The schema with fields as they are written, amounts as numbers, and without what only msgspec says."""
    if isinstance(schema, list):
        return [_wire(part, names) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema == _DECIMAL:
        return dict(_NUMBER)
    made: Schema = {}
    for word, value in schema.items():
        if word == "properties":
            made[word] = {names.get(name, name): _wire(part, names) for name, part in value.items()}
        elif word == "required":
            made[word] = [names.get(name, name) for name in value]
        elif word == "$ref":
            made[word] = PREFIX + _named(value.removeprefix(PREFIX))
        elif word == "anyOf":
            made.update(_any_of([_wire(part, names) for part in value]))
        elif word == "title" or (word == "default" and value is None):
            continue
        elif word in ("default", "enum", "const", "examples"):
            made[word] = value
        else:
            made[word] = _wire(value, names)
    return made


def _any_of(parts: list[Schema]) -> Schema:
    """A choice without what another part of it covers: every integer is a number."""
    kept = [part for part in parts if part != {"type": "integer"} or _NUMBER not in parts]
    return kept[0] if len(kept) == 1 else {"anyOf": kept}
