"""readers have names, and a day on which they joined

Revision ID: 9c2b
Revises: 4f1a
"""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "9c2b"
down_revision = "4f1a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("reader", sa.Column("full_name", sqlmodel.sql.sqltypes.AutoString(length=255), nullable=True))
    op.add_column("reader", sa.Column("joined", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("reader", "joined")
    op.drop_column("reader", "full_name")
