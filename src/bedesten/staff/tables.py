"""Tables of staff members and their sessions."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.schema import Table

from bedesten.store.sql import blob, integer, metadata, text, timestamp

staff = Table(
    "staff",
    metadata,
    text("id", key=True),
    text("tenant_id", ForeignKey("tenants.id"), null=True),
    text("email"),
    text("name"),
    text("roles"),
    text("password", null=True),
    text("pepper_id", null=True),
    integer("disabled", CheckConstraint("disabled IN (0, 1)", name="disabled")),
    blob("setup_digest", null=True),
    timestamp("setup_expires", null=True),
    timestamp("created"),
    UniqueConstraint("email"),
    UniqueConstraint("setup_digest"),
    CheckConstraint("(password IS NULL) = (pepper_id IS NULL)", name="password"),
    CheckConstraint("(setup_digest IS NULL) = (setup_expires IS NULL)", name="setup"),
)
"""`tenant_id` NULL: the member works for the whole installation. `roles` are separated by spaces. `password` is NULL until
the member has chosen one; `setup_digest` is the keyed digest of the setup code."""

staff_sessions = Table(
    "staff_sessions",
    metadata,
    blob("digest", key=True),
    text("staff_id", ForeignKey("staff.id")),
    timestamp("created"),
    timestamp("used"),
    timestamp("expires"),
    text("address"),
)
"""Open sessions, by the keyed digest of their token. The row is deleted when the session ends. `used` is when the session
was used last, to a minute."""
Index(None, staff_sessions.c.staff_id)
Index(None, staff_sessions.c.expires)
