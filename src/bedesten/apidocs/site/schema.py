"""JSON Schemas as lists of fields for readers, and as example values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bedesten.apidocs import markdown

Schema = Mapping[str, Any]
Descriptions = Mapping[str, str]
"""Descriptions of fields in Markdown, by path (`basketData.quantity`). They replace the schema's own."""

_PREFIX = "#/components/schemas/"
_MAX_DEPTH = 6
_TIME_FORMATS = ("date-time", "utc-time")
_EXAMPLES: Mapping[str, object] = {"string": "…", "integer": 1, "number": 1, "boolean": True, "null": None}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object. `inner` are its own fields; `expanded` says whether a page shows them at first."""

    name: str
    kind: str
    required: bool
    text: Markup
    limits: str
    inner: tuple["Field", ...]
    expanded: bool


class Schemas:
    """The schemas of one document."""

    def __init__(self, components: Mapping[str, Schema]) -> None:
        self._components = components

    def resolved(self, schema: Schema) -> tuple[Schema, bool]:
        """The schema without references, and whether it allows null."""
        if "$ref" in schema:
            return self.resolved(self._components[schema["$ref"].removeprefix(_PREFIX)])
        choices = schema.get("anyOf", ())
        others = [one for one in choices if one.get("type") != "null"]
        if choices and len(others) == 1:
            found, _ = self.resolved(others[0])
            return {**found, **{name: value for name, value in schema.items() if name != "anyOf"}}, True
        return schema, False

    def fields(self, schema: Schema, texts: Descriptions, *, in_request: bool, depth: int = 0) -> tuple[Field, ...]:
        """The fields of an object, or of the objects in a list. Only fields of a request are marked as required."""
        found, _ = self.resolved(schema)
        if found.get("type") == "array":
            return self.fields(found.get("items", {}), texts, in_request=in_request, depth=depth)
        if depth > _MAX_DEPTH:
            return ()
        required = set(found.get("required", ())) if in_request else set()
        return tuple(
            self._field(name, one, texts, in_request, name in required, depth)
            for name, one in found.get("properties", {}).items()
        )

    def names(self, schema: Schema, depth: int = 0) -> frozenset[str]:
        """The names of all members at every depth."""
        found, _ = self.resolved(schema)
        if depth > _MAX_DEPTH:
            return frozenset()
        if found.get("type") == "array":
            return self.names(found.get("items", {}), depth + 1)
        properties = found.get("properties", {})
        return frozenset(properties).union(*(self.names(one, depth + 1) for one in properties.values()))

    def example(self, schema: Schema, depth: int = 0) -> object:
        """A value that fits the schema."""
        for word in ("const", "example"):
            if word in schema and schema[word] not in (None, []):
                return schema[word]
        found, _ = self.resolved(schema)
        if found.get("examples"):
            return found["examples"][0]
        if found.get("enum"):
            return found["enum"][0]
        kind = found.get("type")
        if kind == "array":
            return [self.example(found.get("items", {}), depth + 1)] if depth < _MAX_DEPTH else []
        if kind == "object" or "properties" in found:
            return {name: self.example(one, depth + 1) for name, one in found.get("properties", {}).items()}
        return found.get("minimum", _EXAMPLES.get(str(kind)))

    def _field(
        self, name: str, schema: Schema, texts: Descriptions, in_request: bool, required: bool, depth: int
    ) -> Field:
        found, nullable = self.resolved(schema)
        below = {path.removeprefix(f"{name}."): one for path, one in texts.items() if path.startswith(f"{name}.")}
        text = texts.get(name) or schema.get("description", "")
        return Field(
            name=name,
            kind=self._kind(found, nullable and not in_request),
            required=required,
            text=markdown.line("", text, lambda _: None),
            limits=_limits(found, text),
            inner=self.fields(schema, below, in_request=in_request, depth=depth + 1),
            expanded=depth == 0,
        )

    def _kind(self, schema: Schema, nullable: bool) -> str:
        kind = schema.get("type", "any JSON")
        if kind == "array":
            items, _ = self.resolved(schema.get("items", {}))
            kind = f"list of {_plural(str(items.get('type', 'any JSON')))}"
        elif schema.get("format") in _TIME_FORMATS:
            kind = "time"
        elif kind == "number":
            kind = "amount"
        return f"{kind} or null" if nullable else str(kind)


def _plural(kind: str) -> str:
    return {"any JSON": kind}.get(kind, kind + "s")


def _limits(schema: Schema, text: str) -> str:
    """The limits of a value in words, without those that the field's text names."""
    parts: list[tuple[list[Any], str]] = []
    if enum := schema.get("enum"):
        parts.append((enum, "one of " + ", ".join(map(str, enum))))
    parts += _range(schema, "minimum", "maximum", "")
    if schema.get("format") not in _TIME_FORMATS:
        parts += _range(schema, "minLength", "maxLength", " characters")
    parts += _range(schema, "minItems", "maxItems", " items")
    return "; ".join(words for values, words in parts if any(_number(value) not in text for value in values))


def _range(schema: Schema, lowest: str, highest: str, unit: str) -> list[tuple[list[Any], str]]:
    low, high = schema.get(lowest), schema.get(highest)
    if high is None:
        return [([low], f"at least {_number(low)}{unit}")] if low else []
    if low is None:
        return [([high], f"up to {_number(high)}{unit}")]
    words = _number(low) if low == high else f"{_number(low)} to {_number(high)}"
    return [([low, high], words + unit)]


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
