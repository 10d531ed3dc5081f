"""The schemas of several profiles held against each other, or against their models."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked

NAMES = ("a", "b", "c", "d")


@pytest.fixture
def fleet(dbctl: Dbctl) -> Dbctl:
    """Four databases with the sample's tables."""
    (dbctl.cwd / "profiles.toml").write_text(
        "".join(f'[profiles.{name}]\nurl = "sqlite:///{name}.db"\n' for name in NAMES), encoding="utf-8"
    )
    dbctl.ok("--all", "init-tables", "--quiet")
    return dbctl


def changes(rows: Any) -> list[tuple[Any, ...]]:
    return [tuple(row[key] for key in ("profile", "alike", "table", "part", "drift")) for row in rows]


def test_what_is_the_same_is_told_in_a_line(fleet: Dbctl) -> None:
    result = fleet.ok("--all", "fleet", "drift", "--json")
    assert (result.json, result.err) == ([], "dbctl: 4 profiles as a: a, b, c and 1 more\n")


def test_those_that_are_alike_are_told_once(fleet: Dbctl) -> None:
    fleet.ok("-p", "[ab]", "query", "--write", "ALTER TABLE hero ADD COLUMN tall INTEGER DEFAULT 3", "--quiet")
    for sql in ("CREATE INDEX ix ON hero (age)", "CREATE TABLE tmp_x (id INTEGER)", "DROP TABLE transfer_log"):
        fleet.ok("-p", "b", "query", "--write", sql, "--quiet")
    result = fleet("--all", "fleet", "drift", "--reference", "c", "--json")
    assert (result.code, "2 profiles of 4 differ from c" in result.err) == (6, True), str(result)
    assert changes(result.json) == [
        ("a", 1, "hero", "column tall", "extra"),
        ("b", 1, "hero", "column tall", "extra"),
        ("b", 1, "hero", "index ix", "extra"),
        ("b", 1, "tmp_x", "table", "extra"),
        ("b", 1, "transfer_log", "table", "missing"),
    ]
    assert result.json[0]["found"] == "INTEGER DEFAULT 3"
    fleet.ok("-p", "c", "query", "--write", "ALTER TABLE hero ADD COLUMN tall INTEGER DEFAULT 3", "--quiet")
    result = fleet("--all", "fleet", "drift", "--ignore", "tmp_*", "--ignore", "transfer_log", "-o", "csv")
    assert result.out.splitlines()[1:] == [
        'b,1,hero,index ix,extra,,CREATE INDEX (age),,"[""b""]",',
        'd,1,hero,column tall,missing,INTEGER DEFAULT 3,,,"[""d""]",',
    ], result.out
    assert "2 profiles as a: a, c" in result.err


def test_each_may_be_held_against_its_models(fleet: Dbctl) -> None:
    pytest.importorskip("alembic.runtime.plugins")  # which the oldest alembic lacks
    fleet.ok("-p", "[ab]", "query", "--write", "ALTER TABLE hero ADD COLUMN tall INTEGER", "--quiet")
    result = fleet("--all", "fleet", "drift", "--models", "--json")
    assert result.code == 6, str(result)
    assert changes(result.json) == [("a", 2, "hero", "column tall", "extra")]
    assert result.json[0]["profiles"] == ["a", "b"]
    fleet.ok("-p", "[cd]", "fleet", "drift", "--models")
    assert fleet("--all", "fleet", "drift", "--models", "--reference", "a").code == 2


def test_one_that_can_t_be_looked_at_is_told_with_its_exit_code(fleet: Dbctl) -> None:
    with (fleet.cwd / "profiles.toml").open("a") as file:
        file.write('[profiles.gone]\nurl = "sqlite:///gone.db"\n[profiles.odd]\nurl = "sqlite:///a.db"\nport = "x"\n')
    fleet.ok("-p", "b", "query", "--write", "DROP TABLE transfer_log", "--quiet")
    result = fleet("--all", "fleet", "drift", "-o", "jsonl")
    rows = {row["profile"]: row for row in map(json.loads, result.out.splitlines())}
    assert (result.code, {name: row["code"] for name, row in rows.items()}) == (4, {"b": None, "gone": 4, "odd": 3})
    assert "there is no database file" in rows["gone"]["error"]
    assert "gone can't be looked at (exit code 4)" in result.err
    shown = fleet("--all", "fleet", "drift", "-o", "table").out
    assert "there is no database file gone.db" in shown
    assert fleet("--all", "fleet", "drift", "--reference", "gone").code == 4
    assert fleet("fleet", "drift").code == 2


def test_databases_of_several_kinds_are_not_held_against_each_other(fleet: Dbctl) -> None:
    with (fleet.cwd / "profiles.toml").open("a") as file:
        file.write('[profiles.down]\nurl = "postgresql://x@127.0.0.1:1/x"\n')
    result = fleet("--all", "fleet", "drift")
    assert (result.code, "SQLite (a, b, c and 1 more); PostgreSQL (down)" in result.err) == (2, True), str(result)


