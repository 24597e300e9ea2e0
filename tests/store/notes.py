"""A row for tests that are not about money: a stored answer, which has no foreign keys."""

from bedesten.store.tables import INSERT_ANSWER, STORED_ANSWER
from bedesten.store.transaction import Transaction

WRITER = "somebody"


def put(tx: Transaction, name: str, text: str = "text") -> bool:
    """Writes a note once. False if a note of this name exists."""
    return bool(tx.run(INSERT_ANSWER, owner_id=WRITER, key=name, digest=b"d" * 32, answer=text, created=tx.now))


def get(tx: Transaction, name: str) -> str | None:
    """The text of a note."""
    row = tx.one(STORED_ANSWER, owner_id=WRITER, key=name)
    return None if row is None else str(row[1])


COUNT = "SELECT count(*) FROM idempotency WHERE tenant_id = :tenant"
NAMES = "SELECT key FROM idempotency WHERE tenant_id = :tenant ORDER BY key"
CLOCK = "SELECT created FROM idempotency WHERE tenant_id = :tenant ORDER BY key"
