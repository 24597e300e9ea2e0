"""OpenAPI documents for tests: validates values against schemas, and finds the operation of a request."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from bedesten.apidocs.openapi_routes import document
from bedesten.gate.scopes import Surface
from bedesten.http.schemas import encode
from tests.support.wire import Answer

JSON, PROBLEM = "application/json", "application/problem+json"


@dataclass(frozen=True)
class Described:
    """One operation of a document."""

    document: "Document"
    method: str
    path: str
    operation: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Its operationId."""
        return str(self.operation["operationId"])

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The description of its JSON body, or None if it takes no body."""
        taken = self.operation.get("requestBody")
        return taken["content"][JSON] if taken else None

    def response(self, status: int) -> Mapping[str, Any]:
        """The description of answers with this status."""
        return self.document.resolved(self.operation["responses"][str(status)])

    def faults(self, answer: Answer) -> list[str]:
        """The differences between an answer and the document."""
        if str(answer.status) not in self.operation["responses"]:
            return [f"{self.id}: no word of {answer.status}"]
        said = self.response(answer.status)
        kind = answer.header("content-type") or ""
        if kind not in said["content"]:
            return [f"{self.id} {answer.status}: no word of {kind}"]
        found = self.document.faults(said["content"][kind]["schema"], answer.json)
        for name, header in said["headers"].items():
            value = answer.header(name.lower())
            if value is None:
                found += [f"{name} is missing"] if self.document.resolved(header).get("required") else []
            elif self.document.resolved(header)["schema"]["type"] == "integer":
                found += [] if value.isdecimal() else [f"{name}: {value}"]
        return [f"{self.id} {answer.status}: {fault}" for fault in found]


class Document:
    """An OpenAPI document."""

    def __init__(self, text: bytes) -> None:
        self.value = json.loads(text, parse_float=Decimal)

    @cached_property
    def operations(self) -> dict[tuple[str, str], Described]:
        """Every operation by method and path."""
        return {
            (method.upper(), path): Described(self, method.upper(), path, operation)
            for path, methods in self.value["paths"].items()
            for method, operation in methods.items()
        }

    def resolved(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        """The part itself, or the target of its `$ref`."""
        found = part
        for step in part["$ref"].removeprefix("#/").split("/") if "$ref" in part else ():
            found = (self.value if found is part else found)[step]
        return found

    def faults(self, schema: Mapping[str, Any], value: object) -> list[str]:
        """The violations of the schema by the value."""
        whole = {**schema, "components": self.value["components"]}
        validator = Draft202012Validator(whole, format_checker=FormatChecker())
        return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(value)]


def documents() -> Iterator[tuple[Surface, Document]]:
    """The documents of the four surfaces."""
    for surface in Surface:
        yield surface, Document(encode(document(surface, "https://api.shop.example")))


DOCUMENTS = dict(documents())
