"""note when orders are paid"""

import sqlalchemy as sa
from alembic import op

revision = "o2"
down_revision = "o1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.add_column(sa.Column("paid", sa.DateTime))


def downgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.drop_column("paid")
