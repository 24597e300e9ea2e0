"""Tables of categories, products, their suppliers, stock levels and stock codes."""

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
from bedesten.store.sql import blob, integer, metadata, one_of, partial_index, timestamp

categories = Table(
    "categories",
    metadata,
    sql.text("id", key=True),
    sql.text("tenant_id", ForeignKey("tenants.id")),
    sql.text("name"),
    integer("position"),
    UniqueConstraint("name", "tenant_id"),
    UniqueConstraint("tenant_id", "id"),
)

products = Table(
    "products",
    metadata,
    sql.text("id", key=True),
    sql.text("tenant_id", ForeignKey("tenants.id")),
    sql.text("sku", null=True),
    sql.text("sku_key", null=True),
    sql.text("category_id", null=True),
    sql.text("name"),
    sql.text("description"),
    sql.text("region", null=True),
    sql.text("currency"),
    integer("price", CheckConstraint(f"price >= 0 AND price < {MAX_MINOR}", name="price"), null=True),
    integer("cost", CheckConstraint(f"cost >= 0 AND cost < {MAX_MINOR}", name="cost"), null=True),
    integer("accepted_cost", CheckConstraint("accepted_cost >= 0", name="accepted_cost"), null=True),
    sql.text("fulfilment", CheckConstraint("fulfilment IN ('stock', 'supplier', 'stock_first')", name="fulfilment")),
    sql.text("supplier_id", null=True),
    sql.text("supplier_sku", null=True),
    sql.text("supplier_sku_key", null=True),
    sql.text("proposed_name", null=True),
    sql.text("refused_name", null=True),
    sql.text("require_data"),
    sql.text("code_comparison", CheckConstraint("code_comparison IN ('exact', 'folded')", name="code_comparison")),
    integer("complaint_days", CheckConstraint("complaint_days BETWEEN 1 AND 3650", name="complaint_days"), null=True),
    sql.text("code_pattern", null=True),
    sql.text("pin_pattern", null=True),
    sql.text("serial_pattern", null=True),
    integer("active", CheckConstraint("active IN (0, 1)", name="active")),
    integer("offered", CheckConstraint("offered IN (0, 1)", name="offered")),
    integer("published", null=True),
    timestamp("updated"),
    UniqueConstraint("tenant_id", "id"),
    UniqueConstraint("sku_key", "tenant_id"),
    UniqueConstraint("supplier_id", "supplier_sku_key", "tenant_id"),
    CheckConstraint("(sku IS NULL) = (sku_key IS NULL)", name="sku_key"),
    CheckConstraint("(supplier_sku IS NULL) = (supplier_sku_key IS NULL)", name="supplier_sku_key"),
    CheckConstraint("price <> 0 OR accepted_cost IS NOT NULL", name="nothing_is_free_by_mistake"),
    CheckConstraint("active = 0 OR price IS NULL OR published IS NOT NULL", name="published"),
    CheckConstraint("fulfilment = 'stock' OR supplier_id IS NOT NULL", name="somebody_delivers"),
    ForeignKeyConstraint(["tenant_id", "category_id"], ["categories.tenant_id", "categories.id"]),
    ForeignKeyConstraint(["tenant_id", "supplier_id"], ["accounts.tenant_id", "accounts.id"]),
)
"""`sku_key` and `supplier_sku_key` are the folded forms in which two skus count as the same (`core.text.key`).
`accepted_cost`: the operator sells at this price as long as the cost is no higher; NULL: never below cost.
`proposed_name` comes from the supplier and waits for the operator; `refused_name` was rejected and is not proposed
again. The patterns state the form of codes, PINs and serial numbers (`catalogue.code_pattern`). `published` is when
the product was first priced and switched on, NULL if never."""

Index(None, products.c.supplier_id, products.c.id)

product_suppliers = Table(
    "product_suppliers",
    metadata,
    sql.text("tenant_id"),
    sql.text("product_id"),
    sql.text("supplier_id"),
    integer("cost", CheckConstraint(f"cost >= 0 AND cost * 1000 < {MAX_MINOR}", name="cost")),
    integer("priority", CheckConstraint("priority BETWEEN 0 AND 1000", name="priority")),
    timestamp("updated"),
    PrimaryKeyConstraint("tenant_id", "product_id", "supplier_id"),
    ForeignKeyConstraint(["tenant_id", "product_id"], ["products.tenant_id", "products.id"]),
    ForeignKeyConstraint(["tenant_id", "supplier_id"], ["accounts.tenant_id", "accounts.id"]),
    sqlite_with_rowid=False,
)
"""Further suppliers of a product. They are asked after its own supplier: the lowest `cost` (minor units of a unit)
first, then the lowest `priority`."""
Index(None, product_suppliers.c.supplier_id)

