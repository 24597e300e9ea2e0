"""The tables of the audit trail. Triggers (migration 0001) prevent every change and deletion in them."""

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy import text as fragment
from sqlalchemy.schema import Table

from bedesten.store.sql import blob, insert_of, integer, metadata, text, timestamp

audit = Table(
    "audit",
    metadata,
    text("id", key=True),
    text("tenant_id"),
    text("actor"),
    text("action"),
    text("subject"),
    text("detail"),
    text("request_id", null=True),
    timestamp("at"),
    integer("seq", null=True),
    blob("hash", null=True),
    UniqueConstraint("seq"),
)
Index(None, audit.c.tenant_id, audit.c.id)
"""`tenant_id` is `-` in rows about the installation as a whole. Sealing a row into the chain sets `seq` and `hash`;
nothing else of a row ever changes."""

_UNSEALED = fragment("seq IS NULL")
# No `partial_index`: queries read the whole index in its order, which SQLite would not do for a condition on `at`.
Index("ix_audit_unsealed", audit.c.at, audit.c.id, sqlite_where=_UNSEALED, postgresql_where=_UNSEALED)

audit_chain = Table(
    "audit_chain",
    metadata,
    integer("id", CheckConstraint("id = 1", name="single"), key=True),
    integer("seq"),
    blob("hash"),
)
"""The head of the chain: number and hash of the last sealed row. Rows are sealed in order, shortly after they are
written."""

APPEND = insert_of(audit)
