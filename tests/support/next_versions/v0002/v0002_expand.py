"""What the next version might add: a nullable column and an index. Programs of 0001 keep working beside it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
oldest_program = "0001"


def upgrade() -> None:
    """Expands."""
    op.add_column("orders", sa.Column("channel", sa.Text(), nullable=True))
    op.create_index("ix_orders_channel", "orders", ["tenant_id", "channel"])
