"""create boxes"""

import sqlalchemy as sa
from alembic import op

revision = "b1"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("box", sa.Column("id", sa.Integer, primary_key=True), sa.Column("size", sa.Integer))


def downgrade() -> None:
    op.drop_table("box")
