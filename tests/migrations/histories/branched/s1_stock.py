"""create the stock"""

import sqlalchemy as sa
from alembic import op

revision = "s1"
down_revision = None
branch_labels = ("stock",)
depends_on = None


def upgrade() -> None:
    op.create_table("stock", sa.Column("id", sa.Integer, primary_key=True), sa.Column("item", sa.String(40)))


def downgrade() -> None:
    op.drop_table("stock")
