"""Tables of purchases and of the cards that they bring."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.schema import Table

from bedesten.core.money import MAX_MINOR
from bedesten.store import sql
from bedesten.store.sql import integer, metadata, partial_index, timestamp

purchases = Table(
    "purchases",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("assignment_id"),
    sql.text("line_id"),
    sql.text("supplier_id"),
    sql.text("reference"),
    sql.text("external_id"),
    sql.text("face_value", null=True),
    integer("quantity", CheckConstraint("quantity BETWEEN 1 AND 1000", name="quantity")),
    integer("unit_cost", CheckConstraint(f"unit_cost >= 0 AND unit_cost < {MAX_MINOR}", name="unit_cost")),
    sql.text("currency"),
    integer("state", CheckConstraint("state BETWEEN 0 AND 6", name="state")),
    integer("lease", CheckConstraint("lease >= 0", name="lease")),
    integer("attempts", CheckConstraint("attempts >= 0", name="attempts")),
    timestamp("next_at"),
    timestamp("placed", null=True),
    timestamp("cancel_sent", null=True),
    sql.text("external_order", null=True),
    integer("charged", CheckConstraint(f"charged >= 0 AND charged < {MAX_MINOR}", name="charged"), null=True),
    sql.text("last_error", null=True),
    timestamp("created"),
    timestamp("updated"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("assignment_id", "tenant_id"),
    UniqueConstraint("reference", "tenant_id"),
    CheckConstraint("state IN (0, 4, 5) OR placed IS NOT NULL", name="sent"),
    ForeignKeyConstraint(["tenant_id", "assignment_id"], ["line_assignments.tenant_id", "line_assignments.id"]),
    ForeignKeyConstraint(["tenant_id", "line_id"], ["order_lines.tenant_id", "order_lines.id"]),
    ForeignKeyConstraint(["tenant_id", "supplier_id"], ["accounts.tenant_id", "accounts.id"]),
    sqlite_with_rowid=False,
)
"""One row for each assignment that is bought. `reference` is our id of the purchase at the supplier, `external_order`
the supplier's id. `unit_cost` is the agreed cost in minor units. `lease` counts the leases: a worker books only while
the number is still that of its own lease. `attempts` counts the calls since the state changed. `next_at` is a time by
the database's clock; `placed` is when the call that buys was sent last; `charged` is the amount that the supplier says
it charged."""
partial_index("ix_purchases_due", purchases.c.next_at, where="state IN (0, 1, 2)")
Index(None, purchases.c.line_id)
Index(None, purchases.c.supplier_id, purchases.c.state)

purchase_cards = Table(
    "purchase_cards",
    metadata,
    sql.text("tenant_id"),
    sql.text("purchase_id"),
    sql.text("card"),
    sql.text("outcome", CheckConstraint("outcome IN ('delivered', 'stocked', 'unusable')", name="outcome")),
    timestamp("booked"),
    PrimaryKeyConstraint("tenant_id", "purchase_id", "card"),
    ForeignKeyConstraint(["tenant_id", "purchase_id"], ["purchases.tenant_id", "purchases.id"]),
    sqlite_with_rowid=False,
)
"""Cards that were booked, by the supplier's id of each: delivered to the buyer, put into stock because the line no
longer needed them, or unusable (no valid code, one that the shop had before, or one that does not match the product's
patterns)."""
