"""Tables of deposits, integrations' limits, payments, refunds, providers' events and settlements."""

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.schema import Table

from bedesten.core.money import MAX_MINOR
from bedesten.store import sql
from bedesten.store.sql import blob, integer, metadata, partial_index, timestamp

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
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("integration_id"),
    sql.text("order_id"),
    sql.text("reference"),
    blob("digest"),
    sql.text("currency"),
    integer("amount", CheckConstraint(f"amount > 0 AND amount < {MAX_MINOR}", name="amount")),
    integer("state", CheckConstraint("state BETWEEN 0 AND 9", name="state")),
    timestamp("created"),
    timestamp("updated"),
    integer("refusal", CheckConstraint("refusal IN (-401, -402)", name="refusal"), null=True),
    sql.text("refused_items", null=True),
    integer("captured", CheckConstraint("captured BETWEEN 0 AND amount", name="captured")),
    integer("refunded", CheckConstraint("refunded >= 0", name="refunded")),
    integer("lost", CheckConstraint("lost >= 0", name="lost")),
    sql.text("reason", null=True),
    sql.text("method", null=True),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint("(state = 3) = (refusal IS NOT NULL)", name="refused_with_a_number"),
    CheckConstraint("refunded + lost <= captured", name="never_more_than_captured"),
    CheckConstraint("(state = 8) = (lost > 0)", name="lost_with_an_amount"),
    CheckConstraint(
        "(state IN (1, 7, 8) AND captured = amount) OR (state IN (0, 2, 4, 5) AND captured = 0)"
        " OR (state IN (3, 9) AND captured < amount) OR (state = 6 AND captured > 0 AND refunded = captured)",
        name="captured_by_state",
    ),
    UniqueConstraint("integration_id", "reference", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "integration_id"], ["accounts.tenant_id", "accounts.id"]),
    ForeignKeyConstraint(["tenant_id", "order_id"], ["orders.tenant_id", "orders.id"]),
)
"""`refusal` is the number of the refusal that ended a payment; `refused_items` are its lines as JSON. `captured`,
`refunded` and `lost` (in a dispute) are minor units; the payment has paid its order when `captured` = `amount`.
`refunded` counts requested refunds too. `reason` is the provider's, of a failure or a dispute. `method` is the code of the
payment method with which the customer started the payment; NULL if the payment service announced it."""
partial_index("uq_payments_captured", payments.c.order_id, where="captured = amount", unique=True)
Index(None, payments.c.order_id)

payment_methods = Table(
    "payment_methods",
    metadata,
    sql.text("tenant_id"),
    sql.text("code"),
    sql.text("title"),
    sql.text("integration_id"),
    sql.text("currencies"),
    integer("min_amount", CheckConstraint(f"min_amount > 0 AND min_amount < {MAX_MINOR}", name="min"), null=True),
    integer("max_amount", CheckConstraint(f"max_amount > 0 AND max_amount < {MAX_MINOR}", name="max"), null=True),
    sql.text("url", null=True),
    timestamp("created"),
    PrimaryKeyConstraint("tenant_id", "code"),
    CheckConstraint("min_amount <= max_amount", name="bounds"),
    ForeignKeyConstraint(["tenant_id", "integration_id"], ["accounts.tenant_id", "accounts.id"]),
)
"""The ways of paying that the shop offers. `currencies` are separated by spaces; the amounts are minor units and bound the
order's total, NULL means no bound. `url` is where the shop sends the customer: `{payment}` and `{order}` stand for ids."""

payment_captures = Table(
    "payment_captures",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("payment_id"),
    sql.text("reference"),
    integer("amount", CheckConstraint(f"amount > 0 AND amount < {MAX_MINOR}", name="amount")),
    timestamp("created"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("payment_id", "reference", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "payment_id"], ["payments.tenant_id", "payments.id"]),
)
"""Partial captures. The capture that completes a payment has no row."""

