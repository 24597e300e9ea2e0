"""The statistics by which SQLite chooses indexes: the same for every store, so that plans do not depend on its data.

Without statistics SQLite considers all indexes equally good. Most tables are stored in the order of (tenant, id), which
saves a look-up, so SQLite read all rows of a tenant to find those of one buyer or of one order. `ANALYZE` would count
the rows only once: a store that was small then would be slow when it is large.
"""

from collections.abc import Callable, Iterable
from typing import Any

Execute = Callable[[str], Iterable[Any]]

UNSELECTIVE = frozenset({"tenant_id", "kind"})
"""Columns whose value many rows share. An index that begins with one of them is the last choice."""
ROWS, SAME, FEW = 1_000_000, 100_000, 10
"""Assumed: rows of a table; rows that share a value of such a column; rows left by one more column."""


def write(execute: Execute) -> None:
    """Writes the statistics, if there are none yet. Connections that are opened afterwards use them."""
    names = {name for (name,) in execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    wanted = {row for table in names if not table.startswith("sqlite_") for row in _rows_of(execute, table)}
    if "sqlite_stat1" in names:
        if {tuple(row) for row in execute("SELECT tbl, idx, stat FROM sqlite_stat1")} == wanted:
            return
    else:
        execute("ANALYZE alembic_version")  # creates the statistics table
    for table in ("sqlite_stat1", *({"sqlite_stat4"} & names)):  # the second one holds samples, if ANALYZE was run
        execute(f"DELETE FROM {table}")  # noqa: S608
    for row in sorted(wanted):
        execute(f"INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES {row}")  # noqa: S608 (names of our own tables)


def _rows_of(execute: Execute, table: str) -> Iterable[tuple[str, str, str]]:
    for _, index, unique, _, _ in list(execute(f"PRAGMA index_list('{table}')")):
        first, *others = [name for _, _, name in execute(f"PRAGMA index_info('{index}')")]
        if first in UNSELECTIVE and others:
            counts = [ROWS, SAME, *(FEW for _ in others)]
            counts[-1] = 1 if unique else FEW
            yield table, index, " ".join(map(str, counts))
