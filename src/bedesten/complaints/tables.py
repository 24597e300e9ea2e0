"""Tables of complaints and of a tenant's settings for them."""

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    PrimaryKeyConstraint,
    UniqueConstraint,
)
from sqlalchemy.schema import Table

from bedesten.core.money import MAX_MINOR
from bedesten.store import sql
from bedesten.store.sql import blob, integer, metadata, partial_index, timestamp

complaints = Table(
    "complaints",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("order_id"),
    sql.text("line_id"),
    sql.text("buyer_id"),
    sql.text("code_id", null=True),
    sql.text("subject"),
    sql.text("supplier_id", null=True),
    integer("earned", CheckConstraint(f"earned >= 0 AND earned < {MAX_MINOR}", name="earned")),
    sql.text("origin", CheckConstraint("origin IN ('buyer', 'operator', 'recall')", name="origin")),
    sql.text("reason"),
    blob("digest"),
    blob("ciphertext"),
    integer("state", CheckConstraint("state IN (0, 1, 2, 3, 4)", name="state")),
    sql.text("proposal", CheckConstraint("proposal IN ('replace', 'refund', 'reject')", name="proposal"), null=True),
    integer("proposed_amount", CheckConstraint("proposed_amount > 0", name="proposed_amount"), null=True),
    blob("proposal_ciphertext", null=True),
    blob("answer_ciphertext", null=True),
    sql.text("decided_by", null=True),
    integer("refunded", CheckConstraint(f"refunded >= 0 AND refunded < {MAX_MINOR}", name="refunded")),
    integer("charged", CheckConstraint("charged >= 0 AND charged <= earned", name="charged")),
    sql.text("replacement_id", null=True),
    timestamp("created"),
    timestamp("updated"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("replacement_id", "tenant_id"),
    CheckConstraint("subject = coalesce(code_id, line_id)", name="subject"),
    CheckConstraint("(state = 1) = (replacement_id IS NOT NULL)", name="replacement"),
    CheckConstraint("(state = 2) = (refunded > 0)", name="refund"),
    CheckConstraint("(state IN (1, 2, 3)) = (decided_by IS NOT NULL)", name="decided"),
    ForeignKeyConstraint(["tenant_id", "order_id"], ["orders.tenant_id", "orders.id"]),
    ForeignKeyConstraint(["tenant_id", "line_id"], ["order_lines.tenant_id", "order_lines.id"]),
    ForeignKeyConstraint(["tenant_id", "buyer_id"], ["accounts.tenant_id", "accounts.id"]),
    ForeignKeyConstraint(["tenant_id", "supplier_id"], ["accounts.tenant_id", "accounts.id"]),
    sqlite_with_rowid=False,
)
"""`code_id` is NULL for a line that was delivered by a note alone; `subject` is the code, or that line. `earned` is
what `supplier_id` earned with the unit, `charged` the part of it that was taken back, `refunded` what the buyer got
back: all in minor units. `ciphertext` has the buyer's text and evidence; `digest` covers what the buyer said, so that a
repeated complaint is recognised."""

partial_index(
    "ux_complaints_subject", complaints.c.subject, complaints.c.tenant_id, where="state IN (0, 1, 2)", unique=True
)
partial_index("ix_complaints_open", complaints.c.tenant_id, complaints.c.id, where="state = 0")
Index(None, complaints.c.buyer_id, complaints.c.id)
Index(None, complaints.c.supplier_id, complaints.c.id)
Index(None, complaints.c.line_id)

complaint_settings = Table(
    "complaint_settings",
    metadata,
    sql.text("tenant_id", ForeignKey("tenants.id"), key=True),
    integer("supplier_decides", CheckConstraint("supplier_decides IN (0, 1)", name="supplier_decides")),
    integer("days", CheckConstraint("days BETWEEN 1 AND 3650", name="days")),
)
"""`days` is how long after a delivery a buyer may complain, for products without a time of their own
(`products.complaint_days`). `supplier_decides`: a supplier's answer takes effect at once. Without a row it is a
proposal, and the operator decides."""
