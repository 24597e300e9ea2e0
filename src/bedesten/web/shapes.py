"""Wire shapes: how requests are understood and answers are written.

Input keys are matched without regard to case, output keys are camelCase. Amounts are decimal numbers; times are text.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from bedesten import errors
from bedesten.base import strictjson
from bedesten.base.money import to_minor
from bedesten.errors import Refusal, bad_field
from bedesten.web import texts
from bedesten.web.wording import in_words


def _folded(name: str) -> str:
    return name.replace("_", "")


def camel(name: str) -> str:
    """The wire's spelling of a field: `order_reference` is `orderReference`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


class Input(msgspec.Struct, frozen=True, rename=_folded):
    """A request body, or a part of one. Unknown keys are ignored."""


class Output(msgspec.Struct, frozen=True, rename="camel"):
    """An answer's data, or a part of it."""


class Nothing(Input, frozen=True):
    """A body of which nothing is asked."""


Amount = Decimal | int
"""An amount in a request: a JSON number. A string is none, although msgspec by itself would take it for a decimal."""

_WHOLE = ""
"""What names the body as a whole among fields at fault."""
Body = TypeVar("Body", bound=Input)
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_encode = msgspec.json.Encoder(decimal_format="number").encode


def encode(value: object) -> bytes:
    """JSON of an answer; decimals as numbers with all their digits."""
    return _encode(value)


def written(sent: Input) -> dict[str, object]:
    """A request as a client writes it: in the wire's spelling, without the fields that are left at their defaults."""
    made: dict[str, object] = {}
    for field in msgspec.structs.fields(sent):
        value = getattr(sent, field.name)
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        if value != default or field.required:
            parts = value if isinstance(value, list) else [value]
            shown = [written(part) if isinstance(part, Input) else part for part in parts]
            made[camel(field.name)] = shown if isinstance(value, list) else shown[0]
    return made


def parse(raw: bytes) -> dict[str, object]:
    """The body's members with folded keys. Raises `Refusal` (-2)."""
    if not raw:
        return {}
    try:
        parsed = strictjson.loads(raw, fold=True)
    except strictjson.StrictJsonError as error:
        raise bad_field(_WHOLE, f"{error}: {error.place}" if error.place else str(error)) from error
    if not isinstance(parsed, dict):
        raise bad_field(_WHOLE, "must be an object")
    return parsed


def understand(members: dict[str, object], shape: type[Body]) -> Body:
    """The body as the route wants it, its texts in normal form. Raises `Refusal` (-2) that names the field as the wire
    spells it."""
    members, problems = texts.normalise(members, shape)
    if problems:
        named = {_spelt(path, shape): problem for path, problem in problems.items()}
        raise Refusal(errors.BAD_REQUEST, "; ".join(f"{name}: {named[name]}" for name in named), fields=named)
    try:
        return msgspec.convert(members, shape, builtin_types=(Decimal,))
    except msgspec.ValidationError:
        pass
    try:  # 5.0 is a whole number in JSON Schema and in most languages; only where it was written like that, this costs
        return msgspec.convert(_whole(members), shape, builtin_types=(Decimal,))
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        path = where.rstrip("`").removeprefix(".")
        if missing := _MISSING.fullmatch(problem):
            raise bad_field(_spelt(f"{path}.{missing[1]}".lstrip("."), shape), "is required") from error
        raise bad_field(_spelt(path, shape), in_words(problem)) from error


def _whole(value: Any) -> Any:
    """The same, with whole numbers as such however they were written; one that is far too long stays as it is."""
    if isinstance(value, dict):
        return {name: _whole(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_whole(part) for part in value]
    if isinstance(value, Decimal) and value.adjusted() < strictjson.MAX_DIGITS and value == value.to_integral_value():
        return int(value)
    return value


def amount(value: Amount, currency: str, field: str) -> int:
    """Minor units of an amount that a caller sent. Raises `Refusal` (-2)."""
    try:
        return to_minor(Decimal(value), currency)
    except ValueError as error:
        raise bad_field(field, str(error)) from error


def _spelt(path: str, shape: type[Input]) -> str:
    """The path with every field in the wire's spelling: `basketdata[0].deliverid` is `basketData[0].deliverId`."""
    spelling = spellings(shape)
    parts = []
    for part in path.split("."):
        name, bracket, rest = part.partition("[")
        parts.append(spelling.get(name, name) + bracket + rest)
    return ".".join(parts) or "body"


@cache
def spellings(shape: Any) -> Mapping[str, str]:
    """How the wire spells every field of the shape and of the shapes in it, by the name that the shape has for it."""
    found: dict[str, str] = {}
    waiting: list[Any] = [shape]
    while waiting:
        kind = waiting.pop()
        waiting.extend(get_args(kind))
        kind = get_origin(kind) or kind
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            for field in msgspec.structs.fields(kind):
                found[field.encode_name] = camel(field.name)
                waiting.append(field.type)
    return found
