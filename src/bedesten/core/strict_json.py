"""Reads strict JSON: RFC 8259 and I-JSON (RFC 7493), and nothing ambiguous.

An attacker can exploit two programs that parse the same bytes differently. So every ambiguous text is an error here:
duplicate members, `NaN`, a byte order mark, UTF-16, lone surrogates. The scanner is the standard library's C scanner;
this module limits its input and converts numbers and objects.
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal

MAX_DEPTH = 32
"""The default limit for the nesting of arrays and objects."""
MAX_DIGITS = 40
"""Digits of an integer. Far below CPython's own limit, whose error must never reach a client."""
MAX_NUMBER_LENGTH = 100
"""Characters of a number with a fraction or an exponent."""
MAX_EXPONENT = 999
"""Decimal exponent of a number, either way, so that no later code turns `1e999999` into a million digits."""

Pairs = list[tuple[str, object]]


class StrictJsonError(ValueError):
    """The text is not strict JSON. The reason is one of a few fixed phrases and never quotes the text.

    `place` is where reading stopped, `line 1, column 84` (both from 1, in characters), if that is known.
    """

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(reason)
        self.place = place


def loads(raw: bytes, *, fold: bool = False, max_depth: int = MAX_DEPTH) -> object:
    """Returns the value of a JSON text: dict, list, str, int, `Decimal`, bool or None.

    With `fold`, member names are lower-cased (`str.lower`) and must differ after that. Numbers with a fraction or an
    exponent become exact `Decimal`s. Takes time and memory linear in the length of the text, for every text.
    Raises `StrictJsonError` and nothing else.
    """
    text = _decoded(raw)
    if raw.count(b"[") + raw.count(b"{") > max_depth and _deeper_than(raw, max_depth):
        raise StrictJsonError("nested too deeply")
    value = _parsed(text, _FOLDING if fold else _EXACT)
    if _SUSPECT_ESCAPE.search(raw) is not None:
        _refuse_unstorable_strings(value)
    return value


def _decoded(raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is None:  # raised outside the handler, so that no exception in the chain holds the text
        raise StrictJsonError("not UTF-8")
    if text.startswith("\ufeff"):
        raise StrictJsonError("starts with a byte order mark")
    return text


def _parsed(text: str, decoder: json.JSONDecoder) -> object:
    reason, place = "not JSON", ""
    try:
        value: object = decoder.decode(text)
        return value
    except StrictJsonError as problem:
        reason = str(problem)
    except json.JSONDecodeError as problem:
        place = f"line {problem.lineno}, column {problem.colno}"
    except (ValueError, RecursionError):
        pass
    raise StrictJsonError(reason, place)


# --- depth, known before anything is parsed ---------------------------------------------------------------------------

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""A string, or one that is never closed. Possessive, so that it never backtracks: the scan is linear."""
_ALL_BUT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def _deeper_than(raw: bytes, max_depth: int) -> bool:
    depth = 0
    for bracket in _STRING.sub(b"", raw).translate(None, _ALL_BUT_BRACKETS):
        if bracket in b"[{":
            depth += 1
            if depth > max_depth:
                return True
        else:
            depth -= 1
    return False


# --- strings ----------------------------------------------------------------------------------------------------------

_SUSPECT_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
"""The escapes of U+0000 and of surrogates. The decoder has refused raw control characters and raw surrogates before."""


def _refuse_unstorable_strings(value: object) -> None:
    """Refuses U+0000 (no database stores it) and surrogates without their other half (RFC 8259 section 8.2)."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            if "\0" in item or any("\ud800" <= character <= "\udfff" for character in item):
                raise StrictJsonError("a string holds U+0000 or half a surrogate pair")
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())


# --- objects and numbers, as the scanner meets them -------------------------------------------------------------------


def _object(pairs: Pairs) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise StrictJsonError("a member stands twice")
    return members


def _folded_object(pairs: Pairs) -> dict[str, object]:
    members = {name.lower(): value for name, value in pairs}
    if len(members) != len(pairs):
        raise StrictJsonError("a member stands twice")
    return members


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS and len(text.lstrip("-")) > MAX_DIGITS:
        raise StrictJsonError("a number is too long")
    return int(text)


def _fraction(text: str) -> Decimal:
    if len(text) > MAX_NUMBER_LENGTH:
        raise StrictJsonError("a number is too long")
    digits_and_exponent = text.lower().partition("e")
    if len(digits_and_exponent[2].lstrip("+-").lstrip("0")) > len(str(MAX_EXPONENT)):
        raise StrictJsonError("a number is too large or too small")
    return Decimal(text)


def _constant(_: str) -> object:
    raise StrictJsonError("NaN and Infinity are not JSON")


def _decoder(members: Callable[[Pairs], dict[str, object]]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=members, parse_float=_fraction, parse_int=_integer, parse_constant=_constant, strict=True
    )


_EXACT = _decoder(_object)
_FOLDING = _decoder(_folded_object)
