"""Tenants have a brand: a colour and a logo for their documentation"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; nobody has a brand yet."""
    op.add_column("tenants", sa.Column("brand", sa.Text(), nullable=True))