product_sourcing = Table(
    "product_sourcing",
    metadata,
    sql.text("tenant_id"),
    sql.text("product_id"),
    integer("accept_within", CheckConstraint("accept_within > 0", name="accept_within"), null=True),
    integer("deliver_within", CheckConstraint("deliver_within > 0", name="deliver_within"), null=True),
    integer("hold_unsourced", CheckConstraint("hold_unsourced IN (0, 1)", name="hold_unsourced")),
    PrimaryKeyConstraint("tenant_id", "product_id"),
    ForeignKeyConstraint(["tenant_id", "product_id"], ["products.tenant_id", "products.id"]),
    sqlite_with_rowid=False,
)
"""How suppliers are asked for a product. The times are in ms; NULL: the supplier's own (`supplier_settings`). A line for
which no supplier is left is cancelled, or held for the operator if `hold_unsourced`."""

supplier_settings = Table(
    "supplier_settings",
    metadata,
    sql.text("tenant_id"),
    sql.text("supplier_id"),
    integer("accept_within", CheckConstraint("accept_within > 0", name="accept_within"), null=True),
    integer("deliver_within", CheckConstraint("deliver_within > 0", name="deliver_within"), null=True),
    integer("max_failures", CheckConstraint("max_failures BETWEEN 1 AND 100", name="max_failures"), null=True),
    integer(
        "max_complaints", CheckConstraint("max_complaints BETWEEN 1 AND 1000000", name="max_complaints"), null=True
    ),
    timestamp("paused", null=True),
    sql.text("pause_reason", null=True),
    timestamp("resumed", null=True),
    PrimaryKeyConstraint("tenant_id", "supplier_id"),
    CheckConstraint("(paused IS NULL) = (pause_reason IS NULL)", name="pause_reason"),
    ForeignKeyConstraint(["tenant_id", "supplier_id"], ["accounts.tenant_id", "accounts.id"]),
    sqlite_with_rowid=False,
)
"""Settings of suppliers; a supplier without a row has the defaults. `accept_within` and `deliver_within` are in ms from
the time at which a line was queued; NULL: no deadline. A paused supplier gets no new lines. `max_failures` is the
percentage of rejected and late lines at which it is paused automatically, NULL: never; only lines since `resumed`
count. `max_complaints` is the number of complaints at which it is paused (`complaints.supplier_pause`), NULL: never."""

supplier_connections = Table(
    "supplier_connections",
    metadata,
    sql.text("tenant_id"),
    sql.text("supplier_id"),
    sql.text("adapter"),
    sql.text("url"),
    sql.text("account", null=True),
    blob("credential", null=True),
    timestamp("connected"),
    timestamp("ended", null=True),
    timestamp("resting_until", null=True),
    sql.text("last_error", null=True),
    timestamp("failed", null=True),
    PrimaryKeyConstraint("tenant_id", "supplier_id"),
    CheckConstraint("credential IS NOT NULL OR ended IS NOT NULL", name="credential"),
    CheckConstraint("(last_error IS NULL) = (failed IS NULL)", name="last_error"),
    ForeignKeyConstraint(["tenant_id", "supplier_id"], ["accounts.tenant_id", "accounts.id"]),
    sqlite_with_rowid=False,
)
"""Suppliers that are called: the `adapter` that speaks their API at `url`, and which of our accounts with them pays.
`credential` is encrypted with the tenant's data key. A connection that has `ended` gets no new purchases; its
credential is deleted when no purchase is open. No call is made before `resting_until`, a time by the database's clock.
`failed` is when a call last failed, with `last_error`."""

supplier_product_ids = Table(
    "supplier_product_ids",
    metadata,
    sql.text("tenant_id"),
    sql.text("supplier_id"),
    sql.text("product_id"),
    sql.text("external_id"),
    sql.text("face_value", null=True),
    timestamp("updated"),
    PrimaryKeyConstraint("tenant_id", "supplier_id", "product_id"),
    ForeignKeyConstraint(["tenant_id", "supplier_id"], ["accounts.tenant_id", "accounts.id"]),
    ForeignKeyConstraint(["tenant_id", "product_id"], ["products.tenant_id", "products.id"]),
    sqlite_with_rowid=False,
)
"""A product's id at a supplier that is called, and the face value (a decimal) where one is chosen."""
Index(None, supplier_product_ids.c.product_id)

