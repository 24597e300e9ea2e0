"""Tables of deposits, integrations' limits and payments."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint, text
from sqlalchemy.schema import Table

from bedesten.core.money import MAX_MINOR
from bedesten.store import sql
from bedesten.store.sql import blob, integer, metadata, timestamp

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
    integer("amount", CheckConstraint(f"amount > 0 AND amount < {MAX_MINOR}", name="amount")),
    integer("state", CheckConstraint("state IN (0, 1, 2, 3)", name="state")),
    timestamp("created"),
    timestamp("updated"),
    integer("approval", CheckConstraint("approval IN (0, 1, 2)", name="approval")),
    CheckConstraint("state <> 3 OR approval = 1", name="awaits_an_approval"),
    CheckConstraint("state <> 1 OR approval <> 1", name="never_booked_unapproved"),
    UniqueConstraint("integration_id", "reference", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "integration_id"], ["accounts.tenant_id", "accounts.id"]),
    ForeignKeyConstraint(["tenant_id", "partner_id"], ["accounts.tenant_id", "accounts.id"]),
)

"""`approval`: 0 not needed, 1 needed, 2 given."""

integration_limits = Table(
    "integration_limits",
    metadata,
    sql.text("tenant_id"),
    sql.text("integration_id"),
    integer("max_deposit", CheckConstraint("max_deposit > 0", name="max_deposit"), null=True),
    integer("confirm_above", CheckConstraint("confirm_above > 0", name="confirm_above"), null=True),
    PrimaryKeyConstraint("tenant_id", "integration_id"),
    ForeignKeyConstraint(["tenant_id", "integration_id"], ["accounts.tenant_id", "accounts.id"]),
)
"""What a payment integration may deposit, in minor units; NULL means no limit."""

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
    integer("amount", CheckConstraint(f"amount > 0 AND amount < {MAX_MINOR}", name="amount")),
    integer("state", CheckConstraint("state IN (0, 1, 2, 3)", name="state")),
    timestamp("created"),
    timestamp("updated"),
    integer("refusal", CheckConstraint("refusal IN (-401, -402)", name="refusal"), null=True),
    sql.text("refused_items", null=True),
    CheckConstraint("(state = 3) = (refusal IS NOT NULL)", name="refused_with_a_number"),
    UniqueConstraint("integration_id", "reference", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "integration_id"], ["accounts.tenant_id", "accounts.id"]),
    ForeignKeyConstraint(["tenant_id", "order_id"], ["orders.tenant_id", "orders.id"]),
)
"""`refusal` is the number of the refusal that ended a payment; `refused_items` are its lines as JSON."""
Index(
    "uq_payments_captured",
    payments.c.order_id,
    unique=True,
    sqlite_where=text("state = 1"),
    postgresql_where=text("state = 1"),
)
Index(None, payments.c.order_id)