@contextmanager
def two_databases(database: TestDatabase, dbctl: Dbctl) -> Iterator[tuple[Forked, TestDatabase]]:
    """Have two profiles, `one` and `two`, of two databases of a server; yields the other one."""
    assert database.server
    other = f"{database.name}_b"
    database.server.create_database(other)
    toml = [
        database.toml.replace(f"[profiles.{database.profile}", f"[profiles.{name}").replace(database.name, place)
        for name, place in (("one", database.name), ("two", other))
    ]
    (dbctl.cwd / "profiles.toml").write_text("\n".join(toml), encoding="utf-8")
    try:
        run = Forked(cwd=dbctl.cwd, home=dbctl.home, env={**database.env})
        yield run, TestDatabase.on_server(database.server, other)
    finally:
        database.server.drop_database(other)


_ALL_KINDS = {
    "postgresql": """
        CREATE SCHEMA port; CREATE SEQUENCE counter START 5; CREATE TYPE color AS ENUM ('red', 'green');
        CREATE TABLE ship (id INTEGER GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name VARCHAR(20) DEFAULT 'x',
            twice INTEGER GENERATED ALWAYS AS (length(name) * 2) STORED, tint color,
            CONSTRAINT long CHECK (length(name) > 1));
        CREATE TABLE port.berth (id INTEGER PRIMARY KEY, ship_id INTEGER REFERENCES ship (id) ON DELETE CASCADE);
        CREATE UNIQUE INDEX ix_name ON ship (lower(name)) WHERE id > 3; COMMENT ON COLUMN ship.name IS 'as painted';
        CREATE VIEW names AS SELECT name FROM ship; CREATE MATERIALIZED VIEW kept AS SELECT id FROM ship;
        CREATE DOMAIN knots AS INTEGER CHECK (VALUE >= 0); CREATE TABLE crew (id INTEGER) PARTITION BY LIST (id);
        CREATE TABLE crew_a PARTITION OF crew FOR VALUES IN (1); CREATE POLICY own ON ship USING (id > 0);
        CREATE TABLE mast (id INTEGER PRIMARY KEY, ship_id INTEGER CONSTRAINT m REFERENCES ship (id), high INTEGER);
        CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER tr BEFORE INSERT ON ship FOR EACH ROW EXECUTE FUNCTION nothing()
    """,
    "mysql": """
        CREATE TABLE ship (id INTEGER AUTO_INCREMENT PRIMARY KEY, name VARCHAR(20) NOT NULL DEFAULT 'x' COMMENT 'old',
            tint ENUM('red', 'green'), size INTEGER, CONSTRAINT positive CHECK (size > 0)) COMMENT 'sails';;
        CREATE TABLE berth (id INTEGER PRIMARY KEY, ship_id INTEGER,
            CONSTRAINT fk FOREIGN KEY (ship_id) REFERENCES ship (id) ON DELETE CASCADE);;
        CREATE UNIQUE INDEX ix_name ON ship (name);; CREATE VIEW names AS SELECT name FROM ship
    """,
}  # fmt: skip
_CHANGED = {
    "postgresql": [
        ("DROP TRIGGER tr ON ship", "ship", "trigger tr"),
        ("ALTER TYPE color ADD VALUE 'blue'", "color", "type"),
        ("ALTER TABLE port.berth DROP CONSTRAINT berth_ship_id_fkey", "port.berth", "foreign key (ship_id)"),
        ("ALTER SEQUENCE counter INCREMENT 2", "counter", "sequence"),
        ("ALTER TABLE ship DROP CONSTRAINT long", "ship", "check long"),
        ("COMMENT ON COLUMN ship.name IS 'other'", "ship", "column name, comment"),
        ("CREATE OR REPLACE VIEW names AS SELECT name FROM ship WHERE id > 1", "names", "definition"),
        ("DROP MATERIALIZED VIEW kept", "kept", "table"),
        ("DROP INDEX ix_name; CREATE UNIQUE INDEX ix_name ON ship (lower(name))", "ship", "index ix_name"),
        ("ALTER TABLE ship ALTER COLUMN id SET GENERATED ALWAYS", "ship", "column id"),
        ("ALTER TABLE mast ALTER CONSTRAINT m DEFERRABLE INITIALLY DEFERRED", "mast", "foreign key (ship_id)"),
        ("ALTER TABLE mast ADD CONSTRAINT h CHECK (high > 0) NOT VALID", "mast", "check h"),
        ("ALTER DOMAIN knots SET NOT NULL", "knots", "domain"),
        ("ALTER VIEW names SET (security_barrier = true)", "names", "options"),
        ("DROP TABLE crew_a; CREATE TABLE crew_a PARTITION OF crew FOR VALUES IN (2)", "crew", "partition crew_a"),
        ("ALTER TABLE ship ENABLE ROW LEVEL SECURITY", "ship", "row-level security"),
        ("ALTER POLICY own ON ship USING (id > 1)", "ship", "policy own"),
    ],
    "mysql": [
        ("ALTER TABLE berth DROP FOREIGN KEY fk", "berth", "foreign key (ship_id)"),
        ("DROP INDEX ix_name ON ship; CREATE UNIQUE INDEX ix_name ON ship (name DESC)", "ship", "index ix_name"),
        ("ALTER TABLE ship COMMENT 'other'", "ship", "comment"),
        ("ALTER TABLE ship MODIFY tint ENUM('red')", "ship", "column tint"),
        ("CREATE OR REPLACE VIEW names AS SELECT id, name FROM ship", "names", "definition"),
    ],
}


