"""Patterns: the form that a product's codes have, and their PINs and serial numbers. Pure.

A pattern is a mask that a code matches as a whole. Every character stands for itself, except these:

| in a pattern | in a code |
|---|---|
| `#` | a digit, 0 to 9 |
| `@` | a letter, A to Z or a to z |
| `*` | a letter or a digit |
| `?` | any character but a space |
| `{n}` | the element before it n times; `{m,n}`: m to n times, once in an alternative |
| `|` | between alternatives |
| `\\` | makes the sign after it an ordinary character |

Signs of regular expressions that masks lack are refused unless a backslash precedes them, so that nobody mistakes a
mask for a regular expression. An empty alternative of a PIN or a serial number lets a code have none.

An alternative has one range at most, so the length of a code decides how often that element occurs, and matching never
backtracks: it takes time in proportion to the length, whatever the pattern and the code.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from bedesten import errors
from bedesten.catalogue.code import MAX_CODE, MAX_PART, StockCode
from bedesten.core.text import TextError
from bedesten.errors import Refusal

MAX_PATTERN: Final = 200
MAX_ALTERNATIVES: Final = 10
_CLASSES = {"#": "[0-9]", "@": "[A-Za-z]", "*": "[A-Za-z0-9]", "?": "[^ ]"}
_RESERVED = frozenset("[]()^$+{}")
_COUNT = re.compile(r"\{([0-9]{1,3})(?:(,)([0-9]{1,3}))?\}", re.ASCII)
_NAMES = {"code": "code", "pin": "PIN", "serial": "serial number"}


@dataclass(frozen=True, slots=True)
class CodePatterns:
    """The patterns of a product; None: any form, and a PIN or a serial number may be missing."""

    code: str | None = None
    pin: str | None = None
    serial: str | None = None

    def misfits(self, codes: Sequence[StockCode]) -> "list[Misfit]":
        """Returns the parts that do not match, in the order of the codes."""
        stated = [(part, text) for part in ("code", "pin", "serial") if (text := getattr(self, part)) is not None]
        return [
            Misfit(at, part, _problem(text, getattr(code, part)))
            for at, code in enumerate(codes if stated else ())
            for part, text in stated
            if not matches(text, getattr(code, part))
        ]


@dataclass(frozen=True, slots=True)
class Misfit:
    """A part of a code, by the code's index, that does not match. `problem` never repeats the code."""

    index: int
    part: str
    problem: str

    @property
    def what(self) -> str:
        """Returns the part and the problem as one phrase: `the PIN is missing`."""
        return f"the {_NAMES[self.part]} {self.problem}"


MAX_PROBLEMS: Final = 20
"""Codes that a refusal names; it says if there are more."""


class MalformedCodes(Refusal):
    """Refuses codes (-2) that do not match their product's patterns; `misfits` names them by index, never by text."""

    def __init__(self, misfits: "Sequence[Misfit]", row: Callable[[int], str] = "codes[{}]".format) -> None:
        rows = len({one.index for one in misfits})
        fields: dict[str, str] = {}
        for one in misfits:
            if len(fields) < MAX_PROBLEMS:
                fields.setdefault(row(one.index), one.what)
        more = f" (the first {MAX_PROBLEMS} follow)" if rows > MAX_PROBLEMS else ""
        count = "1 code lacks" if rows == 1 else f"{rows} codes lack"
        super().__init__(errors.BAD_REQUEST, f"{count} the form that the product states{more}", fields=fields)
        self.misfits = tuple(misfits)

    def named(self, row: Callable[[int], str]) -> "MalformedCodes":
        """Returns the same refusal with the caller's names for the rows."""
        return MalformedCodes(self.misfits, row)


def _problem(pattern: str, value: str | None) -> str:
    return f"is missing; its form is {pattern}" if value is None else f"does not have the form {pattern}"


def matches(pattern: str, value: str | None) -> bool:
    """Reports whether a part matches; a missing one matches a pattern with an empty alternative."""
    compiled = _compiled(pattern, len(value or ""))
    return compiled is not None and compiled.fullmatch(value or "") is not None


def code_pattern(given: str) -> str:
    """Returns the normal form of a pattern for codes. Raises `TextError`."""
    pattern = _pattern(given, MAX_CODE)
    if matches(pattern, None):
        raise TextError("must not match an empty code")
    return pattern


def part_pattern(given: str) -> str:
    """Returns the normal form of a pattern for PINs or serial numbers. Raises `TextError`."""
    return _pattern(given, MAX_PART)


def _pattern(given: str, most: int) -> str:
    pattern = given.strip()
    if not pattern or len(pattern) > MAX_PATTERN:
        raise TextError(f"a pattern has 1 to {MAX_PATTERN} characters")
    if not pattern.isascii() or not pattern.isprintable():
        raise TextError("a pattern has printable ASCII characters only")
    for alternative in _alternatives(pattern):
        longest = sum(high for _, _, high in alternative)
        if longest > most:
            raise TextError(f"matches up to {longest:,} characters, and at most {most} are allowed")
        if sum(low != high for _, low, high in alternative) > 1:
            raise TextError("has more than one range {m,n} in an alternative")
    return pattern


_Element = tuple[str, int, int]
"""The regular expression of one element, and its minimum and maximum number of occurrences."""


def _alternatives(pattern: str) -> list[list[_Element]]:
    found: list[list[_Element]] = [[]]
    for element in _elements(pattern):
        if element is None:
            found.append([])
        else:
            found[-1].append(element)
    if len(found) > MAX_ALTERNATIVES:
        raise TextError(f"a pattern has at most {MAX_ALTERNATIVES} alternatives")
    return found


def _elements(pattern: str) -> Iterator[_Element | None]:
    """Yields the elements of a pattern; None between two alternatives."""
    at = 0
    while at < len(pattern):
        sign = pattern[at]
        at += 1
        if sign == "|":
            yield None
            continue
        if sign == "\\":
            if at == len(pattern) or pattern[at].isalnum():
                raise TextError("a backslash precedes a sign that is to be an ordinary character")
            expression = re.escape(pattern[at])
            at += 1
        elif sign in _RESERVED:
            raise TextError(f"{sign} has no meaning there: a pattern is a mask; \\{sign} is the character itself")
        else:
            expression = _CLASSES.get(sign) or re.escape(sign)
        low = high = 1
        if count := _COUNT.match(pattern, at):
            at = count.end()
            low = int(count[1])
            high = int(count[3]) if count[2] else low
            if not low <= high or high == 0:
                raise TextError("a count {m,n} has m up to n, and n is at least 1")
        yield expression, low, high


@lru_cache(2_000)
def _compiled(pattern: str, length: int) -> re.Pattern[str] | None:
    """Compiles a valid pattern for texts of one length, with its ranges resolved; None if no such text can match."""
    fitting = []
    for alternative in _alternatives(pattern):
        spare = length - sum(low for _, low, _ in alternative)
        if 0 <= spare <= sum(high - low for _, low, high in alternative):
            counts = ((each, low + (spare if high > low else 0)) for each, low, high in alternative)
            fitting.append("".join(f"{each}{{{count}}}" for each, count in counts))
    return re.compile("|".join(fitting), re.ASCII) if fitting else None
