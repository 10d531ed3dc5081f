"""`dbctl copy` into tables of a service that is in use: what stays, what is lost, what is replaced."""

from pathlib import Path

import pytest

from tests.bulk.profiles import with_profiles
from tests.bulk.test_copy import contents, filled, lite
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.shared import make_shared

__all__ = ["lite"]


def test_what_was_there_is_replaced_in_one_transaction(
    dbctl: Forked, server_database: TestDatabase, lite: TestDatabase
) -> None:
    filled(lite)
    on = with_profiles(dbctl, one=lite, two=server_database)
    copy = ["copy", "hero", "team", "--from", "one", "--to", "two"]
    on.ok(*copy, "--create")
    server_database.execute("UPDATE hero SET name = 'old', above = NULL")
    lite.execute("UPDATE hero SET above = 9 WHERE id = 9")
    on.ok(*copy, "--truncate", "--verify")
    lite.execute("UPDATE hero SET team_id = 77 WHERE id = 9")
    assert on(*copy, "--truncate").code == 1
    assert contents(on, "two", "hero", "id")[1][1] == "Rusty-Man"
    server_database.execute("CREATE TABLE medal (hero bigint, FOREIGN KEY (hero) REFERENCES hero (id))")
    result = on(*copy, "--truncate")
    assert (result.code, "medal refers to hero" in result.err) == (1, True), str(result)
    assert on(*copy, "--truncate", "--resume").code == 2


def test_bookkeeping_of_the_target_stays_and_what_is_excluded_too(
    dbctl: Forked, lite: TestDatabase, tmp_path: Path
) -> None:
    other, bare = (TestDatabase.on_file(tmp_path / name) for name in ("other.db", "bare.db"))
    for database in (lite, other):
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)")
        database.execute("INSERT INTO alembic_version VALUES ('a2')")
        database.execute("CREATE TABLE hero (id INTEGER PRIMARY KEY)")
    bare.execute("CREATE TABLE log_a (id INTEGER)")
    lite.execute("INSERT INTO hero VALUES (1)")
    lite.execute("CREATE TABLE log_a (id INTEGER)")
    lite.execute("CREATE TABLE dbctl_copy (id INTEGER)")
    on = with_profiles(dbctl, one=lite, two=other, three=bare)
    copy = ["copy", "--all", "--from", "one", "--exclude", "log_*", "--exclude", "there", "--json"]
    same = on.ok(*copy, "--to", "two")
    assert ([row["table"] for row in same.json], "both are at a2" in same.err) == (["hero"], True), str(same)
    other.execute("UPDATE alembic_version SET version_num = 'a1'")
    other.execute("DELETE FROM hero")
    differs = on.ok(*copy, "--to", "two")
    assert "two is at a1, the source at a2" in differs.err, str(differs)
    assert other.execute("SELECT version_num FROM alembic_version") == [("a1",)]
    on.ok(*copy, "--to", "three", "--create")
    assert bare.execute("SELECT version_num FROM alembic_version") == [("a2",)]
    unknown = on("copy", "--all", "--from", "one", "--to", "two", "--exclude", "heroo")
    assert (unknown.code, "no table is called so" in unknown.err) == (2, True), str(unknown)
    assert on("copy", "hero", "--from", "one", "--to", "two", "--exclude", "log_a").code == 2
    on.ok("-p", "one", "export", "--all", str(tmp_path), "--exclude", "log_*", "--exclude", "there")
    assert {path.stem for path in tmp_path.glob("*.csv")} == {"alembic_version", "hero", "dbctl_copy"}


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_what_may_be_lost_is_told_before_and_compared_as_it_is_then(
    dbctl: Forked, database: TestDatabase, request: pytest.FixtureRequest
) -> None:
    """Fractions of seconds are cut, not rounded into the next day."""
    for source in make_shared("postgresql", request):
        source.execute(
            "CREATE TABLE t (id int PRIMARY KEY, a timestamptz, b timestamptz, c time, d timestamp, e numeric)"
        )
        source.execute("INSERT INTO t VALUES (1, '2026-01-31 23:59:59.75Z', NULL, '23:59:59.75', '2026-01-31', 0.125)")
        database.execute(
            "CREATE TABLE t (id int PRIMARY KEY, a datetime, b datetime, c time, d timestamp(2) NULL, e decimal(9, 2))"
        )
        on = with_profiles(dbctl, one=source, two=database)
        copy = ["copy", "t", "--from", "one", "--to", "two"]
        refused = on(*copy)
        assert (refused.code, "t.a, t.b lose that it is in UTC, and digits behind" in refused.err) == (1, True)
        assert ("t.c, t.e lose digits behind the point; " in refused.err, "\\n" in refused.err) == (True, False)
        assert len(refused.err.strip().splitlines()) <= 2, str(refused)
        [row] = on.ok(*copy, "--lossy", "--verify", "--json").json
        assert row["verified"]
        [(a, c, e)] = database.execute("SELECT CAST(a AS CHAR), CAST(c AS CHAR), CAST(e AS CHAR) FROM t")
        assert (a, c, e) == ("2026-01-31 23:59:59", "23:59:59", "0.13")
        source.execute("UPDATE t SET e = 'NaN'")
        database.execute("DELETE FROM t")
        nan = on(*copy, "--lossy")
        assert (nan.code, "row 1, column e" in nan.err) == (1, True), str(nan)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_table_without_columns_keeps_no_other_from_coming(
    dbctl: Forked, database: TestDatabase, lite: TestDatabase
) -> None:
    database.execute("CREATE TABLE bare ()")
    database.execute("INSERT INTO bare DEFAULT VALUES")
    database.execute("CREATE TABLE hero (id integer)")
    database.execute("INSERT INTO hero VALUES (1)")
    on = with_profiles(dbctl, one=database, two=lite)
    copy = ["copy", "--from", "one", "--to", "two", "--create"]
    found = on.ok(*copy, "--all", "--json")
    assert [row["table"] for row in found.json] == ["hero"]
    assert found.err.count("bare has no column that can be copied") == 1, str(found)
    named = on(*copy, "bare")
    assert (named.code, "bare has no column that can be copied" in named.err) == (1, True), str(named)


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_of_types_that_sqlalchemy_does_not_know_nothing_is_said(
    dbctl: Forked, database: TestDatabase, lite: TestDatabase
) -> None:
    database.execute("CREATE TABLE place (id integer PRIMARY KEY, at geometry, ip inet6)")
    database.execute("INSERT INTO place VALUES (1, NULL, '::1')")
    lite.execute("CREATE TABLE place (id integer PRIMARY KEY, at blob, ip text)")
    lite.execute("INSERT INTO place VALUES (2, NULL, '::2')")
    on = with_profiles(dbctl, one=lite, two=database)
    (on.cwd / "place.csv").write_text("id,ip\n2,::2\n")
    for words in (
        "copy place --from one --to two --lossy --truncate",
        "-p two import place.csv place --on-conflict skip",
    ):
        result = on.ok(*words.split())
        assert "SAWarning" not in result.err, str(result)
    assert database.execute("SELECT id, ip FROM place") == [(2, "::2")]


