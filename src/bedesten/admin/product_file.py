"""Reads a catalogue from a file: CSV with a header row, or JSON. Pure: bytes in, rows and problems out.

JSON is a list of objects, or `{"products": [...]}` as `products list --json` answers it.

Columns and keys have the same names, in any order and any case. A field that the file does not mention stays as it is; an
empty cell (JSON: null) clears the field. Amounts are exact decimals. In CSV `requireData` is written
`id:name;id2:name2?`, where `?` says that the buyer may leave it out; in JSON it is a list of
`{"id", "name", "required"}`.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from bedesten import errors
from bedesten.catalogue.actions import STOCK, STOCK_FIRST, SUPPLIER, Requirement
from bedesten.catalogue.code import EXACT, FOLDED
from bedesten.catalogue.code_pattern import code_pattern, part_pattern
from bedesten.catalogue.stock_alarms import MAX_THRESHOLD
from bedesten.core import strict_json, text
from bedesten.core.ids import MAX_ID_LENGTH
from bedesten.core.money import read_amount
from bedesten.core.text import Text, TextError
from bedesten.errors import Refusal

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_FILE_ROWS = 10_000
"""A file is one transaction, during which other writers wait; a longer catalogue needs several files."""
MAX_PROBLEMS = 100
READ_ONLY = frozenset({"currency", "offered", "available", "updated", "status", "proposedName", "lowSince"})
"""Columns of `products list` that an import ignores."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Row:
    """One product of a file: its first line, and its fields; None clears a field."""

    line: int
    fields: Mapping[str, object]


