"""Reads records from a file: CSV with a header row, or JSON. Pure: bytes in, rows and problems out.

A `RecordFormat` says which fields a record has. JSON is a list of objects, or an object with that list as its only member,
as list commands print it. Columns and keys have the same names, in any order and any case. A field that the file does
not mention is absent from its row; an empty cell (JSON: null) is None.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from bedesten import errors
from bedesten.core import strict_json
from bedesten.core.text import Text
from bedesten.errors import Refusal

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_PROBLEMS = 100
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a file: its first line, and its fields; None clears a field."""

    line: int
    fields: Mapping[str, object]


class RecordFormat:
    """The records of one kind of file.

    `noun`: what a file holds, and the member of a JSON object that holds the list. `readers`: each parses a cell or a
    JSON value into a field, or raises ValueError. `ignored`: further names that a file may have. `done`: the participle
    for messages ("nothing was imported"). `missing`: yields a field and a problem for all that a record lacks.
    """

    def __init__(
        self,
        noun: str,
        readers: Mapping[str, Callable[[object], object]],
        *,
        done: str,
        missing: Callable[[Mapping[str, object]], Iterator[tuple[str, str]]],
        ignored: frozenset[str] = frozenset(),
    ) -> None:
        self.noun = noun
        self.readers = readers
        self.done = done
        self.missing = missing
        self.ignored = ignored
        self.canonical_names = {name.lower(): name for name in (*readers, *ignored)}


class Problems:
    """Collects the problems of a file by line and field, in the order in which they are found."""

    def __init__(self, source: str, done: str) -> None:
        self._source = source
        self._done = done
        self._found: dict[str, str] = {}
        self._count = 0

    def add(self, line: int, field: str, problem: str) -> None:
        """Adds a problem; beyond `MAX_PROBLEMS` only counts it."""
        self._count += 1
        if len(self._found) < MAX_PROBLEMS:
            self._found.setdefault(f"line {line}, {field}" if field else f"line {line}", problem)

    def refuse_if_any(self) -> None:
        """Raises `Refusal` (-2) with all of them."""
        if self._count:
            problems = "1 problem" if self._count == 1 else f"{self._count} problems"
            raise Refusal(
                errors.BAD_REQUEST, f"{self._source}: {problems}, nothing was {self._done}", fields=dict(self._found)
            )


def read_records(
    source: str, raw: bytes, form: RecordFormat, max_rows: int, max_bytes: int = MAX_FILE_BYTES
) -> list[Row]:
    """The rows of the file `source`. Raises `Refusal`: `BAD_REQUEST` with every problem of every row, `TOO_LARGE`."""
    if len(raw) > max_bytes:
        raise Refusal(errors.TOO_LARGE, f"{source}: more than {max_bytes >> 20} MiB; split the file")
    raw = raw.removeprefix(_BYTE_ORDER_MARK)
    problems = Problems(source, form.done)
    found = list(_json_rows(raw, form, problems) if _is_json(source, raw) else _csv_rows(raw, form, problems))
    problems.refuse_if_any()
    if len(found) > max_rows:
        raise Refusal(errors.TOO_LARGE, f"{source}: more than {max_rows} {form.noun}; split the file")
    return found


def _is_json(source: str, raw: bytes) -> bool:
    suffix = source.lower().rpartition(".")[2]
    return suffix == "json" or (suffix != "csv" and raw.lstrip()[:1] in (b"[", b"{"))


# --- CSV --------------------------------------------------------------------------------------------------------------


def _csv_rows(raw: bytes, form: RecordFormat, problems: Problems) -> Iterator[Row]:
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
                columns = _columns(cells, line, form, problems)
                if not columns:
                    return
            elif len(cells) != len(columns):
                problems.add(line, "", f"{len(cells)} cells, where the header has {len(columns)}")
            else:
                yield _row(line, dict(zip(columns, cells, strict=True)), form, problems)
    except csv.Error as error:
        problems.add(reader.line_num, "", f"not CSV: {error}")
    if columns is None:
        problems.add(1, "", "no header row")


