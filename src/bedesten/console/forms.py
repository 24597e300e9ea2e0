"""Converts the text fields of forms and queries into the typed members of a request."""

from decimal import Decimal
from typing import get_args, get_origin

from bedesten.console.operations import Operation
from bedesten.console.requests import one
from bedesten.core.money import read_amount
from bedesten.errors import bad_field
from bedesten.http.body_fields import Members, fields_of

OWN = frozenset({"csrf", "back", "done"})
"""Fields that the pages themselves use."""


def members_of(operation: Operation, fields: dict[str, list[str]], **more: str) -> Members:
    """The members for an operation's schema. Omits empty fields. Raises `Refusal` (-2)."""
    made: Members = {name.lower(): value for name, value in more.items()}
    known = fields_of(operation.shape)
    for name, values in fields.items():
        if name in OWN or not any(values):
            continue
        field = known.get(name.lower())
        made[name.lower()] = values if field is not None and _holds(field.kind, list) else _typed(name, fields, field)
    return made


def _typed(name: str, fields: dict[str, list[str]], field: object) -> object:
    text = one(fields, name)
    kind = getattr(field, "kind", None)
    if _holds(kind, bool):
        return text == "yes"
    if _holds(kind, Decimal):
        try:
            return read_amount(text.strip())
        except ValueError as error:
            raise bad_field(name, str(error)) from error
    if _holds(kind, int):
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise bad_field(name, "must be a whole number")
        return int(text)
    return text


def _holds(kind: object, wanted: type) -> bool:
    """Whether a field has this type, alone or as one of several."""
    return kind is wanted or get_origin(kind) is wanted or any(_holds(part, wanted) for part in get_args(kind))
