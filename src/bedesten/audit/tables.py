"""The one table of the trail."""

from sqlalchemy import Index
from sqlalchemy.schema import Table

from bedesten.store.sql import inserting, integer, metadata, text

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
    integer("at"),
)
Index(None, audit.c.tenant_id, audit.c.id)
"""`tenant_id` is `-` for what concerns the installation as a whole."""

APPEND = inserting(audit)