stock_levels = Table(
    "stock_levels",
    metadata,
    sql.text("product_id", key=True),
    sql.text("tenant_id"),
    integer("available", CheckConstraint("available >= 0", name="never_oversold")),
    integer("next_expiry", null=True),
    integer("consigned", CheckConstraint("consigned IN (0, 1)", name="consigned")),
    ForeignKeyConstraint(["tenant_id", "product_id"], ["products.tenant_id", "products.id"]),
)
"""`available` is the number of free codes plus what `stock_counters` has taken since. `next_expiry` is no later than
the earliest expiry of a free code. `consigned`: a supplier who earns with sales has added codes, now or in the past."""

stock_counters = Table(
    "stock_counters",
    metadata,
    sql.text("tenant_id"),
    sql.text("product_id"),
    integer("shard", CheckConstraint("shard >= 0", name="shard")),
    integer("taken", CheckConstraint("taken >= 0", name="taken")),
    PrimaryKeyConstraint("product_id", "shard", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "product_id"], ["products.tenant_id", "products.id"]),
    sqlite_with_rowid=False,
)
"""How many codes orders have taken off each level. A connection counts in the row of its own `shard`, so that buyers of one
product do not wait for each other (`catalogue.levels`)."""

stock_alarms = Table(
    "stock_alarms",
    metadata,
    sql.text("tenant_id"),
    sql.text("product_id"),
    integer("threshold", CheckConstraint("threshold > 0", name="threshold")),
    timestamp("low_since", null=True),
    PrimaryKeyConstraint("tenant_id", "product_id"),
    ForeignKeyConstraint(["tenant_id", "product_id"], ["products.tenant_id", "products.id"]),
    sqlite_with_rowid=False,
)
"""Products whose operator wants to know when fewer than `threshold` codes are free. `low_since` is when the worker
noticed it, NULL once the level has recovered. A separate table, so that the worker's marks never lock a level."""

stock_batches = Table(
    "stock_batches",
    metadata,
    sql.text("id", key=True),
    sql.text("tenant_id"),
    sql.text("product_id"),
    sql.text("source"),
    blob("digest", null=True),
    sql.text("supplier_id", null=True),
    integer("unit_cost", CheckConstraint(f"unit_cost >= 0 AND unit_cost < {MAX_MINOR}", name="unit_cost"), null=True),
    sql.text("note", null=True),
    sql.text("reason", null=True),
    sql.text("actor"),
    timestamp("created"),
    integer("codes", CheckConstraint("codes >= 0", name="codes")),
    integer("state", CheckConstraint("state IN (0, 1)", name="state")),
    UniqueConstraint("tenant_id", "id"),
    UniqueConstraint("id", "product_id", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "product_id"], ["products.tenant_id", "products.id"]),
    ForeignKeyConstraint(["tenant_id", "supplier_id"], ["accounts.tenant_id", "accounts.id"]),
)
"""Batches of codes. `source` is a file name or the API call; `digest` is the keyed digest of the file. `supplier_id`
earns `unit_cost` (minor units, as of the upload) for each code sold; a batch of the operator's own has none. In `state`
0 the batch is loading, and none of its codes can be sold. `reason` says why the batch was withdrawn; codes that unpaid
checkouts return to it are then withdrawn too."""

stock_codes = Table(
    "stock_codes",
    metadata,
    sql.text("id", key=True),
    sql.text("tenant_id"),
    sql.text("product_id"),
    blob("digest"),
    blob("folded_digest"),
    integer("folds", CheckConstraint("folds IN (0, 1)", name="folds")),
    blob("ciphertext"),
    integer("state", CheckConstraint(one_of("state", 0, 1, 2, 3, 4, 5), name="state")),
    sql.text("batch_id", null=True),
    integer("position", null=True),
    timestamp("expires", null=True),
    sql.text("reason", null=True),
    sql.text("line_id", null=True),
    integer("line_quantity", null=True),
    integer("unit", null=True),
    UniqueConstraint("digest", "tenant_id"),
    UniqueConstraint("line_id", "unit", "tenant_id"),
    UniqueConstraint("batch_id", "position", "tenant_id"),
    CheckConstraint(f"{one_of('state', 0, 3, 4)} = (line_id IS NULL)", name="claimed_by_a_line"),
    CheckConstraint("unit >= 0 AND unit < line_quantity", name="no_more_than_ordered"),
    CheckConstraint("(state IN (1, 2)) = (unit IS NOT NULL)", name="unit"),
    CheckConstraint(
        "(batch_id IS NULL) = (position IS NULL) AND (state IN (2, 5) OR batch_id IS NOT NULL)", name="batch"
    ),
    CheckConstraint("(state IN (3, 5)) = (reason IS NOT NULL)", name="reason"),
    ForeignKeyConstraint(["tenant_id", "product_id"], ["products.tenant_id", "products.id"]),
    ForeignKeyConstraint(
        ["tenant_id", "batch_id", "product_id"],
        ["stock_batches.tenant_id", "stock_batches.id", "stock_batches.product_id"],
        name="fk_stock_codes_batch",
    ),
    ForeignKeyConstraint(
        ["tenant_id", "line_id", "line_quantity"],
        ["order_lines.tenant_id", "order_lines.id", "order_lines.quantity"],
        name="fk_stock_codes_line",
    ),
)
"""`digest` covers the code character by character, `folded_digest` its folded form; `folds` repeats whether the product
compares folded forms. A code that a supplier delivered on demand has no batch. `expires` is the time from which the
code is invalid, `reason` says why it was withdrawn or is bad. A bad code keeps the line to which it was delivered, but
not its unit, which another code may take."""

