"""Tables of events, endpoints, deliveries and the attempts of each delivery."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.schema import Table

from bedesten.store import sql
from bedesten.store.sql import blob, integer, metadata, one_of, partial_index, timestamp

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
    integer("test", CheckConstraint("test IN (0, 1)", name="test")),
    sql.text("request_id", null=True),
    timestamp("created"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("object_id", "sequence", "owner_id", "tenant_id"),
    CheckConstraint("(line_id IS NULL) = (status IS NULL)", name="line_and_status"),
    CheckConstraint("(line_id IS NULL) = (body IS NOT NULL)", name="body"),
    ForeignKeyConstraint(["tenant_id", "line_id"], ["order_lines.tenant_id", "order_lines.id"]),
    ForeignKeyConstraint(["tenant_id", "owner_id"], ["accounts.tenant_id", "accounts.id"]),
    sqlite_with_rowid=False,
)
"""`owner_id` is the account that receives the event. `sequence` counts the events of one object for one owner. An event
of an order line (`line_id`, `status`) has no stored body, because the body may contain codes; every other event stores
its body, a JSON object without secrets. `test` marks an event that the account requested to test its receiver.
`request_id` is the request that caused the event; NULL if the worker, a command or the console did."""

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    sql.text("id", key=True),
    sql.text("tenant_id"),
    sql.text("owner_id"),
    sql.text("url", null=True),
    sql.text("event_types", null=True),
    integer("state", CheckConstraint("state IN (0, 1, 2, 3)", name="state")),
    blob("secret"),
    blob("previous_secret", null=True),
    timestamp("previous_until", null=True),
    blob("outbound_key"),
    timestamp("failing_since", null=True),
    timestamp("changed"),
    timestamp("created"),
    UniqueConstraint("tenant_id", "id"),
    CheckConstraint("(previous_secret IS NULL) = (previous_until IS NULL)", name="previous_secret"),
    ForeignKeyConstraint(["tenant_id", "owner_id"], ["accounts.tenant_id", "accounts.id"]),
)
"""`url` NULL: only orders with their own `notifyUrl` are delivered. `event_types` names the chosen types, with a space
before and after each; NULL: every type. The secrets and `outbound_key` are encrypted with the tenant's data key;
`previous_secret` signs too until `previous_until`. `failing_since` is the time of the first failed attempt after the last
success. `changed` is when URL or types last changed."""
Index("ix_webhook_endpoints_owner", webhook_endpoints.c.owner_id, webhook_endpoints.c.tenant_id)

deliveries = Table(
    "deliveries",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("event_id"),
    sql.text("endpoint_id"),
    sql.text("url"),
    integer("order_url", CheckConstraint("order_url IN (0, 1)", name="order_url")),
    sql.text("script", CheckConstraint("script IN ('fail', 'repeat')", name="script"), null=True),
    integer("state", CheckConstraint(one_of("state", 0, 1, 2, 3), name="state")),
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
"""`order_url`: the order named the URL, and the endpoint only signs. `script` is the simulator's instruction for the
next attempt: fail without being sent, or repeat after success."""
partial_index("ix_deliveries_due", deliveries.c.next_at, where="state = 0")
partial_index("ix_deliveries_held", deliveries.c.endpoint_id, where="state = 3")
Index("ix_deliveries_endpoint", deliveries.c.endpoint_id, deliveries.c.id)

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("delivery_id"),
    timestamp("at"),
    integer("http_status", null=True),
    sql.text("error", null=True),
    integer("duration_ms"),
    PrimaryKeyConstraint("tenant_id", "delivery_id", "id"),
    ForeignKeyConstraint(["tenant_id", "delivery_id"], ["deliveries.tenant_id", "deliveries.id"]),
    sqlite_with_rowid=False,
)
"""`http_status` is NULL if the receiver did not answer; `error` is NULL if it accepted the delivery."""
Index("ix_delivery_attempts_at", delivery_attempts.c.at)
