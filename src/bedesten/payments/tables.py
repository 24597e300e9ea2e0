"""Deposits and payments."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.schema import Table

from bedesten.store import sql
from bedesten.store.sql import blob, integer, metadata

deposits = Table(
    "deposits",
    metadata,
    sql.text("id", key=True),
    sql.text("tenant_id"),
    sql.text("integration_id"),
    sql.text("partner_id"),
    sql.text("reference"),
    blob("digest"),
    sql.text("currency"),
    integer("amount", CheckConstraint("amount > 0", name="amount")),
    integer("state", CheckConstraint("state IN (0, 1, 2)", name="state")),
    integer("created"),
    integer("updated"),
    UniqueConstraint("integration_id", "reference", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "integration_id"], ["accounts.tenant_id", "accounts.id"]),
    ForeignKeyConstraint(["tenant_id", "partner_id"], ["accounts.tenant_id", "accounts.id"]),
)

payments = Table(
    "payments",
    metadata,
    sql.text("id", key=True),
    sql.text("tenant_id"),
    sql.text("integration_id"),
    sql.text("order_id"),
    sql.text("reference"),
    blob("digest"),
    sql.text("currency"),
    integer("amount", CheckConstraint("amount > 0", name="amount")),
    integer("state", CheckConstraint("state IN (0, 1, 2)", name="state")),
    integer("created"),
    integer("updated"),
    UniqueConstraint("integration_id", "reference", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "integration_id"], ["accounts.tenant_id", "accounts.id"]),
    ForeignKeyConstraint(["tenant_id", "order_id"], ["orders.tenant_id", "orders.id"]),
)
Index(
    "uq_payments_captured",
    payments.c.order_id,
    unique=True,
    sqlite_where=text("state = 1"),
    postgresql_where=text("state = 1"),
)
Index(None, payments.c.order_id)
