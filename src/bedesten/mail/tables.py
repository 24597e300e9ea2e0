"""Tables of mails and of their numbers by address."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint
from sqlalchemy.schema import Table

from bedesten.store.sql import blob, integer, metadata, partial_index, text, timestamp

mails = Table(
    "mails",
    metadata,
    text("id"),
    text("tenant_id", ForeignKey("tenants.id")),
    text(
        "kind",
        CheckConstraint(
            "kind IN ('reset', 'verify', 'password', 'partner-reset', 'partner-password', 'email', 'email-changed')",
            name="kind",
        ),
    ),
    text("recipient"),
    integer("state", CheckConstraint("state BETWEEN 0 AND 4", name="state")),
    integer("attempts", CheckConstraint("attempts >= 0", name="attempts")),
    timestamp("next_at"),
    timestamp("expires"),
    text("error", null=True),
    text("actor"),
    timestamp("created"),
    timestamp("updated"),
    PrimaryKeyConstraint("tenant_id", "id"),
)
"""`recipient` is a canonical e-mail, with or without an account; `actor` asked for the mail. There is no content: it is
written when the mail is sent. `error` is the result of the last attempt, without the server's words."""
partial_index("ix_mails_waiting", mails.c.next_at, where="state = 0")
Index(None, mails.c.recipient)
Index(None, mails.c.updated)

mail_counts = Table(
    "mail_counts",
    metadata,
    text("tenant_id"),
    blob("recipient"),
    timestamp("since"),
    integer("mails", CheckConstraint("mails >= 0", name="mails")),
    PrimaryKeyConstraint("tenant_id", "recipient", "since"),
)
"""Number of mails to an address (a keyed digest of it and of the period) in the hour or day that begins at `since`."""
Index(None, mail_counts.c.since)
