"""Writes that leave nothing behind: they show whether PostgreSQL takes any."""

from bedesten.store.transaction import StoreUnavailable, SystemTransaction

_PROBE = "SELECT current_setting('transaction_read_only'), pg_logical_emit_message(true, 'bedesten', 'a write')"
"""Writes something that no table shows: COMMIT then takes the way of every other one, standbys included."""

_PROBE_ROOM = (
    "SET LOCAL temp_tablespaces = ''",
    """
CREATE TEMPORARY TABLE bedesten_room ON COMMIT DROP AS
SELECT repeat('x', 1900) AS filler FROM generate_series(1, 512)
""",
)
"""Takes 1 MiB in the tablespace of the database, where its tables are, and gives it back. None of it is in the log."""


def probe(tx: SystemTransaction) -> None:
    """Raises `StoreUnavailable` if the database is read-only; whether COMMIT is answered shows the rest."""
    if tx.text(_PROBE)[0] == "on":
        raise StoreUnavailable("the database is read-only")


def probe_room(tx: SystemTransaction) -> None:
    """Raises the error of the driver if no table can grow."""
    for sql in _PROBE_ROOM:
        tx.text(sql)
