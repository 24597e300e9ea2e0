"""Tables of orders, their lines and the holders of checkouts."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.schema import Table

from bedesten.core.money import MAX_MINOR
from bedesten.store import sql
from bedesten.store.sql import blob, integer, metadata, one_of, partial_index, timestamp

orders = Table(
    "orders",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("surface", CheckConstraint("surface IN ('reseller', 'storefront')", name="surface")),
    sql.text("buyer_id"),
    sql.text("reference"),
    blob("digest"),
    sql.text("currency"),
    integer("total", CheckConstraint(f"total >= 0 AND total < {MAX_MINOR}", name="total")),
    sql.text("notify_url", null=True),
    integer("state", CheckConstraint(one_of("state", 0, 1, 2, 3), name="state")),
    timestamp("expires", null=True),
    timestamp("created"),
    sql.text("region"),
    integer("units", CheckConstraint("units >= 1", name="units")),
    blob("address", null=True),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "buyer_id"], ["accounts.tenant_id", "accounts.id"]),
    CheckConstraint("(state = 0) = (expires IS NOT NULL)", name="expires_while_unpaid"),
    CheckConstraint("state = 1 OR surface = 'storefront'", name="only_checkouts_are_open"),
    sqlite_with_rowid=False,
)
"""`digest` covers the normalised request: the same reference with another digest is a conflict. `region` and `address`
(a keyed digest) come from the request, because an expired checkout is checked again like a new order."""

partial_index("ix_orders_unpaid", orders.c.expires, where="state = 0")
partial_index("ix_orders_unpaid_buyer", orders.c.buyer_id, where="state = 0")
partial_index("ix_orders_unpaid_address", orders.c.address, where="state = 0")
Index("ix_orders_buyer", orders.c.buyer_id, orders.c.id)
Index("uq_orders_reference", orders.c.buyer_id, orders.c.reference, orders.c.tenant_id, unique=True)
# Created last, not with the table: of two indexes that look equally good (on an empty table all do), PostgreSQL takes
# the newer one. If that were the other index, PostgreSQL would read all orders of a buyer.

baskets = Table(
    "baskets",
    metadata,
    sql.text("tenant_id"),
    sql.text("customer_id"),
    integer("version", CheckConstraint("version >= 0", name="version")),
    sql.text("lines"),
    timestamp("updated"),
    PrimaryKeyConstraint("tenant_id", "customer_id"),
    ForeignKeyConstraint(["tenant_id", "customer_id"], ["accounts.tenant_id", "accounts.id"]),
)
"""The basket of each customer. `lines` is a JSON list of `basket.BasketLine`; `version` counts the changes."""

checkout_holders = Table(
    "checkout_holders",
    metadata,
    sql.text("tenant_id"),
    sql.text("holder"),
    timestamp("used"),
    PrimaryKeyConstraint("tenant_id", "holder"),
)
"""A row to lock for each customer, and each address (its digest in hexadecimal), with a recent checkout."""
Index(None, checkout_holders.c.used)

order_lines = Table(
    "order_lines",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("order_id"),
    integer("position"),
    sql.text("deliver_id"),
    sql.text("product_id"),
    sql.text("product_name"),
    integer("quantity", CheckConstraint("quantity BETWEEN 1 AND 1000", name="quantity")),
    integer("unit_price", CheckConstraint(f"unit_price >= 0 AND unit_price < {MAX_MINOR}", name="unit_price")),
    integer("unit_cost", CheckConstraint(f"unit_cost >= 0 AND unit_cost < {MAX_MINOR}", name="unit_cost"), null=True),
    integer("price"),
    integer("status", CheckConstraint(one_of("status", 0, 1, 2, 3), name="status")),
    integer("placed_status", CheckConstraint(one_of("placed_status", 1, 2, 3), name="placed_status")),
    integer("version", CheckConstraint("version >= 0", name="version")),
    sql.text("supplier_id", null=True),
    integer("queued", null=True),
    sql.text("require_data"),
    sql.text("note", null=True),
    timestamp("updated"),
    integer("delivered", CheckConstraint("delivered >= 0", name="delivered")),
    integer("cancelled", CheckConstraint("cancelled >= 0", name="cancelled")),
    integer("refunded", CheckConstraint("refunded >= 0", name="refunded")),
    sql.text("hold", null=True),
    integer("accepted", null=True),
    integer("promised", null=True),
    integer("deadline", null=True),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("order_id", "position", "tenant_id"),
    UniqueConstraint("id", "quantity", "tenant_id"),
    CheckConstraint(f"price = unit_price * quantity AND price < {MAX_MINOR}", name="price"),
    CheckConstraint("delivered + cancelled <= quantity", name="no_unit_twice"),
    CheckConstraint("(status = 1) = (delivered > 0 AND delivered + cancelled = quantity)", name="all_delivered"),
    CheckConstraint("(status = 0) = (cancelled = quantity)", name="all_cancelled"),
    CheckConstraint("(status = 3) = (hold IS NOT NULL)", name="held"),
    CheckConstraint("refunded <= delivered * unit_price", name="never_more_than_paid"),
    ForeignKeyConstraint(["tenant_id", "order_id"], ["orders.tenant_id", "orders.id"]),
    ForeignKeyConstraint(["tenant_id", "product_id"], ["products.tenant_id", "products.id"]),
    sqlite_with_rowid=False,
)
"""`supplier_id` and `queued` are set while a supplier is asked; `note` is a JSON list of strings or NULL. `unit_cost`
is the supplier's cost when the order was placed: the supplier gets that amount, whatever it charges later. `delivered`
and `cancelled` count units; `refunded` is in minor units. `hold` says why a line was taken out of processing.
`deadline` is set while a line waits for a supplier that has to accept or to deliver it by then."""

partial_index(
    "ix_order_lines_queue",
    order_lines.c.supplier_id,
    order_lines.c.queued,
    order_lines.c.id,
    where="queued IS NOT NULL AND status = 2",
)
partial_index("ix_order_lines_deadline", order_lines.c.deadline)

refunds = Table(
    "refunds",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("line_id"),
    sql.text("business_key"),
    integer("amount", CheckConstraint(f"amount > 0 AND amount < {MAX_MINOR}", name="amount")),
    sql.text("reason"),
    sql.text("actor"),
    timestamp("created"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("business_key", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "line_id"], ["order_lines.tenant_id", "order_lines.id"]),
    sqlite_with_rowid=False,
)
"""Money given back to the buyer of a line, in minor units: its transfer's business key is `refund:` and this one."""
Index(None, refunds.c.line_id)

