"""A database that was restored tells its expressions in other words: that is no drift."""

import os
import warnings
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Computed, Index, MetaData, Table, text

import dbctl
from dbctl.catalog.schemas import Part, parts_of
from dbctl.connections.connector import build_connector
from dbctl.drift.comparison import differences
from dbctl.drift.mending import statements
from tests.drift.fleet import CONVENTION
from tests.harness.database import TestDatabase
from tests.servers.client import rows

# As pg_dump says them, and whoever mends by hand: in the server's words, which it words anew as it reads them.
SAID_AGAIN = """
DO $$ DECLARE one record; BEGIN
FOR one IN SELECT conrelid::regclass t, conname, pg_get_constraintdef(oid) said FROM pg_constraint
    WHERE contype = 'c' AND conrelid <> 0 LOOP
    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %3$s', one.t, one.conname, one.said);
END LOOP;
FOR one IN SELECT indexrelid::regclass i, pg_get_indexdef(indexrelid) said FROM pg_index
    WHERE indrelid = 'shelf'::regclass AND NOT indisprimary LOOP
    EXECUTE format('DROP INDEX %s', one.i); EXECUTE one.said;
END LOOP;
FOR one IN SELECT adrelid::regclass t, attname, atttypid::regtype type, attgenerated, pg_get_expr(adbin, adrelid) said
    FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum WHERE adrelid = 'shelf'::regclass LOOP
    IF one.attgenerated = '' THEN
        EXECUTE format('ALTER TABLE %s ALTER %I SET DEFAULT %s', one.t, one.attname, one.said);
    ELSE
        EXECUTE format('ALTER TABLE %s DROP %I, ADD %I %s GENERATED ALWAYS AS (%s) STORED',
            one.t, one.attname, one.attname, one.type, one.said);
    END IF;
END LOOP;
END $$
"""

VIEW = "CREATE OR REPLACE VIEW full_ones AS SELECT id FROM shelf WHERE {}"


def shelf(kind: str, *, width: int = 20) -> MetaData:
    """Return a table with expressions of each kind, that are told in several ways."""
    metadata = MetaData(naming_convention=CONVENTION)
    large = sa.case((sa.column("state").in_(["full", "torn"]), 1), else_=0)
    checks = [sa.CheckConstraint("code <> ''", name="code")] if kind == "postgresql" else []
    table = Table(
        "shelf",
        metadata,
        Column("id", sa.Integer, primary_key=True),
        Column("state", sa.Enum("full", "torn", native_enum=False, length=width, create_constraint=True, name="state")),
        Column("sign", sa.String(20), server_default="50% 'off' \\ :x"),
        Column("n", sa.Integer, comment="100% :n"),
        Column("code", sa.String(4), *checks, unique=True, index=True),
        Column("large", sa.Integer, Computed(large, persisted=True)),
        sa.CheckConstraint("sign IN ('a%', 'b\\:c') AND n BETWEEN 1 AND 9", name="sign"),
        sa.CheckConstraint("(n > 0 AND n < 9) OR sign IN ('a', 'b')", name="either"),
    )
    if kind == "postgresql":
        Index(
            "ix_some", table.c.n, postgresql_where=text("state IN ('full', 'torn') AND (n > 1 AND (n < 5 AND id > 3))")
        )
    if kind in {"postgresql", "mysql"}:
        Index("ix_state", text("(state IN ('full', 'torn'))"), table.c.n)
    if kind == "postgresql":
        table.append_column(Column("words", sa.ARRAY(sa.String), server_default=text("ARRAY['a', 'b']::text[]")))
    return metadata


