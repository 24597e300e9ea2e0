"""Reads lists and tables from text files. Pure: bytes in, rows or a refusal out.

A file is a list (a value on each line) or a table: columns separated by commas, semicolons or tabs, cells in quotation
marks where needed. Text is UTF-8 (with or without a byte order mark) or UTF-16. Other encodings cannot be detected and
must be named (`encoding`).
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bedesten import errors
from bedesten.catalogue.code import strip_invisible
from bedesten.errors import Refusal, bad_field

_TEXT_FORMULA = re.compile(r'="(.*)"')


class UnknownEncoding(Refusal):
    """The encoding of the bytes cannot be detected and must be named."""


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row, and the line on which it begins."""

    line: int
    cells: list[str]


# --- text -------------------------------------------------------------------------------------------------------------


def decode(source: str, raw: bytes, encoding: str | None) -> str:
    """The text of the file `source`. Raises `UnknownEncoding`."""
    name = encoding or _detected_encoding(raw)
    try:
        text = raw.decode(name) if name else None
    except (UnicodeDecodeError, LookupError):
        text = None
    if text is None:  # raised outside of `except`, so that no chained exception holds the codes
        line = 1 + raw[: _first_invalid_byte(raw, name or "utf-8")].count(b"\n")
        problem = (
            f"line {line} is not {encoding}"
            if encoding
            else f"line {line} is not UTF-8: save the file as UTF-8, or name its encoding (--encoding cp1252, say)"
        )
        raise UnknownEncoding(errors.BAD_REQUEST, f"{source}: {problem}", fields={source: problem})
    return text.removeprefix("\ufeff")


def _detected_encoding(raw: bytes) -> str | None:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    head = raw[:4096]
    if b"\x00" in head:  # UTF-16 without a byte order mark: every other byte of ASCII text is zero
        even, odd = head[::2].count(0), head[1::2].count(0)
        if odd * 4 > len(head) and not even:
            return "utf-16-le"
        if even * 4 > len(head) and not odd:
            return "utf-16-be"
    return "utf-8"


def _first_invalid_byte(raw: bytes, name: str) -> int:
    try:
        raw.decode(name)
    except UnicodeDecodeError as error:
        return error.start
    except LookupError:
        pass
    return 0


# --- rows -------------------------------------------------------------------------------------------------------------


def read_rows(source: str, text: str) -> list[Row]:
    """The rows that are not blank, each with its first line."""
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    delimiter = _delimiter(lines)
    if delimiter is None and not any('"' in line for line in lines):
        numbered = enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1)
        return [Row(number, [line]) for number, line in numbered if strip_invisible(line)]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or ",", strict=True, skipinitialspace=True)
    rows: list[Row] = []
    first_line, problem = 1, ""
    try:
        for cells in reader:
            line, first_line = first_line, reader.line_num + 1
            if any(strip_invisible(cell) for cell in cells):
                rows.append(Row(line, [_TEXT_FORMULA.sub(r"\1", cell) for cell in cells]))
    except csv.Error as error:
        problem = f"line {first_line}: not a table: {error}"
    if problem:
        raise bad_field(source, problem)
    return _equally_wide(source, rows)


def _delimiter(lines: Sequence[str]) -> str | None:
    """The column separator: the one of tab, semicolon and comma that most lines contain; None for a list."""
    counts = {sign: sum(sign in line for line in lines) for sign in ("\t", ";", ",")}
    best = max(counts, key=lambda sign: counts[sign])
    return best if counts[best] else None


def _equally_wide(source: str, rows: list[Row]) -> list[Row]:
    """Removes trailing columns that are empty in every row. Raises `Refusal` if the rows differ in width."""
    width = max((at for row in rows for at, cell in enumerate(row.cells, 1) if strip_invisible(cell)), default=0)
    trimmed = [Row(row.line, row.cells[:width]) for row in rows]
    uneven = [row for row in trimmed if len(row.cells) != len(trimmed[0].cells)]
    if uneven:
        problem = f"line {uneven[0].line} has {len(uneven[0].cells)} columns, line {trimmed[0].line} has "
        raise bad_field(source, f"{problem}{len(trimmed[0].cells)}")
    return trimmed
