"""add a price"""

import sqlalchemy as sa
from alembic import op

revision = "a3"
down_revision = "a2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("item", sa.Column("price", sa.Integer))
    op.execute("INSERT INTO runs (revision) VALUES ('a3')")


def downgrade() -> None:
    op.execute("DELETE FROM runs WHERE revision = 'a3'")
    op.drop_column("item", "price")
