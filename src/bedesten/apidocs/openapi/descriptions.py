"""What people wrote of the members of bodies and answers, put where each member is described.

A component is described once, however many operations have it: what is told of it first holds wherever it is.
"""

from collections.abc import Mapping

from bedesten.apidocs.openapi.schemas import PREFIX, Schema


def describe(components: Mapping[str, Schema], schema: Schema, meanings: Mapping[str, str]) -> None:
    """Gives the members of an object their descriptions, by path: `basketData.quantity`. What is told already stays."""
    for path, meaning in meanings.items():
        inner = schema
        for name in path.split("."):
            inner = _object(components, inner)["properties"][name]
        inner.setdefault("description", meaning)


def _object(components: Mapping[str, Schema], schema: Schema) -> Schema:
    """The object that a schema stands for: behind references, in a list, or beside null."""
    while "properties" not in schema:
        if "$ref" in schema:
            schema = components[schema["$ref"].removeprefix(PREFIX)]
        elif "items" in schema:
            schema = schema["items"]
        else:
            schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
    return schema
