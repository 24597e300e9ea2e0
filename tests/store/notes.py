"""A row to write and to read where a test is not about money: a remembered answer, which refers to nothing."""

from bedesten.store.tables import INSERT_ANSWER, STORED_ANSWER
from bedesten.store.transaction import Transaction

WRITER = "somebody"


def put(tx: Transaction, name: str, text: str = "text") -> bool:
    """Writes a note once. False if there was one of this name."""
    return bool(tx.run(INSERT_ANSWER, owner_id=WRITER, key=name, digest=b"d" * 32, answer=text, created=tx.now))


def get(tx: Transaction, name: str) -> str | None:
    """What a note says."""
    row = tx.one(STORED_ANSWER, owner_id=WRITER, key=name)
    return None if row is None else str(row[1])


COUNT = "SELECT count(*) FROM idempotency WHERE tenant_id = :tenant"
NAMES = "SELECT key FROM idempotency WHERE tenant_id = :tenant ORDER BY key"
CLOCK = "SELECT created FROM idempotency WHERE tenant_id = :tenant ORDER BY key"