partial_index(
    "ux_stock_codes_folded", stock_codes.c.folded_digest, stock_codes.c.tenant_id, where="folds = 1", unique=True
)
partial_index(
    "ix_stock_codes_free", stock_codes.c.product_id, stock_codes.c.batch_id, stock_codes.c.position, where="state = 0"
)
partial_index("ix_stock_codes_claimed", stock_codes.c.product_id, where="state = 1")

product_import_runs = Table(
    "product_import_runs",
    metadata,
    sql.text("id", key=True),
    sql.text("tenant_id", ForeignKey("tenants.id")),
    sql.text("state", CheckConstraint("state IN ('pending', 'written', 'abandoned')", name="state")),
    integer("announced", CheckConstraint("announced > 0", name="announced")),
    integer("stored", CheckConstraint("stored BETWEEN 0 AND announced", name="stored")),
    integer("touched"),
    UniqueConstraint("tenant_id", "id"),
    CheckConstraint("state <> 'written' OR stored = announced", name="whole"),
)
"""An import of products under way (`product_staging`). `touched` is when it last stored a part of its rows,
or wrote its products."""

product_import_rows = Table(
    "product_import_rows",
    metadata,
    sql.text("run_id"),
    sql.text("tenant_id"),
    sql.text("product_id"),
    sql.text("action", CheckConstraint("action IN ('create', 'change', 'alarm')", name="action")),
    sql.text("sku", null=True),
    sql.text("sku_key", null=True),
    sql.text("category_id", null=True),
    sql.text("name", null=True),
    sql.text("description", null=True),
    sql.text("region", null=True),
    sql.text("currency", null=True),
    integer("price", null=True),
    integer("cost", null=True),
    integer("accepted_cost", null=True),
    sql.text("fulfilment", null=True),
    sql.text("supplier_id", null=True),
    sql.text("supplier_sku", null=True),
    sql.text("supplier_sku_key", null=True),
    sql.text("proposed_name", null=True),
    sql.text("refused_name", null=True),
    sql.text("require_data", null=True),
    sql.text("code_comparison", null=True),
    sql.text("code_pattern", null=True),
    sql.text("pin_pattern", null=True),
    sql.text("serial_pattern", null=True),
    integer("active", null=True),
    integer("offered", null=True),
    integer("publishes", null=True),
    integer("takes_sku", null=True),
    integer("was_updated", null=True),
    integer("was_price", null=True),
    integer("was_cost", null=True),
    integer("was_offered", null=True),
    integer("was_sellable", null=True),
    sql.text("audit_tail", null=True),
    sql.text("audit_action", null=True),
    sql.text("audit_detail", null=True),
    integer("low_stock", null=True),
    sql.text("alarm_tail", null=True),
    sql.text("alarm_detail", null=True),
    PrimaryKeyConstraint("run_id", "product_id"),
    ForeignKeyConstraint(["tenant_id", "run_id"], ["product_import_runs.tenant_id", "product_import_runs.id"]),
)
"""What an import will write of one product: its columns, what they were when the import was planned (`was_…`), and its
rows of the audit trail, whose ids end with `…_tail`. `publishes` is 1 for a product that is priced and switched on, else
NULL. `takes_sku`: an existing product gets a sku, its own or its supplier's, that it did not have. A row with
`alarm_tail` sets the alarm of low stock. No row refers to a product, category or supplier: they may not exist yet."""