clawbacks = Table(
    "clawbacks",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("line_id"),
    sql.text("supplier_id"),
    sql.text("business_key"),
    integer("amount", CheckConstraint(f"amount > 0 AND amount < {MAX_MINOR}", name="amount")),
    sql.text("reason"),
    sql.text("actor"),
    timestamp("created"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("business_key", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "line_id"], ["order_lines.tenant_id", "order_lines.id"]),
    ForeignKeyConstraint(["tenant_id", "supplier_id"], ["accounts.tenant_id", "accounts.id"]),
    sqlite_with_rowid=False,
)
"""Earnings taken back from a supplier that was at fault for a line, in minor units: the transfer's business key is
`clawback:` and this one."""
Index(None, clawbacks.c.line_id)

order_notes = Table(
    "order_notes",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("order_id"),
    sql.text("text"),
    sql.text("actor"),
    timestamp("created"),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "order_id"], ["orders.tenant_id", "orders.id"]),
    sqlite_with_rowid=False,
)
Index(None, order_notes.c.order_id)

order_tags = Table(
    "order_tags",
    metadata,
    sql.text("tenant_id"),
    sql.text("order_id"),
    sql.text("tag"),
    timestamp("created"),
    PrimaryKeyConstraint("tenant_id", "order_id", "tag"),
    ForeignKeyConstraint(["tenant_id", "order_id"], ["orders.tenant_id", "orders.id"]),
    sqlite_with_rowid=False,
)
"""Notes and tags are the operator's; buyers never see them."""