_SEPARATOR_NAMES = {";": "semicolons", "\t": "tabs", "|": "bars"}


def _columns(cells: list[str], line: int, form: RecordFormat, problems: Problems) -> list[str]:
    columns: list[str] = []
    if len(cells) == 1 and (sign := next((one for one in ";\t|" if one in cells[0]), None)):
        problems.add(line, "", f"the columns are separated by {_SEPARATOR_NAMES[sign]}: separate them by commas")
        return columns
    for cell in cells:
        name = form.canonical_names.get(cell.strip().lower(), cell.strip())
        if name not in form.readers and name not in form.ignored:
            problems.add(line, name, f"no such column; there are {', '.join(form.readers)}")
        if name in columns:
            problems.add(line, name, "occurs twice")
        columns.append(name)
    return columns


# --- JSON -------------------------------------------------------------------------------------------------------------


def _json_rows(raw: bytes, form: RecordFormat, problems: Problems) -> Iterator[Row]:
    try:
        listed = strict_json.loads(raw, fold=True)
    except strict_json.StrictJsonError as error:
        problems.add(_line_of_error(raw), "", str(error))
        return
    if isinstance(listed, dict) and listed.keys() - {"nextcursor"} == {form.noun} and _is_page(listed):
        listed = listed[form.noun]
    if not isinstance(listed, list):
        problems.add(1, "", f'neither a list of objects nor {{"{form.noun}": [...]}}')
        return
    for line, item in zip(_lines(raw.decode("utf-8")), listed, strict=True):
        if not isinstance(item, dict):
            problems.add(line, "", "not an object")
            continue
        members = {form.canonical_names.get(str(name), str(name)): value for name, value in item.items()}
        for name in sorted(members.keys() - form.readers.keys() - form.ignored):
            problems.add(line, name, f"no such field; there are {', '.join(form.readers)}")
        yield _row(line, members, form, problems)


def _is_page(listed: Mapping[str, object]) -> bool:
    """Whether the page's cursor, if any, is an id without brackets: `_lines` takes the first bracket for the list's."""
    cursor = listed.get("nextcursor")
    return cursor is None or (isinstance(cursor, str) and cursor.replace("_", "").isalnum())


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


def _row(line: int, values: Mapping[str, object], form: RecordFormat, problems: Problems) -> Row:
    fields: dict[str, object] = {}
    for name, value in values.items():
        read = form.readers.get(name)
        if read is None:
            continue
        value = value.strip() if isinstance(value, str) else value
        try:
            fields[name] = None if value is None or value == "" else read(value)
        except ValueError as error:
            problems.add(line, name, str(error))
            fields[name] = None
    for name, problem in form.missing(values):
        problems.add(line, name, problem)
    return Row(line, fields)


def text_of(kind: Text, most: int | None = None) -> Callable[[object], str]:
    """Returns a reader for text of a kind, with at most `most` characters."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("must be text")
        read = kind(value)
        if most is not None and len(read) > most:
            raise ValueError(f"must have at most {most:,} characters")
        return read

    return read


def region_code(value: object) -> str:
    """Reads a region, in capitals."""
    if not isinstance(value, str) or re.fullmatch(r"[A-Za-z0-9-]{2,16}", value) is None:
        raise ValueError("2 to 16 letters, digits or hyphens")
    return value.upper()


def truth(value: object) -> bool:
    """Reads true or false, in CSV also yes, no, 1 and 0."""
    if isinstance(value, bool):
        return value
    found = _YES_NO.get(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("true or false")
    return found


_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def texts(value: object) -> tuple[str, ...]:
    """Reads a list of words; in a cell they are separated by spaces or semicolons."""
    found = re.split(r"[;\s]+", value.strip()) if isinstance(value, str) else value
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise ValueError("must be a list of texts")
    return tuple(found)
