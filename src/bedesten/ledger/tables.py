"""Tables of ledger accounts, transfers and holds."""

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.schema import Table

from bedesten.core.money import MAX_MINOR
from bedesten.store.sql import integer, metadata, text, timestamp

ledger_accounts = Table(
    "ledger_accounts",
    metadata,
    text("id", key=True),
    text("tenant_id", ForeignKey("tenants.id")),
    text("owner_id"),
    text("kind", CheckConstraint("kind IN ('partner', 'customer', 'supplier', 'clearing', 'sales')", name="kind")),
    text("currency"),
    integer("bounded", CheckConstraint("bounded IN (0, 1)", name="bounded")),
    integer("posted"),
    integer("held", CheckConstraint("held >= 0", name="held")),
    integer("credit_limit", CheckConstraint("credit_limit >= 0", name="credit_limit")),
    integer("overdraft_limit", CheckConstraint("overdraft_limit >= credit_limit", name="overdraft_limit")),
    UniqueConstraint("owner_id", "kind", "currency", "tenant_id"),
    UniqueConstraint("id", "currency", "tenant_id"),
    CheckConstraint("bounded = 0 OR posted - held >= -overdraft_limit", name="never_overdrawn"),
    CheckConstraint(
        f"overdraft_limit < {MAX_MINOR} AND posted > -{MAX_MINOR} AND posted + overdraft_limit < {MAX_MINOR}",
        name="within_bounds",
    ),
    CheckConstraint("bounded = 1 OR (posted = 0 AND held = 0)", name="only_bounded_are_cached"),
)
"""`overdraft_limit` is how far `posted - held` may go below zero: the credit limit or, while it is still owed, the debt
at the time that limit was lowered. New orders check the credit limit. No balance, hold or spendable amount reaches
`MAX_MINOR`."""

transfers = Table(
    "transfers",
    metadata,
    text("id"),
    text("tenant_id"),
    text("business_key"),
    text("from_id"),
    text("to_id"),
    text("currency"),
    integer("amount", CheckConstraint(f"amount > 0 AND amount < {MAX_MINOR}", name="amount")),
    text("order_id", null=True),
    timestamp("created"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("business_key", "tenant_id"),
    CheckConstraint("from_id <> to_id", name="two_accounts"),
    ForeignKeyConstraint(
        ["tenant_id", "from_id", "currency"],
        ["ledger_accounts.tenant_id", "ledger_accounts.id", "ledger_accounts.currency"],
        name="fk_transfers_from",
    ),
    ForeignKeyConstraint(
        ["tenant_id", "to_id", "currency"],
        ["ledger_accounts.tenant_id", "ledger_accounts.id", "ledger_accounts.currency"],
        name="fk_transfers_to",
    ),
    sqlite_with_rowid=False,
)
Index(None, transfers.c.from_id, transfers.c.id)
Index(None, transfers.c.to_id, transfers.c.id)

holds = Table(
    "holds",
    metadata,
    text("order_id"),
    text("tenant_id"),
    text("account_id"),
    text("currency"),
    integer("placed", CheckConstraint(f"placed >= 0 AND placed < {MAX_MINOR}", name="placed")),
    integer("captured", CheckConstraint("captured >= 0", name="captured")),
    integer("released", CheckConstraint("released >= 0", name="released")),
    PrimaryKeyConstraint("tenant_id", "order_id"),
    CheckConstraint("captured + released <= placed", name="never_more_than_placed"),
    ForeignKeyConstraint(
        ["tenant_id", "account_id", "currency"],
        ["ledger_accounts.tenant_id", "ledger_accounts.id", "ledger_accounts.currency"],
        name="fk_holds_account",
    ),
    sqlite_with_rowid=False,
)
Index(None, holds.c.account_id)
