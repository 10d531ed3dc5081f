"""make labels unique"""

import sqlalchemy as sa
from alembic import op

revision = "b2"
down_revision = "b1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("label", sa.Column("id", sa.Integer, primary_key=True))
    op.add_column("box", sa.Column("label", sa.String(20)))
    op.execute("INSERT INTO missing_table (id) VALUES (1)")
    op.create_table("colour", sa.Column("id", sa.Integer, primary_key=True))


def downgrade() -> None:
    op.drop_table("colour")
    op.drop_table("label")
