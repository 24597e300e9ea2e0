"""Tables of events, endpoints and deliveries."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint, text
from sqlalchemy.schema import Table

from bedesten.store import sql
from bedesten.store.sql import blob, integer, metadata, timestamp

events = Table(
    "events",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("owner_id"),
    sql.text("type"),
    sql.text("object_id"),
    integer("sequence", CheckConstraint("sequence >= 1", name="sequence")),
    sql.text("line_id", null=True),
    integer("status", null=True),
    sql.text("body", null=True),
    timestamp("created"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("object_id", "sequence", "owner_id", "tenant_id"),
    CheckConstraint("(line_id IS NULL) = (status IS NULL)", name="line_and_status"),
    CheckConstraint("(line_id IS NULL) = (body IS NOT NULL)", name="body"),
    ForeignKeyConstraint(["tenant_id", "line_id"], ["order_lines.tenant_id", "order_lines.id"]),
    ForeignKeyConstraint(["tenant_id", "owner_id"], ["accounts.tenant_id", "accounts.id"]),
    sqlite_with_rowid=False,
)
"""`owner_id` is the account that receives the event. `sequence` counts the events of one object for one owner. An
event of an order line (`line_id`, `status`) has no stored body, because the body may contain codes; every other event
stores its body, a JSON object without secrets."""

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    sql.text("id", key=True),
    sql.text("tenant_id"),
    sql.text("owner_id"),
    sql.text("url", null=True),
    sql.text("event_types", null=True),
    blob("secret"),
    blob("outbound_key"),
    timestamp("created"),
    UniqueConstraint("owner_id", "tenant_id"),
    UniqueConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "owner_id"], ["accounts.tenant_id", "accounts.id"]),
)
"""An account has one endpoint for now. `url` NULL: only orders with their own `notifyUrl` are delivered.
`event_types` names the chosen types, with a space before and after each; NULL: every type. `secret` and
`outbound_key` are encrypted with the tenant's data key."""

deliveries = Table(
    "deliveries",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("event_id"),
    sql.text("endpoint_id"),
    sql.text("url"),
    integer("state", CheckConstraint("state IN (0, 1, 2)", name="state")),
    integer("attempts"),
    timestamp("next_at"),
    integer("last_status", null=True),
    sql.text("last_error", null=True),
    timestamp("updated"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("event_id", "endpoint_id", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "event_id"], ["events.tenant_id", "events.id"]),
    ForeignKeyConstraint(["tenant_id", "endpoint_id"], ["webhook_endpoints.tenant_id", "webhook_endpoints.id"]),
    sqlite_with_rowid=False,
)
Index("ix_deliveries_due", deliveries.c.next_at, sqlite_where=text("state = 0"), postgresql_where=text("state = 0"))
