"""Rows into and out of tables of PostgreSQL's with rules, policies and deferred constraints, past which COPY goes."""

import pytest

from tests.bulk.profiles import with_profiles
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked

on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@on_postgresql
def test_what_a_policy_lets_in_comes_in_and_what_it_hides_is_told(dbctl: Forked, database: TestDatabase) -> None:
    database.execute("CREATE TABLE t (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, who text NOT NULL)")
    database.execute("INSERT INTO t (who) VALUES ('you')")
    for statement in ("ENABLE ROW LEVEL SECURITY", "FORCE ROW LEVEL SECURITY"):
        database.execute(f"ALTER TABLE t {statement}")
    database.execute("CREATE POLICY own ON t USING (who = 'me')")
    on = with_profiles(dbctl, own=database, other=TestDatabase.on_file(dbctl.cwd / "other.db"))
    (on.cwd / "t.csv").write_text("id,who\n5,me\n6,you\n8,me\n")
    result = on("import", "t.csv", "t")
    assert (result.code, "t.csv, line 3: new row violates row-level security" in result.err) == (1, True), str(result)
    result = on.ok("import", "t.csv", "t", "--max-errors", "1", "--json")
    assert (result.json["rows"], result.json["rejected"]) == (2, 1), str(result)
    database.execute("INSERT INTO t (who) VALUES ('me')")  # whose number goes on behind those loaded
    hides = "t: rows that policies (row-level security) hide from this user are not read"
    result = on.ok("export", "t", "-")
    assert (result.out, hides in result.err) == ("id,who\n5,me\n8,me\n9,me\n", True), str(result)
    assert hides in on.ok("copy", "t", "--from", "own", "--to", "other", "--create").err
    config = (on.cwd / "profiles.toml").read_text()
    strict = config.replace("[profiles.own]", '[profiles.own]\nquery.options = "-c row_security=off"')
    (on.cwd / "profiles.toml").write_text(strict)
    result = on("export", "t", "-")
    assert (result.code, "would be affected by row-level security" in result.err) == (1, True), str(result)


@on_postgresql
def test_rules_of_a_table_are_kept(dbctl: Forked, database: TestDatabase) -> None:
    for name in ("t", "log", "u"):
        database.execute(f"CREATE TABLE {name} (id integer PRIMARY KEY, v integer DEFAULT 7)")
    database.execute("CREATE RULE r AS ON INSERT TO t DO INSTEAD INSERT INTO log VALUES (NEW.id, NEW.v)")
    database.execute("CREATE RULE r AS ON INSERT TO u WHERE NEW.id > 1 DO INSTEAD NOTHING")
    on = with_profiles(dbctl, own=database)
    (on.cwd / "t.csv").write_text("id\n1\n2\n3\n")
    assert on.ok("import", "t.csv", "t", "--json").json["rows"] == 3
    assert database.execute("SELECT (SELECT count(*) FROM t), count(*), sum(v) FROM log") == [(0, 3, 21)]
    result = on.ok("import", "t.csv", "u", "--json")
    assert (result.json["rows"], "a trigger or a rule kept 2 rows from u" in result.err) == (1, True), str(result)


@on_postgresql
def test_a_deferred_unique_constraint_names_its_row(dbctl: Forked, database: TestDatabase) -> None:
    database.execute("CREATE TABLE t (id integer PRIMARY KEY, v integer, UNIQUE (v) DEFERRABLE INITIALLY DEFERRED)")
    database.execute("INSERT INTO t VALUES (1, 1), (2, 2)")
    on = with_profiles(dbctl, own=database)
    (on.cwd / "t.csv").write_text("id,v\n3,3\n4,2\n5,5\n")
    result = on("import", "t.csv", "t")
    assert (result.code, 't.csv, line 3, column v: "2": duplicate key' in result.err) == (1, True), str(result)
    result = on.ok("import", "t.csv", "t", "--max-errors", "1", "--json")
    assert (result.json["rows"], result.json["rejected"]) == (2, 1), str(result)
    (on.cwd / "t.csv").write_text("id,v\n1,2\n2,1\n")  # each of which has the other's for a while
    on.ok("import", "t.csv", "t", "--on-conflict", "update")
    assert database.execute("SELECT v FROM t ORDER BY id") == [(2,), (1,), (3,), (5,)]
