"""Wire schemas: how request bodies are decoded and answers are encoded.

Request members are matched without regard to case, response members are camelCase. Amounts are decimal numbers; times are
text.
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
    """A request body, or a part of one. A strict route refuses members that it does not define."""


class ResponseModel(msgspec.Struct, frozen=True, rename="camel"):
    """The data of an answer, or a part of it."""


class EmptyBody(RequestModel, frozen=True):
    """A body without members."""


_EMPTY = EmptyBody()

Amount = Decimal | int
"""An amount in a request: a JSON number. Text is refused, although msgspec by itself would convert it."""

_WHOLE = ""
"""The path of the body as a whole among invalid fields."""
Body = TypeVar("Body", bound=RequestModel)
_MAX_LOGGED_FIELDS = 10
"""Invalid fields in the log line; the caller gets more."""
_encode = msgspec.json.Encoder(decimal_format="number").encode


def encode(value: object) -> bytes:
    """JSON of an answer; decimals become numbers with all their digits."""
    return _encode(value)


def as_wire(sent: RequestModel) -> dict[str, object]:
    """A request as a client writes it: spelt as on the wire, without fields at their defaults."""
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
    """The body in the route's schema, with its texts in normal form.

    Raises `Refusal` (-2), which names every invalid field as spelt on the wire. `strict` refuses unknown members; `raw`
    is the body as it was sent, for the names of unknown members as the caller wrote them.
    """
    if not members and shape is EmptyBody:
        return _EMPTY  # type: ignore[return-value]
    members, problems = text_fields.normalise(members, shape)
    kept, all_known = known_fields(members, shape)
    if not problems and (all_known or not strict):
        try:
            return msgspec.convert(kept, shape, builtin_types=(Decimal,))
        except msgspec.ValidationError:
            pass
        try:  # 5.0 is a whole number in JSON Schema; only bodies with such a number pay for this
            return msgspec.convert(_whole(kept), shape, builtin_types=(Decimal,))
        except msgspec.ValidationError:
            pass
    field_errors = FieldErrors(strict=strict, written=_names_as_written(raw) if strict else {}, texts=problems)
    field_errors.look(_whole(members), shape)
    assert field_errors.named, "a body that cannot be decoded has an invalid field"
    named = field_errors.named
    causes = ("an unknown member" if at in field_errors.unknown else f"{at}: {why}" for at, why in named.items())
    raise Refusal(errors.BAD_REQUEST, "; ".join(islice(causes, _MAX_LOGGED_FIELDS)), fields=field_errors.named)


def _names_as_written(raw: bytes) -> dict[str, str]:
    """The name of every member as it was written, by its folded form."""
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
    """The value with 5.0 as 5 everywhere; a number with too many digits stays unchanged."""
    if isinstance(value, dict):
        return {name: _whole(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_whole(part) for part in value]
    if isinstance(value, Decimal) and value.adjusted() < strict_json.MAX_DIGITS and value == value.to_integral_value():
        return int(value)
    return value


def amount(value: Amount, currency: str, field: str) -> int:
    """An amount from a request in minor units. Raises `Refusal` (-2)."""
    try:
        return to_minor(Decimal(value), currency)
    except ValueError as error:
        raise bad_field(field, str(error)) from error


@cache
def schemas_in(kind: Any) -> tuple[type[msgspec.Struct], ...]:
    """The schema and every schema inside it, at any depth."""
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
    """The spelling on the wire of every field of the schema and the schemas inside it, by the folded name."""
    return {
        field.encode_name: camel(field.name) for shape in schemas_in(kind) for field in msgspec.structs.fields(shape)
    }
