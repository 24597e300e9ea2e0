"""Wire shapes: how requests are understood and answers are written.

Input keys are matched without regard to case, output keys are camelCase. Amounts are decimal numbers; times are text.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from bedesten import errors
from bedesten.core import strict_json
from bedesten.core.money import to_minor
from bedesten.errors import Refusal, bad_field
from bedesten.http import text_fields
from bedesten.http.body_fields import FieldErrors, Members, camel, known_fields


def _folded(name: str) -> str:
    return name.replace("_", "")


class RequestModel(msgspec.Struct, frozen=True, rename=_folded):
    """A request body, or a part of one. Members that it does not know are refused where the route is strict."""


class ResponseModel(msgspec.Struct, frozen=True, rename="camel"):
    """An answer's data, or a part of it."""


class EmptyBody(RequestModel, frozen=True):
    """A body of which nothing is asked."""


Amount = Decimal | int
"""An amount in a request: a JSON number. A string is none, although msgspec by itself would take it for a decimal."""

_WHOLE = ""
"""What names the body as a whole among fields at fault."""
Body = TypeVar("Body", bound=RequestModel)
_MAX_LOGGED_FIELDS = 10
"""Fields at fault that the log names; the caller is told of more."""
_encode = msgspec.json.Encoder(decimal_format="number").encode


def encode(value: object) -> bytes:
    """JSON of an answer; decimals as numbers with all their digits."""
    return _encode(value)


def as_wire(sent: RequestModel) -> dict[str, object]:
    """A request as a client writes it: in the wire's spelling, without the fields that are left at their defaults."""
    made: dict[str, object] = {}
    for field in msgspec.structs.fields(sent):
        value = getattr(sent, field.name)
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        if value != default or field.required:
            parts = value if isinstance(value, list) else [value]
            shown = [as_wire(part) if isinstance(part, RequestModel) else part for part in parts]
            made[camel(field.name)] = shown if isinstance(value, list) else shown[0]
    return made


def parse(raw: bytes) -> Members:
    """The body's members with folded keys. Raises `Refusal` (-2)."""
    if not raw:
        return {}
    try:
        parsed = strict_json.loads(raw, fold=True)
    except strict_json.StrictJsonError as error:
        raise bad_field(_WHOLE, f"{error}: {error.place}" if error.place else str(error)) from error
    if not isinstance(parsed, dict):
        raise bad_field(_WHOLE, "must be an object")
    return parsed


def decode_body(members: Members, shape: type[Body], *, strict: bool = False, raw: bytes = b"") -> Body:
    """The body as the route wants it, its texts in normal form.

    Raises `Refusal` (-2) that names every field at fault as the wire spells it.
    `strict`: a member that the shape does not know is a fault; `raw` tells how the caller wrote its name.
    """
    members, problems = text_fields.normalise(members, shape)
    kept, all_known = known_fields(members, shape)
    if not problems and (all_known or not strict):
        try:
            return msgspec.convert(kept, shape, builtin_types=(Decimal,))
        except msgspec.ValidationError:
            pass
        try:  # 5.0 is a whole number in JSON Schema and in most languages; only where it was written like that, this costs
            return msgspec.convert(_whole(kept), shape, builtin_types=(Decimal,))
        except msgspec.ValidationError:
            pass
    field_errors = FieldErrors(strict=strict, written=_names_as_written(raw) if strict else {}, texts=problems)
    field_errors.look(_whole(members), shape)
    assert field_errors.named, "what cannot be understood has a fault"
    named = field_errors.named
    causes = ("an unknown member" if at in field_errors.unknown else f"{at}: {why}" for at, why in named.items())
    raise Refusal(errors.BAD_REQUEST, "; ".join(islice(causes, _MAX_LOGGED_FIELDS)), fields=field_errors.named)


def _names_as_written(raw: bytes) -> dict[str, str]:
    """The name of every member, by its folded form."""
    found: dict[str, str] = {}
    waiting = [strict_json.loads(raw)] if raw else []
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            found.update((name.lower(), name) for name in value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return found


def _whole(value: Any) -> Any:
    """The same, with whole numbers as such however they were written; one that is far too long stays as it is."""
    if isinstance(value, dict):
        return {name: _whole(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_whole(part) for part in value]
    if isinstance(value, Decimal) and value.adjusted() < strict_json.MAX_DIGITS and value == value.to_integral_value():
        return int(value)
    return value


def amount(value: Amount, currency: str, field: str) -> int:
    """Minor units of an amount that a caller sent. Raises `Refusal` (-2)."""
    try:
        return to_minor(Decimal(value), currency)
    except ValueError as error:
        raise bad_field(field, str(error)) from error


@cache
def schemas_in(kind: Any) -> tuple[type[msgspec.Struct], ...]:
    """The shape, and every shape of a member in it, however deep."""
    found: dict[type[msgspec.Struct], None] = {}
    waiting: list[Any] = [kind]
    while waiting:
        one = waiting.pop()
        waiting.extend(get_args(one))
        one = get_origin(one) or one
        if isinstance(one, type) and issubclass(one, msgspec.Struct) and one not in found:
            found[one] = None
            waiting.extend(field.type for field in msgspec.structs.fields(one))
    return tuple(found)


def spellings(kind: Any) -> Mapping[str, str]:
    """How the wire spells every field of the shape and of the shapes in it, by the name that the shape has for it."""
    return {
        field.encode_name: camel(field.name) for shape in schemas_in(kind) for field in msgspec.structs.fields(shape)
    }
