"""count how often this is run"""

import sqlalchemy as sa
from alembic import op

revision = "a2"
down_revision = "a1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    runs = op.create_table("runs", sa.Column("revision", sa.String(20), nullable=False))
    op.bulk_insert(runs, [{"revision": "a2"}])


def downgrade() -> None:
    op.drop_table("runs")
