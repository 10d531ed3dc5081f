"""`dbctl import` and `copy` into tables that no ROLLBACK reaches: refused, before a row or a dry run writes there."""

import pytest

from tests.bulk.profiles import with_profiles
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked

ENGINES = {"mysql": ("MyISAM", "MEMORY"), "mariadb": ("Aria", "MyISAM")}


@pytest.mark.each
@pytest.mark.parametrize("database", ENGINES, indirect=True)
def test_no_row_comes_into_a_table_whose_engine_has_no_transactions(
    dbctl: Forked, database: TestDatabase, sqlite_database: TestDatabase
) -> None:
    one, two = ENGINES[database.kind]
    database.execute(f"CREATE TABLE one (id integer PRIMARY KEY) ENGINE = {one}")
    database.execute(f"CREATE TABLE two (id integer PRIMARY KEY) ENGINE = {two}")
    database.execute("CREATE TABLE safe (id integer PRIMARY KEY)")
    for name in ("one", "two", "safe"):
        if name != "safe":
            database.execute(f"INSERT INTO {name} VALUES (7)")
        sqlite_database.execute(f"CREATE TABLE {name} (id integer PRIMARY KEY)")
        sqlite_database.execute(f"INSERT INTO {name} VALUES (1)")
    on = with_profiles(dbctl, it=database, lite=sqlite_database)
    (on.cwd / "t.csv").write_text("id\n1\n2\n2\n")
    told = f"one ({one}) has an engine without transactions"
    for more in ([], ["--dry-run"], ["--truncate"], ["--on-conflict", "skip"], ["--max-errors", "3"]):
        result = on("-p", "it", "import", "t.csv", "one", *more)
        assert (result.code, told in result.err, "`one` ENGINE = InnoDB" in result.err) == (1, True, True), str(result)
    for more in (["--truncate", "--dry-run"], ["--truncate"], ["--resume"]):
        result = on("copy", "--all", "--from", "lite", "--to", "it", *more)
        assert (result.code, f"one ({one}), two ({two})" in result.err) == (1, True), str(result)
    assert [database.execute(f"SELECT id FROM {name}") for name in ("one", "two", "safe")] == [[(7,)], [(7,)], []]
    database.execute("ALTER TABLE one ENGINE = InnoDB")
    on.ok("copy", "one", "safe", "--from", "lite", "--to", "it", "--truncate")
    assert database.execute("SELECT id FROM one") == [(1,)]