def test_sqlite_looks_for_referring_rows_by_an_index_that_is_gone_then(
    dbctl: Forked, lite: TestDatabase, tmp_path: Path
) -> None:
    """Without one it looks through all rows with each row, as long as some refer to none."""
    target = TestDatabase.on_file(tmp_path / "target.db")
    columns = "id integer PRIMARY KEY, above integer REFERENCES tree, a integer, b integer, UNIQUE (a, b)"
    target.execute(f"CREATE TABLE tree ({columns})")
    target.execute("CREATE TABLE leaf (x integer, y integer, FOREIGN KEY (x, y) REFERENCES tree (a, b))")
    target.execute("CREATE TABLE root (id integer PRIMARY KEY REFERENCES tree, z integer REFERENCES tree)")
    target.execute("CREATE INDEX of_root ON root (z)")
    target.execute("CREATE TABLE seen (id integer, indexes text)")
    target.execute(
        "CREATE TRIGGER look AFTER INSERT ON tree BEGIN INSERT INTO seen SELECT NEW.id, group_concat(tbl_name)"
        " FROM (SELECT tbl_name FROM sqlite_master WHERE type = 'index' AND sql <> '' ORDER BY 1); END"
    )
    lite.execute("CREATE TABLE tree (id integer PRIMARY KEY, above integer)")
    lite.execute("INSERT INTO tree VALUES (1, 2), (2, 3), (3, NULL)")
    with_profiles(dbctl, one=lite, two=target).ok("copy", "tree", "--from", "one", "--to", "two")
    indexes = "SELECT group_concat(tbl_name) FROM sqlite_master WHERE type = 'index' AND sql <> ''"
    assert (target.execute(indexes), target.execute("SELECT * FROM seen")[2]) == (
        [("root",)],
        (3, "leaf,root,tree"),
    )


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_numbers_that_are_rounded_before_their_point_lose_nothing_elsewhere(
    dbctl: Forked, database: TestDatabase, sqlite_database: TestDatabase
) -> None:
    database.execute("CREATE TABLE t (id integer PRIMARY KEY, n numeric(5,-2), m numeric(20,3))")
    database.execute("INSERT INTO t VALUES (1, 9999912, 0.5), (2, -1250, 12345678901234567.891)")
    on = with_profiles(dbctl, it=database, lite=sqlite_database)
    on.ok("copy", "t", "--from", "it", "--to", "lite", "--create", "--verify")
    assert sqlite_database.execute("SELECT n, typeof(m) FROM t") == [(9999900, "text"), (-1300, "text")]
    back = on.ok("copy", "t", "--from", "it", "--to", "lite", "--truncate", "--verify", "--json").json
    assert back[0]["rows"] == 2
    refused = on("copy", "t", "--from", "it", "--to", "lite", "--truncate", "--refuse-unmasked", "--mask", "t.n=keep")
    assert (refused.code, "no rule names t.id, t.m;" in refused.err) == (1, True), str(refused)
