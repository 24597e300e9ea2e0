"""Creates tenants from a file (`record_file`), all or none.

A record has `name`, `hosts`, and if they differ from the defaults `sandbox`, `currency` and `region`. In CSV hosts are
separated by spaces or semicolons.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from bedesten.admin.record_file import Problems, RecordFormat, Row, read_records, region_code, text_of, texts, truth
from bedesten.core import text
from bedesten.errors import Refusal
from bedesten.store.transaction import SystemTransaction
from bedesten.tenants import actions as tenants
from bedesten.tenants.actions import NewTenant
from bedesten.tenants.cipher import TenantCipher

MAX_TENANTS: Final = 1_000
"""One transaction creates them all, during which other writers wait on SQLite."""


def read(source: str, raw: bytes) -> list[Row]:
    """The tenants of the file `source`. Raises `Refusal`: -2 with every problem of every row, -5."""
    return read_records(source, raw, _TENANTS, MAX_TENANTS)


def hosts_of(rows: Sequence[Row]) -> list[str]:
    """Every host of the file, as written."""
    return [host for row in rows for host in cast(tuple[str, ...], row.fields["hosts"])]


def create_all(
    tx: SystemTransaction, cipher: TenantCipher, source: str, rows: Sequence[Row]
) -> list[dict[str, object]]:
    """Creates the tenants, all or none. Raises `Refusal` (-2) with every problem of every row.

    Names and hosts that occur twice in the file, or already exist in the store, are problems.
    """
    problems = Problems(source, _TENANTS.done)
    seen: set[str] = set()
    made = []
    for row in rows:
        new = _tenant(row)
        folded = text.key(new.name)
        if folded in seen:
            problems.add(row.line, "name", "occurs twice in the file")
            continue
        seen.add(folded)
        try:
            made.append(tenants.insert_tenant(tx, cipher, new))
        except Refusal as refusal:
            for field, problem in (refusal.fields or {"": str(refusal.cause)}).items():
                problems.add(row.line, "hosts" if field == "host" else field, problem)
    problems.refuse_if_any()
    return tenants.announce(tx, made)


def _tenant(row: Row) -> NewTenant:
    given = {name: value for name, value in row.fields.items() if value is not None}
    return NewTenant(**given)  # type: ignore[arg-type]  # read by `_READERS`


def _missing(values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name in ("name", "hosts"):
        if values.get(name) in (None, "", []):
            yield name, "is required"


def _currency(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")
    return value.upper()


_READERS = {
    "name": text_of(text.name),
    "hosts": texts,
    "sandbox": truth,
    "currency": _currency,
    "region": region_code,
}
_TENANTS = RecordFormat("tenants", _READERS, done="created", missing=_missing)