@pytest.mark.dependency
def test_every_part_of_a_schema_is_held_against_the_other_s(server_database: TestDatabase, dbctl: Dbctl) -> None:
    with two_databases(server_database, dbctl) as (run, other):
        made, changed = _ALL_KINDS[server_database.dialect], _CHANGED[server_database.dialect]
        for each in (server_database, other):
            for statement in filter(str.strip, made.split(";;")):
                each.execute(statement)
        run.ok("--all", "fleet", "drift")
        for statements, _, _ in changed:
            for statement in statements.split("; "):
                other.execute(statement)
        result = run("--all", "fleet", "drift", "--reference", "one", "--json")
        assert result.code == 6, str(result)
        found = {(row["table"], row["part"]) for row in result.json}
        assert found >= {(table, part) for _, table, part in changed}, found
        assert len(found) <= len(changed) + 2, found  # a view tells its columns too


def test_what_sqlite_keeps_only_as_it_was_typed_is_held_too(dbctl: Dbctl) -> None:
    (dbctl.cwd / "profiles.toml").write_text(
        "".join(f'[profiles.{name}]\nurl = "sqlite:///{name}.db"\n' for name in "ab"), encoding="utf-8"
    )
    said = {
        "a": """CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE q (id INTEGER PRIMARY KEY);
            CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id), d INTEGER REFERENCES p, name TEXT,
                n INTEGER UNIQUE, UNIQUE (p, d)); CREATE TABLE w (id TEXT PRIMARY KEY NOT NULL)""",
        "b": """CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE "q" (id INTEGER PRIMARY KEY AUTOINCREMENT) STRICT;
            CREATE TABLE c (id INTEGER PRIMARY KEY, -- ON CONFLICT IGNORE
                p INTEGER REFERENCES p (id) ON DELETE CASCADE, d INTEGER REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED,
                name TEXT COLLATE NOCASE, n INTEGER UNIQUE ON CONFLICT REPLACE, UNIQUE (p, d) ON CONFLICT FAIL);
            CREATE TABLE w (id TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID""",
    }  # fmt: skip
    for name, script in said.items():
        with sqlite3.connect(dbctl.cwd / f"{name}.db") as connection:
            connection.executescript(script)
    found = {row[2:4] for row in changes(dbctl("--all", "fleet", "drift", "--reference", "a", "--json").json)}
    assert found == {
        ("q", "column id, clauses"), ("q", "options"), ("w", "options"), ("c", "foreign key (p)"),
        ("c", "foreign key (d)"), ("c", "column name, clauses"), ("c", "column n, clauses"),
        ("c", "UNIQUE (p, d), clauses"),
    }  # fmt: skip


@pytest.mark.parametrize("server_database", ["postgresql"], indirect=True)
def test_a_schema_a_tenant_is_a_database_of_its_own(server_database: TestDatabase, dbctl: Dbctl) -> None:
    """Where names lead to another schema for each tenant of one database, those are held against each other."""
    name = server_database.profile
    query = """SELECT nspname AS name, '-csearch_path=' || nspname AS "query.options" FROM pg_namespace
        WHERE nspname LIKE 'tenant%' ORDER BY 1"""
    fleet = f"[fleet.t]\nfrom = \"{name}\"\ntemplate = \"{name}\"\nquery = '''{query}'''\n"
    (dbctl.cwd / "profiles.toml").write_text(f"{server_database.toml}\n{fleet}", encoding="utf-8")
    run = Forked(cwd=dbctl.cwd, home=dbctl.home, env={**server_database.env})
    for tenant in ("tenant_a", "tenant_b", "tenant_c"):
        server_database.execute(f"CREATE SCHEMA {tenant}")
    run.ok("-p", "t/*", "init-tables", "--quiet")
    assert "3 profiles as t/tenant_a" in run.ok("-p", "t/*", "fleet", "drift", "--own-schema").err
    server_database.execute("ALTER TABLE tenant_b.hero DROP COLUMN age")
    result = run("-p", "t/*", "fleet", "drift", "--own-schema", "--json")
    assert changes(result.json)[-1] == ("t/tenant_b", 1, "hero", "column age", "missing")
