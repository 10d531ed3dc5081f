"""Rows that a trigger of the database's leaves out: they are not counted as loaded, and none behind them is lost."""

import pytest

from dbctl.bulk.resuming import RANGE
from tests.bulk.profiles import with_profiles
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked


@pytest.fixture
def dropping(postgres_database: TestDatabase) -> TestDatabase:
    """PostgreSQL with a table that takes no row whose number is 2."""
    postgres_database.execute("CREATE TABLE t (id integer PRIMARY KEY, v integer)")
    postgres_database.execute(
        "CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END$$"
    )
    postgres_database.execute("CREATE TRIGGER drop_it BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION drop_it()")
    return postgres_database


def test_they_are_not_counted(dbctl: Forked, dropping: TestDatabase) -> None:
    on = with_profiles(dbctl, pg=dropping)
    (on.cwd / "t.csv").write_text("id,v\n1,1\n2,2\n3,3\n4,x\n")
    found = on.ok("import", "t.csv", "t", "--max-errors", "1", "--json").json
    assert (found["rows"], found["rejected"], dropping.execute("SELECT count(*) FROM t")) == (2, 1, [(2,)])
    (on.cwd / "t.csv").write_text("id,v\n1,5\n2,2\n4,4\n")
    found = on.ok("import", "t.csv", "t", "--on-conflict", "update", "--json").json
    assert (found["rows"], found["skipped"], dropping.execute("SELECT sum(v) FROM t")) == (2, 0, [(12,)])


def test_they_are_told_apart_from_those_whose_keys_are_there(
    dbctl: Forked, dropping: TestDatabase, sqlite_database: TestDatabase
) -> None:
    sqlite_database.execute("CREATE TABLE t (id integer PRIMARY KEY, v integer)")
    sqlite_database.execute("CREATE TRIGGER drop_it BEFORE INSERT ON t WHEN NEW.id = 2 BEGIN SELECT RAISE(IGNORE); END")
    on = with_profiles(dbctl, pg=dropping, lite=sqlite_database)
    (on.cwd / "t.csv").write_text("id,v\n1,1\n2,2\n3,3\n")
    kept = "a trigger or a rule kept 1 row from t"
    for profile, skipped, said in (("pg", 2, kept), ("lite", 3, "may have been left out by")):
        assert on.ok("-p", profile, "import", "t.csv", "t", "--json").json["rows"] == 2
        result = on.ok("-p", profile, "import", "t.csv", "t", "--on-conflict", "skip", "--json")
        assert (result.json["rows"], result.json["skipped"], said in result.err) == (0, skipped, True), str(result)


def test_a_copy_by_ranges_goes_on_behind_them(
    dbctl: Forked, dropping: TestDatabase, sqlite_database: TestDatabase
) -> None:
    sqlite_database.execute("CREATE TABLE t (id integer PRIMARY KEY, v integer)")
    sqlite_database.execute(
        "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ?) INSERT INTO t SELECT n, n FROM s",
        RANGE + 5,
    )
    on = with_profiles(dbctl, lite=sqlite_database, pg=dropping)
    [found] = on.ok("copy", "t", "--from", "lite", "--to", "pg", "--resume", "--json").json
    assert (found["rows"], dropping.execute("SELECT count(*), max(id) FROM t")) == (RANGE + 4, [(RANGE + 4, RANGE + 5)])
