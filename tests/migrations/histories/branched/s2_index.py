"""find stock by its item, without keeping others from it"""

from alembic import op

revision = "s2"
down_revision = "s1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("ix_stock_item", "stock", ["item"], postgresql_concurrently=True)


def downgrade() -> None:
    op.drop_index("ix_stock_item", table_name="stock")
