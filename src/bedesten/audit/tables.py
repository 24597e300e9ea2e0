"""The trail's tables. Triggers (migration 0002) let nothing be changed or deleted in them, whoever asks."""

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
"""`tenant_id` is `-` for what concerns the installation as a whole. `seq` and `hash` are
filled when the row is sealed into the chain; before and after that nothing of it may change."""

_UNSEALED = fragment("seq IS NULL")
Index("ix_audit_unsealed", audit.c.at, audit.c.id, sqlite_where=_UNSEALED, postgresql_where=_UNSEALED)

audit_chain = Table(
    "audit_chain",
    metadata,
    integer("id", CheckConstraint("id = 1", name="single"), key=True),
    integer("seq"),
    blob("hash"),
)
"""The last sealed row: its number and its hash. Rows are sealed, in order, a moment after they were written."""

APPEND = insert_of(audit)
