"""Copies field descriptions from the reference pages into the schemas.

Operations share components, so the first description of a field is used wherever its component occurs.
"""

from collections.abc import Mapping

from bedesten.apidocs.openapi.schemas import PREFIX, Schema


def describe(components: Mapping[str, Schema], schema: Schema, meanings: Mapping[str, str]) -> None:
    """Sets the descriptions of an object's members by path (`basketData.quantity`). An existing description stays."""
    for path, meaning in meanings.items():
        inner = schema
        for name in path.split("."):
            inner = _object(components, inner)["properties"][name]
        inner.setdefault("description", meaning)


def _object(components: Mapping[str, Schema], schema: Schema) -> Schema:
    """The object of a schema: behind references, in a list, or beside null."""
    while "properties" not in schema:
        if "$ref" in schema:
            schema = components[schema["$ref"].removeprefix(PREFIX)]
        elif "items" in schema:
            schema = schema["items"]
        else:
            schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
    return schema
