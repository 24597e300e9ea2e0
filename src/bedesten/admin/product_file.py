"""Reads a catalogue from a file (`record_file`). Pure: bytes in, rows and problems out.

A field that the file does not mention stays as it is; an empty cell (JSON: null) clears the field. Amounts are exact
decimals. In CSV `requireData` is written `id:name;id2:name2?`, where `?` says that the buyer may leave it out; in JSON it
is a list of `{"id", "name", "required"}`.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from bedesten.admin.record_file import MAX_FILE_BYTES as MAX_FILE_BYTES
from bedesten.admin.record_file import RecordFormat, read_records, region_code, text_of, truth
from bedesten.admin.record_file import Row as Row
from bedesten.catalogue.actions import STOCK, STOCK_FIRST, SUPPLIER, Requirement
from bedesten.catalogue.code import EXACT, FOLDED
from bedesten.catalogue.code_pattern import code_pattern, part_pattern
from bedesten.catalogue.stock_alarms import MAX_THRESHOLD
from bedesten.core import text
from bedesten.core.ids import MAX_ID_LENGTH
from bedesten.core.money import read_amount
from bedesten.core.text import TextError

DONE = "imported"
MAX_FILE_ROWS = 10_000
"""One transaction writes the whole file while other writers wait; a longer catalogue needs several files."""
READ_ONLY = frozenset({"currency", "offered", "available", "updated", "status", "proposedName", "lowSince"})
"""Columns of `products list` that an import ignores."""


def read_rows(source: str, raw: bytes) -> list[Row]:
    """The rows of the file `source`. Raises `Refusal`: `BAD_REQUEST` with every problem of every row, `TOO_LARGE`."""
    return read_records(source, raw, _PRODUCTS, MAX_FILE_ROWS, MAX_FILE_BYTES)


def _without_name(values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    if values.get("sku") in (None, "") and values.get("id") in (None, ""):
        yield "sku", "is required, or the id of a product"


def _amount(value: object) -> Decimal:
    if isinstance(value, str):
        return read_amount(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a decimal number")
    if value < 0:
        raise ValueError("must not be negative")
    return Decimal(value)


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
    "id": text_of(text.identifier, MAX_ID_LENGTH),
    "sku": text_of(text.sku),
    "name": text_of(text.name),
    "category": text_of(text.name),
    "price": _amount,
    "description": text_of(text.note),
    "region": region_code,
    "fulfilment": _fulfilment,
    "supplier": text_of(text.name, text.MAX_IDENTIFIER),
    "supplierSku": text_of(text.sku),
    "cost": _amount,
    "requireData": _requirements,
    "codeComparison": _comparison,
    "codePattern": text_of(code_pattern),
    "pinPattern": text_of(part_pattern),
    "serialPattern": text_of(part_pattern),
    "lowStock": _threshold,
    "active": truth,
}
_PRODUCTS = RecordFormat("products", _READERS, done=DONE, missing=_without_name, ignored=READ_ONLY)
