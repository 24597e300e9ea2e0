"""JSON for human eyes: few lines, long values cut, secrets masked."""

import json
from decimal import Decimal
from typing import Any

from bedesten.core.secret import masked

SECRET_MEMBERS = frozenset({"token", "password"})
SECRET_HEADERS = frozenset({"authorization", "apikey"})
LONGEST_TEXT, LONGEST_LIST = 60, 4
CLOSING = 3
"""Room at the end of a line for what closes."""
ELLIPSIS = "…"

Labelled = list[tuple[str, Any]]
"""What stands between two brackets, each member with what stands before it."""


class _More(str):
    """What stands for the elements of a list that are left out."""

    __slots__ = ()


def lay_out(value: object, width: int) -> list[str]:
    """The value as JSON text in lines of at most `width` characters, where that is possible at all.

    What fits on a line stays on one. The members of an object that does not are packed into lines, the elements of a
    list that does not have lines of their own.
    """
    return _block(_shortened(value), 0, width - CLOSING)


def shown_header(name: str, value: str) -> str:
    """A header's value without what nobody should read over somebody's shoulder."""
    if name.lower() not in SECRET_HEADERS:
        return value if len(value) <= LONGEST_TEXT else value[: LONGEST_TEXT - 1] + ELLIPSIS
    scheme, space, secret = value.partition(" ")
    return f"{scheme} {masked(secret)}" if space else masked(value)


def _shortened(value: object) -> Any:
    if isinstance(value, dict):
        return {
            name: masked(inner) if name.lower() in SECRET_MEMBERS and isinstance(inner, str) else _shortened(inner)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        kept = [_shortened(inner) for inner in value[:LONGEST_LIST]]
        return [*kept, _More(f"{ELLIPSIS} {len(value) - LONGEST_LIST} more")] if len(value) > LONGEST_LIST else kept
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return value[: LONGEST_TEXT - 1] + ELLIPSIS
    return value


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {_flat(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flat(inner) for inner in value) + "]"
    if isinstance(value, _More | Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _block(value: Any, indent: int, width: int) -> list[str]:
    """The lines of a value that begins at the indentation."""
    pad, flat = " " * indent, _flat(value)
    if indent + len(flat) <= width or not isinstance(value, dict | list):
        return [pad + flat]
    if isinstance(value, list):
        return [pad + "[", *_inside(value, indent + 2, width), pad + "]"]
    lines = _packed(_members(value), pad + "{", indent + 1, indent, width)
    return [*lines[:-1], lines[-1] + "}"]


def _inside(value: Any, indent: int, width: int) -> list[str]:
    """The lines between the brackets of an object or list."""
    if isinstance(value, dict):
        return _packed(_members(value), " " * indent, indent, indent, width)
    if not any(isinstance(inner, dict | list) for inner in value):
        return _packed([("", inner) for inner in value], " " * indent, indent, indent, width)
    lines: list[str] = []
    for at, inner in enumerate(value):
        block = _block(inner, indent, width)
        lines += [*block[:-1], block[-1] + ("," if at < len(value) - 1 else "")]
    return lines


def _members(value: dict[str, Any]) -> Labelled:
    return [(f"{json.dumps(name)}: ", inner) for name, inner in value.items()]


def _packed(members: Labelled, first: str, column: int, indent: int, width: int) -> list[str]:
    """Members, as many on a line as fit. One that does not fit on a line opens there, and closes at the indentation."""
    lines, space = [first], ""
    for at, (label, inner) in enumerate(members):
        comma = "," if at < len(members) - 1 else ""
        whole = label + _flat(inner) + comma
        if len(lines[-1]) + len(space) + len(whole) <= width:
            lines[-1] += space + whole
        elif column + len(whole) <= width or not isinstance(inner, dict | list):
            lines.append(" " * column + whole)
        else:
            opening, closing = "{}" if isinstance(inner, dict) else "[]"
            if len(lines[-1]) + len(space) + len(label) < width:
                lines[-1] += space + label + opening
            else:
                lines.append(" " * column + label + opening)
            lines += [*_inside(inner, indent + 2, width), " " * indent + closing + comma]
        space = " "
    return lines
