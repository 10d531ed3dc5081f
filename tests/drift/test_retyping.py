"""What is said to mend a column's type, or a type with members, can be run whatever stands on it."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Column, Computed, Index, MetaData, Table, text
from sqlalchemy.dialects import postgresql

from tests.drift.test_words import Service
from tests.harness.database import TestDatabase

TYPE = '"Order status"'


def shop(schema: str | None) -> MetaData:
    """Return tables with all that can stand on an enumerated type, and on columns of other types."""
    metadata = MetaData()
    status = sa.Enum("new", "paid", "void", name="Order status", schema=schema)
    prefix = f"{schema}." if schema else ""
    Table("state", metadata, Column("status", status, primary_key=True))
    sale = Table(
        "sale",
        metadata,
        Column("id", sa.Integer, primary_key=True),
        Column("status", status, sa.ForeignKey("state.status"), server_default="new", nullable=False),
        Column("was", sa.ARRAY(status), server_default=text(f"ARRAY['new']::{prefix}{TYPE}[]")),
        Column("paid", sa.Boolean, Computed("status = 'paid'", persisted=True)),
        Column("name", sa.String(20), server_default="it's % \\:x"),
        Column("loud", sa.Text, Computed("upper(name) || '%'", persisted=True), unique=True),
        Column("token", postgresql.UUID, server_default=text("gen_random_uuid()")),
        sa.CheckConstraint("status <> 'void' OR NOT 'paid' = ANY (was)", name="not_void"),
        sa.CheckConstraint("loud <> '%'", name="said"),
    )
    sale.append_constraint(
        postgresql.ExcludeConstraint(("id", "="), name="once", where=text("status = 'paid'"), using="btree")
    )
    Index("ix_open", sale.c.name, postgresql_where=text("status IN ('new', 'paid')"))
    Index("ix_loud", sa.func.lower(sale.c.loud))
    Index("ix_status", sale.c.status)
    return metadata


LOOSE = """DROP INDEX ix_open; ALTER TABLE sale DROP CONSTRAINT not_void, DROP CONSTRAINT once, DROP COLUMN paid,
    DROP CONSTRAINT sale_status_fkey, ALTER status DROP DEFAULT, ALTER status TYPE text;
    ALTER TABLE sale ALTER status SET DEFAULT 'new';"""
CHANGES = {
    "members that are none": """ALTER TYPE "Order status" ADD VALUE 'it''s %' BEFORE 'paid'""",
    "a member by another name": """ALTER TABLE sale ALTER status SET DEFAULT 'void';
        ALTER TYPE "Order status" RENAME VALUE 'void' TO 'gone'""",
    "a text instead": LOOSE,
    "no type at all": LOOSE
    + """ALTER TABLE sale ALTER was DROP DEFAULT, ALTER was TYPE text[]; ALTER TABLE state ALTER status TYPE text;
    DROP TYPE "Order status";""",
    "texts and numbers": """ALTER TABLE sale ALTER token DROP DEFAULT, ALTER token TYPE text;
    ALTER TABLE sale ALTER token SET DEFAULT 'none', ALTER id TYPE bigint""",
    "a column that others are computed of": """ALTER TABLE sale DROP loud; ALTER TABLE sale ALTER name TYPE text;
    ALTER TABLE sale ADD loud text UNIQUE GENERATED ALWAYS AS (upper(name) || '%') STORED,
        ADD CONSTRAINT said CHECK (loud <> '%'); CREATE INDEX ix_loud ON sale (lower(loud))""",
    "computed of something else": """ALTER TABLE sale DROP loud; ALTER TABLE sale
        ADD loud text UNIQUE GENERATED ALWAYS AS (lower(name)) STORED, ADD CONSTRAINT said CHECK (loud <> '%');
    CREATE INDEX ix_loud ON sale (lower(loud))""",
}


@pytest.mark.parametrize("schema", [None, "own"])
def test_it_is_mended_with_all_that_stands_on_it(
    postgres_database: TestDatabase, tmp_path: Path, schema: str | None
) -> None:
    postgres_database.execute("CREATE SCHEMA own")
    models = shop(schema)
    made = Service(postgres_database, tmp_path, models)
    postgres_database.execute("INSERT INTO state VALUES ('new'), ('paid')")
    postgres_database.execute("INSERT INTO sale (status) VALUES ('paid')")
    assert made.differing(models) == []
    before = postgres_database.execute("SELECT * FROM sale")
    for name, change in CHANGES.items():
        postgres_database.execute(change.replace(TYPE, f"{schema}.{TYPE}") if schema else change)
        assert made.differing(models), name
        said = made.mend(models)
        assert made.differing(models) == [], (name, said)
        columns = "id, status, was, paid, name, loud, token"
        assert postgres_database.execute(f"SELECT {columns} FROM sale") == before, (name, said)
