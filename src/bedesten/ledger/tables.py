"""Tables of ledger accounts, transfers, holds, money orders and statements."""

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.schema import Table

from bedesten.core.money import MAX_MINOR
from bedesten.store.sql import integer, metadata, partial_index, text, timestamp

ledger_accounts = Table(
    "ledger_accounts",
    metadata,
    text("id", key=True),
    text("tenant_id", ForeignKey("tenants.id")),
    text("owner_id"),
    text(
        "kind",
        CheckConstraint("kind IN ('partner', 'customer', 'supplier', 'clearing', 'sales', 'adjustments')", name="kind"),
    ),
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

money_orders = Table(
    "money_orders",
    metadata,
    text("id"),
    text("tenant_id"),
    text("business_key"),
    text("kind", CheckConstraint("kind IN ('adjust', 'deposit', 'withdraw')", name="kind")),
    text("account_id"),
    text("currency"),
    integer(
        "amount", CheckConstraint(f"amount <> 0 AND amount > -{MAX_MINOR} AND amount < {MAX_MINOR}", name="amount")
    ),
    text("reason", CheckConstraint("reason <> ''", name="reason")),
    integer("state", CheckConstraint("state IN (0, 1, 2)", name="state")),
    integer("two_persons", CheckConstraint("two_persons IN (0, 1)", name="two_persons")),
    timestamp("created"),
    text("created_by"),
    timestamp("decided", null=True),
    text("decided_by", null=True),
    text("decision", null=True),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("business_key", "tenant_id"),
    CheckConstraint("kind = 'adjust' OR (kind = 'deposit') = (amount > 0)", name="direction"),
    CheckConstraint("(decided IS NULL) = (decided_by IS NULL)", name="decided_by_somebody"),
    CheckConstraint("state <> 0 OR (two_persons = 1 AND decided IS NULL)", name="waits_undecided"),
    CheckConstraint(
        "state <> 1 OR two_persons = 0 OR (decided_by IS NOT NULL AND decided_by <> created_by)", name="second_person"
    ),
    ForeignKeyConstraint(
        ["tenant_id", "account_id", "currency"],
        ["ledger_accounts.tenant_id", "ledger_accounts.id", "ledger_accounts.currency"],
        name="fk_money_orders_account",
    ),
    sqlite_with_rowid=False,
)
"""What an operator books by hand. `amount` is what the owner's balance changes by. `two_persons`: it was above the
tenant's limit, so a person other than `created_by` has to approve it. `decision` is why it was rejected."""
Index(None, money_orders.c.account_id)
partial_index("ix_money_orders_waiting", money_orders.c.tenant_id, money_orders.c.id, where="state = 0")

statement_heads = Table(
    "statement_heads",
    metadata,
    text("tenant_id"),
    text("account_id", ForeignKey("ledger_accounts.id")),
    timestamp("settled"),
    PrimaryKeyConstraint("tenant_id", "account_id"),
)
"""The row that a reader of an account's statement locks. Transfers entered later have an `at` of `settled` or later."""

balance_alarms = Table(
    "balance_alarms",
    metadata,
    text("tenant_id"),
    text("owner_id"),
    text("currency"),
    integer("threshold", CheckConstraint(f"threshold > 0 AND threshold < {MAX_MINOR}", name="threshold")),
    timestamp("low_since", null=True),
    PrimaryKeyConstraint("tenant_id", "owner_id"),
    ForeignKeyConstraint(["tenant_id", "owner_id"], ["accounts.tenant_id", "accounts.id"]),
    sqlite_with_rowid=False,
)
"""Partners that want to know when they can spend less than `threshold` minor units. `low_since` is when the worker
noticed it, NULL once they can spend more again. A separate table, so that the worker's marks never lock a balance."""

statement_entries = Table(
    "statement_entries",
    metadata,
    text("tenant_id"),
    text("account_id", ForeignKey("ledger_accounts.id")),
    integer("seq", CheckConstraint("seq > 0", name="seq")),
    text("transfer_id"),
    timestamp("at"),
    integer("balance"),
    PrimaryKeyConstraint("tenant_id", "account_id", "seq"),
    UniqueConstraint("account_id", "transfer_id", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "transfer_id"], ["transfers.tenant_id", "transfers.id"]),
    sqlite_with_rowid=False,
)
"""The transfers of an account in the order in which statements list them; `balance` is the balance after the transfer.
Reading the statement adds rows (`ledger.statements`); they never change."""
Index(None, statement_entries.c.account_id, statement_entries.c.at, statement_entries.c.seq)
