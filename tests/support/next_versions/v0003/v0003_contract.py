"""What the version after that might remove. It declares that it requires programs from 0002 on."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
oldest_program = "0002"


def upgrade() -> None:
    """Contracts."""
    op.drop_index("ix_orders_channel", "orders")
