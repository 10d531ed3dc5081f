"""create the orders, of what is in stock"""

import sqlalchemy as sa
from alembic import op

revision = "o1"
down_revision = None
branch_labels = ("orders",)
depends_on = "s1"


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("stock_id", sa.Integer, sa.ForeignKey("stock.id", name="fk_orders_stock")),
    )


def downgrade() -> None:
    op.drop_table("orders")
