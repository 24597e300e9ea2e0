"""Categories, products, stock levels and stock codes."""

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.schema import Table

from bedesten.base.money import MAX_MINOR
from bedesten.store import sql
from bedesten.store.sql import blob, integer, metadata

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
    sql.text("category_id", null=True),
    sql.text("name"),
    sql.text("description"),
    sql.text("region", null=True),
    sql.text("currency"),
    integer("price", CheckConstraint(f"price >= 0 AND price < {MAX_MINOR}", name="price"), null=True),
    integer("cost", CheckConstraint(f"cost >= 0 AND cost < {MAX_MINOR}", name="cost"), null=True),
    sql.text("fulfilment", CheckConstraint("fulfilment IN ('stock', 'supplier', 'stock_first')", name="fulfilment")),
    sql.text("supplier_id", null=True),
    sql.text("supplier_sku", null=True),
    sql.text("require_data"),
    integer("active", CheckConstraint("active IN (0, 1)", name="active")),
    integer("offered", CheckConstraint("offered IN (0, 1)", name="offered")),
    integer("updated"),
    UniqueConstraint("tenant_id", "id"),
    UniqueConstraint("sku", "tenant_id"),
    UniqueConstraint("supplier_id", "supplier_sku", "tenant_id"),
    CheckConstraint("fulfilment = 'stock' OR supplier_id IS NOT NULL", name="somebody_delivers"),
    ForeignKeyConstraint(["tenant_id", "category_id"], ["categories.tenant_id", "categories.id"]),
    ForeignKeyConstraint(["tenant_id", "supplier_id"], ["accounts.tenant_id", "accounts.id"]),
)

stock_levels = Table(
    "stock_levels",
    metadata,
    sql.text("product_id", key=True),
    sql.text("tenant_id"),
    integer("available", CheckConstraint("available >= 0", name="never_oversold")),
    ForeignKeyConstraint(["tenant_id", "product_id"], ["products.tenant_id", "products.id"]),
)

stock_codes = Table(
    "stock_codes",
    metadata,
    sql.text("id", key=True),
    sql.text("tenant_id"),
    sql.text("product_id"),
    blob("digest"),
    blob("sealed"),
    integer("state", CheckConstraint("state IN (0, 1, 2)", name="state")),
    sql.text("line_id", null=True),
    integer("line_quantity", null=True),
    integer("unit", null=True),
    UniqueConstraint("digest", "tenant_id"),
    UniqueConstraint("line_id", "unit", "tenant_id"),
    CheckConstraint("(state = 0) = (line_id IS NULL)", name="claimed_by_a_line"),
    CheckConstraint("line_id IS NULL OR (unit >= 0 AND unit < line_quantity)", name="no_more_than_ordered"),
    ForeignKeyConstraint(["tenant_id", "product_id"], ["products.tenant_id", "products.id"]),
    ForeignKeyConstraint(
        ["tenant_id", "line_id", "line_quantity"],
        ["order_lines.tenant_id", "order_lines.id", "order_lines.quantity"],
        name="fk_stock_codes_line",
    ),
)
Index(
    "ix_stock_codes_free",
    stock_codes.c.product_id,
    stock_codes.c.id,
    sqlite_where=text("state = 0"),
    postgresql_where=text("state = 0"),
)
Index(
    "ix_stock_codes_claimed",
    stock_codes.c.product_id,
    sqlite_where=text("state = 1"),
    postgresql_where=text("state = 1"),
)
