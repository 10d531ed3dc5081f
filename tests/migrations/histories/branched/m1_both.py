"""both are one from here on"""

import sqlalchemy as sa
from alembic import op

revision = "m1"
down_revision = ("s2", "o2")
branch_labels = None
depends_on = None


def upgrade() -> None:
    stock = sa.table("stock", sa.column("item", sa.String))
    op.bulk_insert(stock, [{"item": "tea"}, {"item": "100% cocoa"}])


def downgrade() -> None:
    op.execute("DELETE FROM stock")
