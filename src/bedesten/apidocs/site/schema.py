"""JSON Schemas as lists of fields that people read, and as samples."""

from collections.abc import Mapping
from typing import Any

from bedesten.apidocs import markdown
from bedesten.apidocs.site.markup import Markup, code, el

Schema = Mapping[str, Any]
Meanings = Mapping[str, str]
"""What is said of fields in this place, in Markdown, by their path: `basketData.quantity`. Else their description holds."""

_PREFIX = "#/components/schemas/"
_DEEPEST = 6
_TIMES = ("date-time", "utc-time")
_SAMPLES: Mapping[str, object] = {"string": "…", "integer": 1, "number": 1, "boolean": True, "null": None}


class Schemas:
    """The schemas of one document."""

    def __init__(self, components: Mapping[str, Schema]) -> None:
        self._components = components

    def resolved(self, schema: Schema) -> tuple[Schema, bool]:
        """The schema without references, and whether null will do as well."""
        if "$ref" in schema:
            return self.resolved(self._components[schema["$ref"].removeprefix(_PREFIX)])
        choices = schema.get("anyOf", ())
        others = [one for one in choices if one.get("type") != "null"]
        if choices and len(others) == 1:
            found, _ = self.resolved(others[0])
            return {**found, **{name: value for name, value in schema.items() if name != "anyOf"}}, True
        return schema, False

    def fields(self, schema: Schema, meanings: Meanings, *, sent: bool, depth: int = 0) -> Markup | None:
        """The fields of an object, or of the objects in a list; None if it has none. `sent`: required fields are marked."""
        found, _ = self.resolved(schema)
        if found.get("type") == "array":
            return self.fields(found.get("items", {}), meanings, sent=sent, depth=depth)
        properties = found.get("properties")
        if not properties or depth > _DEEPEST:
            return None
        required = set(found.get("required", ())) if sent else set()
        rows = [self._field(name, one, meanings, sent, name in required, depth) for name, one in properties.items()]
        return el("ul", rows, class_="fields")

    def names(self, schema: Schema, depth: int = 0) -> frozenset[str]:
        """The names of all members, however deep they are."""
        found, _ = self.resolved(schema)
        if depth > _DEEPEST:
            return frozenset()
        if found.get("type") == "array":
            return self.names(found.get("items", {}), depth + 1)
        properties = found.get("properties", {})
        return frozenset(properties).union(*(self.names(one, depth + 1) for one in properties.values()))

    def sample(self, schema: Schema, depth: int = 0) -> object:
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
            return [self.sample(found.get("items", {}), depth + 1)] if depth < _DEEPEST else []
        if kind == "object" or "properties" in found:
            return {name: self.sample(one, depth + 1) for name, one in found.get("properties", {}).items()}
        return found.get("minimum", _SAMPLES.get(str(kind)))

    def _field(self, name: str, schema: Schema, meanings: Meanings, sent: bool, must: bool, depth: int) -> Markup:
        found, nullable = self.resolved(schema)
        below = {path.removeprefix(f"{name}."): one for path, one in meanings.items() if path.startswith(f"{name}.")}
        inner = self.fields(schema, below, sent=sent, depth=depth + 1)
        told = meanings.get(name) or schema.get("description", "")
        head = el(
            "div",
            code(name),
            el("span", self._kind(found, nullable and not sent), class_="kind"),
            el("span", "required", class_="must") if must else None,
            class_="head",
        )
        nested = el("details", el("summary", f"Fields of {name}"), inner, open=depth == 0) if inner else None
        limits = _limits(found, told)
        return el("li", head, el("p", _line(told)), el("p", limits, class_="soft") if limits else None, nested)

    def _kind(self, schema: Schema, nullable: bool) -> str:
        kind = schema.get("type", "any JSON")
        if kind == "array":
            items, _ = self.resolved(schema.get("items", {}))
            kind = f"list of {_plural(str(items.get('type', 'any JSON')))}"
        elif schema.get("format") in _TIMES:
            kind = "time"
        elif kind == "number":
            kind = "amount"
        return f"{kind} or null" if nullable else str(kind)


def _plural(kind: str) -> str:
    return {"any JSON": kind}.get(kind, kind + "s")


def _line(text: str) -> Markup:
    return markdown.line("", text, lambda _: None)


def _limits(schema: Schema, told: str) -> str:
    """What a value may be, in words, as far as the text says no word of it."""
    parts: list[tuple[list[Any], str]] = []
    if enum := schema.get("enum"):
        parts.append((enum, "one of " + ", ".join(map(str, enum))))
    parts += _range(schema, "minimum", "maximum", "")
    if schema.get("format") not in _TIMES:
        parts += _range(schema, "minLength", "maxLength", " characters")
    parts += _range(schema, "minItems", "maxItems", " items")
    return "; ".join(words for values, words in parts if any(_written(value) not in told for value in values))


def _range(schema: Schema, lowest: str, highest: str, what: str) -> list[tuple[list[Any], str]]:
    low, high = schema.get(lowest), schema.get(highest)
    if high is None:
        return [([low], f"at least {_written(low)}{what}")] if low else []
    if low is None:
        return [([high], f"up to {_written(high)}{what}")]
    words = _written(low) if low == high else f"{_written(low)} to {_written(high)}"
    return [([low, high], words + what)]


def _written(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