review_rules = Table(
    "review_rules",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("kind", CheckConstraint("kind IN ('amount', 'firstOrder', 'product')", name="kind")),
    sql.text("surface", CheckConstraint("surface IN ('reseller', 'storefront')", name="surface"), null=True),
    integer("amount", CheckConstraint(f"amount > 0 AND amount < {MAX_MINOR}", name="amount"), null=True),
    sql.text("product_id", null=True),
    timestamp("created"),
    PrimaryKeyConstraint("tenant_id", "id"),
    ForeignKeyConstraint(["tenant_id", "product_id"], ["products.tenant_id", "products.id"]),
    CheckConstraint("(kind = 'amount') = (amount IS NOT NULL)", name="amount_of_rule"),
    CheckConstraint("(kind = 'product') = (product_id IS NOT NULL)", name="product_of_rule"),
    sqlite_with_rowid=False,
)
"""Which orders are held until the operator has looked at them. `surface` NULL: both."""

order_limits = Table(
    "order_limits",
    metadata,
    sql.text("tenant_id"),
    sql.text("holder"),
    integer(
        "daily_amount", CheckConstraint(f"daily_amount > 0 AND daily_amount < {MAX_MINOR}", name="amount"), null=True
    ),
    integer("daily_units", CheckConstraint("daily_units > 0", name="units"), null=True),
    PrimaryKeyConstraint("tenant_id", "holder"),
    sqlite_with_rowid=False,
)
"""How much an account may order in one day (UTC). `holder` is the account's id, or `partner` or `customer` for every
account of the kind that has no row; NULL means no limit. `daily_amount` is in minor units."""

line_assignments = Table(
    "line_assignments",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("line_id"),
    sql.text("supplier_id"),
    integer("unit_cost", CheckConstraint(f"unit_cost >= 0 AND unit_cost < {MAX_MINOR}", name="unit_cost"), null=True),
    timestamp("queued"),
    timestamp("accepted", null=True),
    timestamp("promised", null=True),
    timestamp("ended", null=True),
    sql.text(
        "outcome",
        CheckConstraint("outcome IN ('delivered', 'rejected', 'late', 'cancelled', 'rerouted')", name="outcome"),
        null=True,
    ),
    sql.text("reason", null=True),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint("(ended IS NULL) = (outcome IS NULL)", name="ends_with_an_outcome"),
    ForeignKeyConstraint(["tenant_id", "line_id"], ["order_lines.tenant_id", "order_lines.id"]),
    ForeignKeyConstraint(["tenant_id", "supplier_id"], ["accounts.tenant_id", "accounts.id"]),
    sqlite_with_rowid=False,
)
"""One row for each time that a line is given to a supplier. A supplier whose assignment ended may no longer deliver the
line. `unit_cost` is what it earns for a unit of the line, in minor units."""
partial_index(
    "ux_line_assignments_current",
    line_assignments.c.line_id,
    line_assignments.c.tenant_id,
    where="ended IS NULL",
    unique=True,
)
Index(None, line_assignments.c.line_id, line_assignments.c.id)
Index(None, line_assignments.c.supplier_id, line_assignments.c.ended)

line_deliveries = Table(
    "line_deliveries",
    metadata,
    sql.text("tenant_id"),
    sql.text("line_id"),
    integer("first", CheckConstraint("first >= 0", name="first")),
    integer("units", CheckConstraint("units >= 1", name="units")),
    integer("codes", CheckConstraint("codes IN (0, units)", name="codes")),
    sql.text("assignment_id"),
    sql.text("note", null=True),
    timestamp("created"),
    PrimaryKeyConstraint("tenant_id", "line_id", "first"),
    ForeignKeyConstraint(["tenant_id", "line_id"], ["order_lines.tenant_id", "order_lines.id"]),
    ForeignKeyConstraint(["tenant_id", "assignment_id"], ["line_assignments.tenant_id", "line_assignments.id"]),
    sqlite_with_rowid=False,
)
"""What suppliers delivered of a line: `units` from unit `first` on, by codes or by `note` alone (a JSON list)."""
