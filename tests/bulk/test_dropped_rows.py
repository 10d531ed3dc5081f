"""Rows that a trigger of the database's leaves out: they are not counted as loaded, and none behind them is lost."""

import pytest

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
