"""Reads files of stock codes. Pure: bytes in, codes or a refusal out; the refusal names lines and never codes.

A file is a list (a code on each line) or a table: columns separated by commas, semicolons or tabs, cells in quotation marks
where needed. A first row of titles says what each column is: code, pin, serial, url, expires, or a usual synonym;
other columns are ignored. A table without titles needs the number of the code column.

Text is UTF-8 (with or without a byte order mark) or UTF-16. Other encodings cannot be detected and must be named
(`encoding`).
"""

import re
from dataclasses import dataclass
from typing import Final

from bedesten import errors
from bedesten.admin.product_file import MAX_FILE_BYTES
from bedesten.admin.table_file import Row, decode, read_rows
from bedesten.catalogue.code import (
    CODE_TITLES,
    EXPIRY_TITLES,
    PIN_TITLES,
    SERIAL_TITLES,
    URL_TITLES,
    BadCode,
    StockCode,
    read_code,
    strip_invisible,
)
from bedesten.errors import Refusal, bad_field

MAX_PROBLEMS: Final = 20
"""Invalid lines that a refusal names; it says if there are more."""
MAX_CODES: Final = 200_000
"""One transaction makes them all sellable, during which other writers wait on SQLite."""
ENCODINGS = ("utf-8", "utf-16", "latin-1", "cp1252", "cp1254", "cp1251", "iso-8859-9")

