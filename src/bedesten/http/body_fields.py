"""Compares the members of a body with its schema: missing, invalid and unknown ones.

One rule for every surface: an optional member may be `null`, which means the same as leaving it out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

import msgspec

from bedesten.http.validation_messages import validation_message

Members = dict[str, object]
MAX_FIELD_ERRORS = 100
"""Invalid fields that one refusal names; a body may contain thousands."""
IS_REQUIRED = "is required"
_UNKNOWN = "unknown for this operation"
_PLAIN_NAME = re.compile(r"[A-Za-z_$@][\w$@.-]{0,63}", re.ASCII)
_UNNAMED = "a member with an unprintable name"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a schema: its spelling on the wire, its type, and the schema of the objects in it, if any."""

    spelling: str
    required: bool
    kind: Any
    inner: Any


def camel(name: str) -> str:
    """The spelling of a field on the wire: `order_reference` becomes `orderReference`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


@cache
def fields_of(shape: Any) -> Mapping[str, Field]:
    """The fields of a schema by the folded name of the member."""
    return {
        field.encode_name: Field(camel(field.name), field.required, field.type, _inner(field.type))
        for field in msgspec.structs.fields(shape)
    }


def known_fields(members: Members, shape: Any) -> tuple[Members, bool]:
    """The members that the schema defines, without optional `null`s, and whether it defines all of them."""
    fields = fields_of(shape)
    made: Members = {}
    known = True
    for name, value in members.items():
        field = fields.get(name)
        if field is None:
            known = False
        elif value is not None or field.required:
            if field.inner is not None:
                value, all_known = _settled_value(value, field.inner)
                known = known and all_known
            made[name] = value
    return made, known


def _settled_value(value: object, shape: Any) -> tuple[object, bool]:
    if isinstance(value, dict):
        return known_fields(value, shape)
    if isinstance(value, list):
        parts = [_settled_value(part, shape) for part in value]
        return [part for part, _ in parts], all(known for _, known in parts)
    return value, True


class FieldErrors:
    """Collects the invalid fields of a body, by their path as spelt on the wire, in the schema's order.

    `named` goes to the caller. `unknown` holds the names in it that the caller invented; they must not be logged.
    `texts` are the problems of invalid texts by folded path, `written` the names as the caller wrote them by folded
    name.
    """

    def __init__(self, *, strict: bool, written: Mapping[str, str], texts: Mapping[str, str]) -> None:
        self.named: dict[str, str] = {}
        self.unknown: set[str] = set()
        self._texts = texts
        self._strict = strict
        self._written = written

    def look(self, value: object, kind: Any, at: str = "") -> None:
        """Checks a value and the values inside it against a type. Stops at `MAX_FIELD_ERRORS`."""
        if len(self.named) >= MAX_FIELD_ERRORS:
            return
        kind = without_none(kind)
        if isinstance(value, dict) and _is_schema(kind):
            self._object(value, kind, at)
        elif problem := self._texts.get(at.lower()) or value_error(value, kind):
            self.named[at] = problem
        elif isinstance(value, list) and get_origin(_bare(kind)) is list:
            for place, part in enumerate(value):
                self.look(part, get_args(_bare(kind))[0], f"{at}[{place}]")

    def _object(self, members: Members, shape: Any, at: str) -> None:
        fields, below = fields_of(shape), f"{at}." if at else ""
        for name, field in fields.items():
            value = members.get(name)
            if name not in members:
                if field.required:
                    self.named[below + field.spelling] = IS_REQUIRED
            elif value is not None or field.required:
                self.look(value, field.kind, below + field.spelling)
        if self._strict:
            spellings = {field.spelling.lower(): field.spelling for field in fields.values()}
            for name in members.keys() - fields.keys():
                self._unknown_member(name, spellings, below)

    def _unknown_member(self, name: str, spellings: Mapping[str, str], below: str) -> None:
        if len(self.named) >= MAX_FIELD_ERRORS:
            return
        written = self._written.get(name, name)
        place = below + (written if _PLAIN_NAME.fullmatch(written) else _UNNAMED)
        near = get_close_matches(name[:64], spellings, n=1, cutoff=0.6)
        self.unknown.add(place)
        self.named[place] = _UNKNOWN + (f": did you mean {spellings[near[0]]}?" if near else "")


def value_error(value: object, kind: Any) -> str | None:
    """What is wrong with the value itself, not with the values inside it."""
    try:
        msgspec.convert(value, kind, builtin_types=(Decimal,))
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        return None if where.rstrip("`") else validation_message(problem)
    return None


def without_none(kind: Any) -> Any:
    """The type without its `None`. Bounds stay."""
    choices = [one for one in get_args(kind) if one is not NoneType]
    is_union = get_origin(kind) is not Annotated and NoneType in get_args(kind)
    return choices[0] if is_union and len(choices) == 1 else kind


def _bare(kind: Any) -> Any:
    kind = without_none(kind)
    return _bare(get_args(kind)[0]) if get_origin(kind) is Annotated else kind


def _is_schema(kind: Any) -> bool:
    bare = _bare(kind)
    return isinstance(bare, type) and issubclass(bare, msgspec.Struct)


def _inner(kind: Any) -> Any:
    """The schema of the object, or of the objects in the list; None for every other type."""
    bare = _bare(kind)
    if get_origin(bare) is list:
        return _inner(get_args(bare)[0])
    return bare if _is_schema(bare) else None