payment_refunds = Table(
    "payment_refunds",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("integration_id"),
    sql.text("payment_id"),
    sql.text("reference"),
    sql.text("currency"),
    integer("amount", CheckConstraint(f"amount > 0 AND amount < {MAX_MINOR}", name="amount")),
    integer("booked", CheckConstraint("booked BETWEEN 0 AND amount", name="booked")),
    integer("state", CheckConstraint("state IN (0, 1, 2)", name="state")),
    sql.text("reason", null=True),
    timestamp("created"),
    timestamp("updated"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("payment_id", "reference", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "integration_id"], ["accounts.tenant_id", "accounts.id"]),
    ForeignKeyConstraint(["tenant_id", "payment_id"], ["payments.tenant_id", "payments.id"]),
)
"""`booked` is what left the buyer's balance: `amount`, but less for a refused payment, whose money was never there."""
Index(None, payment_refunds.c.integration_id, payment_refunds.c.id)

provider_events = Table(
    "provider_events",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("integration_id"),
    sql.text("name"),
    blob("digest"),
    sql.text("type"),
    sql.text("payment_id", null=True),
    sql.text("payment_reference", null=True),
    sql.text("operation_reference", null=True),
    integer("amount", CheckConstraint(f"amount > 0 AND amount < {MAX_MINOR}", name="amount"), null=True),
    sql.text("reason", null=True),
    timestamp("occurred"),
    integer("state", CheckConstraint("state IN (0, 1, 2, 3)", name="state")),
    sql.text("outcome"),
    timestamp("created"),
    timestamp("updated"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("integration_id", "name", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "integration_id"], ["accounts.tenant_id", "accounts.id"]),
)
"""`name` is the provider's id of the event. `payment_id` is as the event states it: such a payment may be missing.
`outcome` says for people what the event led to."""
Index(None, provider_events.c.integration_id, provider_events.c.id)
partial_index(
    "ix_provider_events_waiting",
    provider_events.c.integration_id,
    provider_events.c.payment_reference,
    where="state = 0",
)

settlements = Table(
    "settlements",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("integration_id"),
    sql.text("name"),
    blob("digest"),
    sql.text("currency"),
    timestamp("until"),
    integer("total"),
    timestamp("created"),
    PrimaryKeyConstraint("tenant_id", "id"),
    UniqueConstraint("integration_id", "digest", "tenant_id"),
    ForeignKeyConstraint(["tenant_id", "integration_id"], ["accounts.tenant_id", "accounts.id"]),
)
"""Statements of providers that were compared with the payments here. `name` is the file's, `digest` its content's.
`until` is the end of the statement; `total` is the sum of its lines."""

settlement_lines = Table(
    "settlement_lines",
    metadata,
    sql.text("id"),
    sql.text("tenant_id"),
    sql.text("settlement_id"),
    integer("line", CheckConstraint("line >= 0", name="line")),
    sql.text("kind", CheckConstraint("kind IN ('payment', 'refund', 'deposit', 'dispute')", name="kind")),
    sql.text("reference"),
    sql.text("subject", null=True),
    integer("there", null=True),
    integer("here", null=True),
    sql.text(
        "result",
        CheckConstraint("result IN ('matched', 'missingHere', 'missingThere', 'amountDiffers')", name="result"),
    ),
    PrimaryKeyConstraint("tenant_id", "id"),
    CheckConstraint("(result = 'missingHere') = (here IS NULL)", name="missing_here"),
    CheckConstraint("(result = 'missingThere') = (there IS NULL)", name="missing_there"),
    CheckConstraint("result <> 'matched' OR here = there", name="matched"),
    CheckConstraint("result <> 'amountDiffers' OR here <> there", name="amount_differs"),
    ForeignKeyConstraint(["tenant_id", "settlement_id"], ["settlements.tenant_id", "settlements.id"]),
)
"""`line` is the line of the file, 0 for a booking that the file lacks. `subject` is the id of the payment, refund or
deposit. `there` and `here` are minor units; a refund's and a lost dispute's are below zero."""
Index(None, settlement_lines.c.settlement_id, settlement_lines.c.id)
Index(None, settlement_lines.c.subject)