_TITLES = {"code": CODE_TITLES, "pin": PIN_TITLES, "serial": SERIAL_TITLES, "url": URL_TITLES, "expires": EXPIRY_TITLES}
_PARTS = {"pin": "PIN", "serial": "serial number", "url": "URL", "expires": "expiry date"}
_GERMAN_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", re.ASCII)
_TIME_OF_DAY = re.compile(r"(\d{4}-\d\d-\d\d)[T ]00:00(?::00(?:\.0+)?)?Z?", re.ASCII)


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How to read a file. `column`: title or number (from 1) of the code column. `header`: whether the first row has
    titles; None: detect it."""

    encoding: str | None = None
    column: str | None = None
    header: bool | None = None


class MalformedFile(Refusal):
    """Refuses a file (-2) that has invalid lines; `lines` maps each to its problem, without its code."""

    def __init__(self, source: str, lines: list[tuple[int, str]]) -> None:
        count = "1 line is wrong" if len(lines) == 1 else f"{len(lines)} lines are wrong"
        first = f" (the first {MAX_PROBLEMS} follow)" if len(lines) > MAX_PROBLEMS else ""
        fields = {f"line {line}": problem for line, problem in lines[:MAX_PROBLEMS]}
        super().__init__(errors.BAD_REQUEST, f"{source}: {count}{first}; nothing was put in", fields=fields)
        self.lines = tuple(lines)


@dataclass(frozen=True, slots=True)
class CodeFile:
    """The codes of a file with their lines, and how its columns were read."""

    codes: tuple[StockCode, ...]
    lines: tuple[int, ...]
    columns: tuple[str, ...]
    ignored_columns: tuple[str, ...]


def read_codes(source: str, raw: bytes, options: FileOptions = FileOptions()) -> CodeFile:
    """The codes of the file `source`. Raises `Refusal` (-2), which names every invalid line, without its code."""
    if len(raw) > MAX_FILE_BYTES:
        raise bad_field(source, f"more than {MAX_FILE_BYTES >> 20} MiB: send it in parts")
    text = decode(source, raw, options.encoding)
    rows = read_rows(source, text)
    if not rows:
        raise bad_field(source, "there is no code in it")
    columns, body, ignored_columns = _columns(source, rows, options)
    if not body:
        raise bad_field(source, "there is no code in it, only a row of titles")
    if len(body) > MAX_CODES:
        raise bad_field(source, f"more than {MAX_CODES} codes: send it in parts")
    return _read(source, columns, body, ignored_columns)


# --- columns ----------------------------------------------------------------------------------------------------------


def _columns(source: str, rows: list[Row], options: FileOptions) -> tuple[dict[str, int], list[Row], list[str]]:
    """The column of each part, the rows below the titles, and the titles of the ignored columns."""
    titles = [strip_invisible(cell).casefold() for cell in rows[0].cells]
    known = {part: at for at, title in enumerate(titles) for part, names in _TITLES.items() if title in names}
    header = options.header
    if header is None:
        header = bool(known) or (options.column is not None and strip_invisible(options.column).casefold() in titles)
    if not header:
        known = {}
        if options.header is None and options.column is None and _first_line_looks_like_title(rows):
            raise bad_field(source, "line 1 looks like a title: say --header if it is one, --no-header if it is a code")
    named = [title for title in titles if title in CODE_TITLES]
    if header and options.column is None and len(named) > 1:
        raise bad_field(source, f"{len(named)} columns could be the codes: say which one with --column")
    if options.column is not None:
        index = _column_index(source, options.column, titles, header)
        known = {"code": index, **{part: at for part, at in known.items() if part != "code" and at != index}}
    elif "code" not in known:
        known = _code_column(source, known, titles)
    ignored_columns = [title for at, title in enumerate(titles) if header and at not in known.values()]
    return known, rows[1:] if header else rows, ignored_columns


def _code_column(source: str, known: dict[str, int], titles: list[str]) -> dict[str, int]:
    """The code column of a file without such a title: the only column, or the only one with a known title."""
    if len(titles) == 1:
        return {"code": 0}
    secret = [part for part in ("pin", "serial", "url") if part in known]
    if len(secret) == 1:  # goods that consist of only a PIN, a serial number or a URL
        return {"code": known[secret[0]], **({"expires": known["expires"]} if "expires" in known else {})}
    raise bad_field(
        source,
        f"{len(titles)} columns and no title that says which one has the codes: write titles into the first row (code, pin, "
        "serial, url, expires), or say --column with its number",
    )


def _column_index(source: str, column: str, titles: list[str], header: bool) -> int:
    title = strip_invisible(column).casefold()
    if header and title in titles:
        return titles.index(title)
    if title.isascii() and title.isdigit() and 1 <= int(title) <= len(titles):
        return int(title) - 1
    raise bad_field("--column", f"{source} has {len(titles)} columns and none of this title or number")


def _first_line_looks_like_title(rows: list[Row]) -> bool:
    """Whether the first line of a list has no digit while every other line has one."""
    with_digits = [any(each.isdigit() for cell in row.cells for each in cell) for row in rows]
    return len(rows) > 1 and len(rows[0].cells) == 1 and not with_digits[0] and all(with_digits[1:])


# --- codes ------------------------------------------------------------------------------------------------------------


def _read(source: str, columns: dict[str, int], rows: list[Row], ignored_columns: list[str]) -> CodeFile:
    codes: list[StockCode] = []
    problems: list[tuple[int, str]] = []
    for row in rows:
        cells = {part: row.cells[at] for part, at in columns.items()}
        try:
            pin, serial, url = (cells.get(part) for part in ("pin", "serial", "url"))
            codes.append(read_code(cells["code"], pin, serial, _date(cells.get("expires")), url))
        except BadCode as problem:
            problems.append((row.line, f"the {_PARTS.get(problem.part, problem.part)} {problem}"))
    if problems:
        raise MalformedFile(source, problems)
    return CodeFile(tuple(codes), tuple(row.line for row in rows), tuple(columns), tuple(ignored_columns))


def _date(cell: str | None) -> str | None:
    """Converts a spreadsheet's date to yyyy-MM-dd; any other text is left for `read_code` to refuse."""
    text = strip_invisible(cell or "")
    if found := _GERMAN_DATE.fullmatch(text):
        day, month, year = found.groups()
        return f"{year}-{int(month):02}-{int(day):02}"
    if found := _TIME_OF_DAY.fullmatch(text):
        return found[1]
    return text
