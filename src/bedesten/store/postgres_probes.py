"""Test writes that leave nothing behind: they show whether PostgreSQL accepts writes."""

from bedesten.store.transaction import StoreUnavailable, SystemTransaction

_PROBE = "SELECT current_setting('transaction_read_only'), pg_logical_emit_message(true, 'bedesten', 'a write')"
"""Writes a WAL record and no row: so COMMIT does all that any other one does, and waits for standbys too."""

_PROBE_ROOM = (
    "SET LOCAL temp_tablespaces = ''",
    """
CREATE TEMPORARY TABLE bedesten_room ON COMMIT DROP AS
SELECT repeat('x', 1900) AS filler FROM generate_series(1, 512)
""",
)
"""Allocates 1 MiB in the database's tablespace, where its tables are, and frees it. None of it is in the WAL."""


def probe(tx: SystemTransaction) -> None:
    """Raises `StoreUnavailable` if the database is read-only; whether COMMIT is answered shows the rest."""
    if tx.text(_PROBE)[0] == "on":
        raise StoreUnavailable("the database is read-only")


def probe_room(tx: SystemTransaction) -> None:
    """Raises the driver's error if no table can grow."""
    for sql in _PROBE_ROOM:
        tx.text(sql)