class Service:
    """A database of some models."""

    def __init__(self, database: TestDatabase, directory: Path, models: MetaData) -> None:
        self.database = database
        file = directory / "profiles.toml"
        file.write_text(database.toml, encoding="utf-8")
        os.environ.update(database.env)
        self.connector = build_connector(dbctl.Profiles.load(str(file), name=database.profile).select())
        with self.connector.engine.begin() as connection:
            models.create_all(connection)

    def differing(self, metadata: MetaData) -> list[str]:
        """Return which parts differ."""
        with self.connector.engine.connect() as connection:
            return [each.part for each in differences(connection, self.connector.backend, [metadata])]

    def parts(self) -> dict[Part, str]:
        """Return what there is, as databases are held against each other."""
        with self.connector.engine.connect() as connection:
            return parts_of(connection, self.connector.backend)

    def mend(self, metadata: MetaData) -> Sequence[str]:
        """Run what is said to mend it, and return that."""
        with self.connector.engine.connect() as connection:
            found = differences(connection, self.connector.backend, [metadata])
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                said = statements(connection, self.connector.backend, [metadata], found)
        with closing(self.database.connect()) as raw:
            for statement in said:
                rows(raw, statement, ())
        return said


def test_a_database_that_was_restored_does_not_differ(server_database: TestDatabase, tmp_path: Path) -> None:
    models = shelf(server_database.kind)
    made = Service(server_database, tmp_path, models)
    assert made.differing(models) == []
    if server_database.kind == "postgresql":
        server_database.execute(VIEW.format("n BETWEEN 1 AND 3 AND state IN ('full', 'torn')"))
        told, parts = _told(server_database), made.parts()
        server_database.execute(SAID_AGAIN)
        server_database.execute(VIEW.format(told[-1][1].partition("WHERE ")[2].rstrip(";")))
        assert [was != now for was, now in zip(told, _told(server_database), strict=True)].count(True) > 2
        assert made.parts() == parts
    else:
        ((_, said),) = server_database.execute("SHOW CREATE TABLE shelf")
        with closing(server_database.connect()) as other:
            rows(other, "SET NAMES latin1", ())
            rows(other, "DROP TABLE shelf", ())
            rows(other, said.replace("_utf8mb4", ""), ())
    assert made.differing(models) == []


def _told(database: TestDatabase) -> list[Any]:
    checks = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' ORDER BY 1"
    return [*database.execute(checks), *database.execute("SELECT '', pg_get_viewdef('full_ones'::regclass)")]


def test_what_a_column_brings_is_mended_once_by_its_name_and_in_the_models_words(
    server_database: TestDatabase, tmp_path: Path
) -> None:
    made = Service(server_database, tmp_path, shelf(server_database.kind))
    wider = shelf(server_database.kind, width=30)
    drop = f"ALTER TABLE shelf DROP {'CHECK' if server_database.kind == 'mysql' else 'CONSTRAINT'} "
    server_database.execute(f"{drop} ck_shelf_state")
    server_database.execute(f"{drop} ck_shelf_sign")
    assert made.differing(wider) == ["check ck_shelf_sign", "check ck_shelf_state", "column state, type"]
    said = made.mend(wider)
    assert made.differing(wider) == [], said
    assert [each.partition(" ADD ")[2] for each in said if " ADD CONSTRAINT" in each] == [
        "CONSTRAINT ck_shelf_sign CHECK (sign IN ('a%', 'b:c') AND n BETWEEN 1 AND 9)",
        "CONSTRAINT ck_shelf_state CHECK (state IN ('full', 'torn'))",
    ]

    server_database.execute(f"{drop} ck_shelf_state")
    server_database.execute("ALTER TABLE shelf DROP COLUMN large")
    for index in ("ix_some", "ix_state") if server_database.kind == "postgresql" else ():
        server_database.execute(f"DROP INDEX {index}")
    if server_database.kind == "mysql":
        server_database.execute("DROP INDEX ix_state ON shelf")
    server_database.execute("ALTER TABLE shelf DROP COLUMN state")
    server_database.execute("ALTER TABLE shelf DROP COLUMN code")
    said = made.mend(wider)
    assert made.differing(wider) == [], said