class Problems:
    """Collects the problems of a file by line and field, in the order in which they are found."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: dict[str, str] = {}
        self._count = 0

    def add(self, line: int, field: str, problem: str) -> None:
        """Adds one; beyond `MAX_PROBLEMS` they are only counted."""
        self._count += 1
        if len(self._found) < MAX_PROBLEMS:
            self._found.setdefault(f"line {line}, {field}" if field else f"line {line}", problem)

    def refuse_if_any(self) -> None:
        """Raises `Refusal` (-2) with all of them."""
        if self._count:
            problems = "1 problem" if self._count == 1 else f"{self._count} problems"
            raise Refusal(
                errors.BAD_REQUEST, f"{self._source}: {problems}, nothing was imported", fields=dict(self._found)
            )


def read_rows(source: str, raw: bytes) -> list[Row]:
    """The rows of the file `source`. Raises `Refusal` (-2) with every problem of every row."""
    if len(raw) > MAX_FILE_BYTES:
        raise Refusal(errors.TOO_LARGE, f"{source}: more than {MAX_FILE_BYTES >> 20} MiB; import it in parts")
    raw = raw.removeprefix(_BYTE_ORDER_MARK)
    problems = Problems(source)
    found = list(_json_rows(raw, problems) if _is_json(source, raw) else _csv_rows(raw, problems))
    problems.refuse_if_any()
    if len(found) > MAX_FILE_ROWS:
        raise Refusal(errors.TOO_LARGE, f"{source}: more than {MAX_FILE_ROWS} products; import it in parts")
    return found


def _is_json(source: str, raw: bytes) -> bool:
    suffix = source.lower().rpartition(".")[2]
    return suffix == "json" or (suffix != "csv" and raw.lstrip()[:1] in (b"[", b"{"))


# --- CSV --------------------------------------------------------------------------------------------------------------


def _csv_rows(raw: bytes, problems: Problems) -> Iterator[Row]:
    try:
        decoded = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        problems.add(1 + raw[: error.start].count(b"\n"), "", "not UTF-8")
        return
    reader = csv.reader(io.StringIO(decoded, newline=""), strict=True)
    columns: list[str] | None = None
    first_line = 1
    try:
        for cells in reader:
            line, first_line = first_line, reader.line_num + 1
            if not any(cells):
                continue
            if columns is None:
                columns = _columns(cells, line, problems)
                if not columns:
                    return
            elif len(cells) != len(columns):
                problems.add(line, "", f"{len(cells)} cells, where the header has {len(columns)}")
            else:
                yield _row(line, dict(zip(columns, cells, strict=True)), problems)
    except csv.Error as error:
        problems.add(reader.line_num, "", f"not CSV: {error}")
    if columns is None:
        problems.add(1, "", "no header row")


_SEPARATOR_NAMES = {";": "semicolons", "\t": "tabs", "|": "bars"}


def _columns(cells: list[str], line: int, problems: Problems) -> list[str]:
    columns: list[str] = []
    if len(cells) == 1 and (sign := next((one for one in ";\t|" if one in cells[0]), None)):
        problems.add(line, "", f"the columns are separated by {_SEPARATOR_NAMES[sign]}: separate them by commas")
        return columns
    for cell in cells:
        name = _CANONICAL_NAMES.get(cell.strip().lower(), cell.strip())
        if name not in _READERS and name not in READ_ONLY:
            problems.add(line, name, f"no such column; there are {', '.join(_READERS)}")
        if name in columns:
            problems.add(line, name, "occurs twice")
        columns.append(name)
    return columns


# --- JSON -------------------------------------------------------------------------------------------------------------


def _json_rows(raw: bytes, problems: Problems) -> Iterator[Row]:
    try:
        listed = strict_json.loads(raw, fold=True)
    except strict_json.StrictJsonError as error:
        problems.add(_line_of_error(raw), "", str(error))
        return
    if isinstance(listed, dict) and listed.keys() == {"products"}:
        listed = listed["products"]
    if not isinstance(listed, list):
        problems.add(1, "", 'neither a list of objects nor {"products": [...]}')
        return
    for line, item in zip(_lines(raw.decode("utf-8")), listed, strict=True):
        if not isinstance(item, dict):
            problems.add(line, "", "not an object")
            continue
        members = {_CANONICAL_NAMES.get(str(name), str(name)): value for name, value in item.items()}
        for name in sorted(members.keys() - _READERS.keys() - READ_ONLY):
            problems.add(line, name, f"no such field; there are {', '.join(_READERS)}")
        yield _row(line, members, problems)


def _lines(written: str) -> Iterator[int]:
    """The first line of each item; the text must be a valid JSON list."""
    scan = json.JSONDecoder().raw_decode
    at, line = written.index("[") + 1, 1 + written.count("\n", 0, written.index("["))
    while True:
        begin = _SPACE.match(written, at).end()  # type: ignore[union-attr]  # matches everywhere
        if written[begin] == "]":
            return
        line += written.count("\n", at, begin)
        yield line
        end = scan(written, begin)[1]
        line += written.count("\n", begin, end)
        at = end


def _line_of_error(raw: bytes) -> int:
    try:
        json.loads(raw)
    except json.JSONDecodeError as error:
        return error.lineno
    except (ValueError, RecursionError):
        pass
    return 1


_SPACE = re.compile(r"[\s,]*")

# --- one field ---------------------------------------------------------------------------------------------------------


def _row(line: int, values: Mapping[str, object], problems: Problems) -> Row:
    fields: dict[str, object] = {}
    for name, value in values.items():
        read = _READERS.get(name)
        if read is None:
            continue
        value = value.strip() if isinstance(value, str) else value
        try:
            fields[name] = None if value is None or value == "" else read(value)
        except ValueError as error:
            problems.add(line, name, str(error))
            fields[name] = None
    if values.get("sku") in (None, "") and values.get("id") in (None, ""):
        problems.add(line, "sku", "is required, or the id of a product")
    return Row(line, fields)


def _text(kind: Text, most: int | None = None) -> Callable[[object], str]:
    def read(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("must be text")
        read = kind(value)
        if most is not None and len(read) > most:
            raise ValueError(f"must have at most {most:,} characters")
        return read

    return read


def _amount(value: object) -> Decimal:
    if isinstance(value, str):
        return read_amount(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a decimal number")
    if value < 0:
        raise ValueError("must not be negative")
    return Decimal(value)


def _region(value: object) -> str:
    if not isinstance(value, str) or re.fullmatch(r"[A-Za-z0-9-]{2,16}", value) is None:
        raise ValueError("2 to 16 letters, digits or hyphens")
    return value.upper()


def _fulfilment(value: object) -> str:
    if value not in (STOCK, SUPPLIER, STOCK_FIRST):
        raise ValueError(f"one of {STOCK}, {SUPPLIER}, {STOCK_FIRST}")
    return str(value)


def _comparison(value: object) -> str:
    if value not in (EXACT, FOLDED):
        raise ValueError(f"one of {EXACT}, {FOLDED}")
    return str(value)


def _threshold(value: object) -> int:
    count = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10 else value
    if isinstance(count, bool) or not isinstance(count, int | Decimal) or count != int(count):
        raise ValueError("must be a whole number")
    if not 1 <= count <= MAX_THRESHOLD:
        raise ValueError(f"must be 1 to {MAX_THRESHOLD:,}")
    return int(count)


def _active(value: object) -> bool:
    if isinstance(value, bool):
        return value
    found = _YES_NO.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("true or false")
    return found


_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _requirements(value: object) -> tuple[Requirement, ...]:
    found = tuple(_from_cell(value) if isinstance(value, str) else _from_list(value))
    if len({one.id for one in found}) != len(found):
        raise ValueError("an id occurs twice")
    return found


def _requirement(key: str, name: str, required: bool) -> Requirement:
    try:
        made = Requirement(text.identifier(key), text.name(name), required)
    except TextError as error:
        raise ValueError(f"an id and a name {error}") from error
    if len(made.id) > MAX_ID_LENGTH:
        raise ValueError(f"an id must have at most {MAX_ID_LENGTH} characters")
    return made


def _from_cell(cell: str) -> Iterator[Requirement]:
    for part in cell.split(";"):
        if not part.strip():
            continue
        key, colon, name = part.partition(":")
        if not colon:
            raise ValueError("written like id:name;id2:name2?")
        name = name.strip()
        yield _requirement(key, name.removesuffix("?"), not name.endswith("?"))


def _from_list(value: object) -> Iterator[Requirement]:
    if not isinstance(value, list):
        raise ValueError('must be a list of {"id", "name", "required"}')
    for item in value:
        key, name = (item.get("id"), item.get("name")) if isinstance(item, dict) else (None, None)
        required = item.get("required", True) if isinstance(item, dict) else None
        if not isinstance(key, str) or not isinstance(name, str) or not isinstance(required, bool):
            raise ValueError('must be a list of {"id", "name", "required"}')
        yield _requirement(key, name, required)


_READERS: dict[str, Callable[[object], object]] = {
    "id": _text(text.identifier, MAX_ID_LENGTH),
    "sku": _text(text.sku),
    "name": _text(text.name),
    "category": _text(text.name),
    "price": _amount,
    "description": _text(text.note),
    "region": _region,
    "fulfilment": _fulfilment,
    "supplier": _text(text.name, text.MAX_IDENTIFIER),
    "supplierSku": _text(text.sku),
    "cost": _amount,
    "requireData": _requirements,
    "codeComparison": _comparison,
    "codePattern": _text(code_pattern),
    "pinPattern": _text(part_pattern),
    "serialPattern": _text(part_pattern),
    "lowStock": _threshold,
    "active": _active,
}
_CANONICAL_NAMES = {name.lower(): name for name in (*_READERS, *READ_ONLY)}
