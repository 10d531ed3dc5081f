"""`dbctl tables`: what there is, how many rows it has and what it takes up, and what can't be known of that."""

import contextlib

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked
from tests.harness.sample import Sample

BIG = {
    "sqlite": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 60000)"
    " INSERT INTO big SELECT n, printf('%.200c', 'x') FROM c",
    "postgresql": "INSERT INTO big SELECT n, repeat('x', 200) FROM generate_series(1, 60000) s(n)",
    "mariadb": "INSERT INTO big SELECT seq, repeat('x', 200) FROM seq_1_to_60000",
    "mysql": "INSERT INTO big SELECT n, repeat('x', 200) FROM JSON_TABLE(CONCAT('[1', REPEAT(',1', 59999), ']'),"
    " '$[*]' COLUMNS (n FOR ORDINALITY)) s",
}


def test_each_has_its_rows_and_sizes(sample: Sample) -> None:
    found = {row["table"]: row for row in sample.dbctl.ok("tables", "--json").json}
    assert {name: found[name]["rows"] for name in ("hero", "team", "transfer_log")} == {
        "hero": 5,
        "team": 2,
        "transfer_log": 0,
    }
    for name in ("hero", "team", "transfer_log"):
        assert (found[name]["kind"], found[name]["estimated"]) == ("table", False)
        assert found[name]["index_bytes"] > 0
    assert found["hero"]["data_bytes"] > 0
    assert found["hero"]["data"].endswith(" KiB")


def test_a_pattern_and_a_schema_choose(sample: Sample) -> None:
    assert [row["table"] for row in sample.dbctl.ok("tables", "t*", "--json").json] == ["team", "transfer_log"]
    result = sample.dbctl("tables", "nothing_*")
    assert (result.code, result.out) == (1, "")
    assert "dbctl: error: no table is called nothing_*" in result.err
    schema = {"postgresql": "public", "sqlite": "main"}.get(sample.database.dialect, sample.database.name)
    assert len(sample.dbctl.ok("tables", "--schema", schema, "--json").json) == 3


def test_many_rows_are_estimated_and_marked_so_unless_all_are_counted(database: TestDatabase, dbctl: Dbctl) -> None:
    database.execute("CREATE TABLE big (n INTEGER PRIMARY KEY, filler VARCHAR(250))")
    database.execute(BIG[database.kind])
    with contextlib.suppress(Exception) if database.kind == "postgresql" else contextlib.nullcontext():
        database.execute("ANALYZE TABLE big" if database.dialect == "mysql" else "ANALYZE big")
    dbctl = forked(dbctl, database)
    result = dbctl.ok("tables", "--json")
    [row] = result.json
    assert row["estimated"] is True
    assert 40_000 < row["rows"] < 80_000
    assert row["data_bytes"] > 8 * 1024 * 1024
    assert "dbctl: the rows of 1 table are estimates" in result.err
    [row] = dbctl.ok("tables", "--exact", "--json").json
    assert (row["rows"], row["estimated"]) == (60_000, False)


def test_what_nobody_counted_is_said(postgres_database: TestDatabase, dbctl: Dbctl) -> None:
    postgres_database.execute("CREATE TABLE big (n INT, filler TEXT) WITH (autovacuum_enabled = off)")
    postgres_database.execute(BIG["postgresql"])
    result = forked(dbctl, postgres_database).ok("tables", "--json")
    assert (result.json[0]["rows"], result.json[0]["estimated"]) == (None, None)
    assert "never analyzed, so that nobody knows the number of rows: big" in result.err


def test_kinds_of_relations(database: TestDatabase, dbctl: Dbctl) -> None:
    made = {"v": "view", "t": "table"}
    database.execute("CREATE TABLE t (a INT)")
    database.execute("CREATE VIEW v AS SELECT 1 AS a")
    if database.kind == "postgresql":
        database.execute("CREATE MATERIALIZED VIEW mv AS SELECT 1 AS a")
        database.execute("CREATE TABLE p (a INT) PARTITION BY LIST (a)")
        database.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)")
        database.execute("INSERT INTO p VALUES (1)")
        database.execute("COMMENT ON TABLE t IS 'what it is'")
        made |= {"mv": "materialized view", "p": "partitioned table", "p1": "table"}
    elif database.dialect == "mysql":
        database.execute("CREATE TABLE p (a INT) PARTITION BY HASH (a) PARTITIONS 2")
        database.execute("INSERT INTO p VALUES (1)")
        database.execute("ALTER TABLE t COMMENT 'what it is'")
        made |= {"p": "partitioned table"}
    else:
        database.execute("CREATE VIRTUAL TABLE f USING fts5(a)")
        made |= {"f": "virtual table"}
    found = {row["table"]: row for row in forked(dbctl, database).ok("tables", "--json").json}
    assert {name: found[name]["kind"] for name in made} == made
    assert (found["v"]["rows"], found["v"]["estimated"], found["v"]["data_bytes"]) == (None, None, None)
    if database.server:
        assert found["t"]["comment"] == "what it is"
        assert found["p"]["rows"] == 1


@pytest.mark.parametrize("columns", [80, 200])
def test_it_fits_a_screen(sample: Sample, columns: int) -> None:
    shown = sample.dbctl.tty("tables", columns=columns).plain
    assert max(map(len, shown.splitlines())) <= columns
    assert "transfer_log" in shown
