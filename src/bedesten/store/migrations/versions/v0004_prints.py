"""The store knows its master secrets again"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; the first `init` of this version fills it."""
    op.add_column("installation", sa.Column("prints", sa.Text(), nullable=True))
