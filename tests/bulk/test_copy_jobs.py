"""`dbctl copy --jobs`: tables at a time, none before those it refers to, and what one failure leaves can be resumed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bulk.profiles import with_profiles
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.shared import make_shared

ROWS = 120_000


@pytest.fixture
def source(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """PostgreSQL with a large table, a small one that refers to it, and others that stand alone."""
    for database in make_shared("postgresql", request):
        database.execute("CREATE TABLE z_team (id integer PRIMARY KEY)")
        database.execute("CREATE TABLE a_hero (id integer PRIMARY KEY, team integer REFERENCES z_team (id))")
        for name in ("b", "c", "d"):
            database.execute(f"CREATE TABLE {name} (id integer PRIMARY KEY, note varchar(20))")
            database.execute(f"INSERT INTO {name} SELECT n, n FROM generate_series(1, 1000) n")
        database.execute(f"INSERT INTO z_team SELECT n FROM generate_series(1, {ROWS}) n")
        database.execute(f"INSERT INTO a_hero SELECT n, {ROWS} + 1 - n FROM generate_series(1, 1000) n")
        yield database


@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_all_come_over_and_one_that_failed_goes_on(dbctl: Forked, source: TestDatabase, database: TestDatabase) -> None:
    on = with_profiles(dbctl, one=source, two=database)
    copy = ["copy", "--all", "--from", "one", "--to", "two", "--create", "--resume", "--jobs", "4"]
    source.execute("UPDATE c SET note = 'longer than it is' WHERE id = 500")
    for name in ("b", "c", "d"):
        database.execute(f"CREATE TABLE {name} (id integer PRIMARY KEY, note varchar(9))")
    failed = on(*copy)
    assert (failed.code, "c, row 500, column note" in failed.err) == (1, True), str(failed)
    assert database.execute("SELECT count(*) FROM c") == [(0,)]
    source.execute("UPDATE c SET note = 'short' WHERE id = 500")
    rows = {row["table"]: row["rows"] for row in on.ok(*copy, "--verify", "--json").json}
    assert rows == {"z_team": ROWS, "a_hero": 1000, "b": 1000, "c": 1000, "d": 1000}
    assert database.execute("SELECT count(*), sum(team) FROM a_hero") == source.execute(
        "SELECT count(*), sum(team) FROM a_hero"
    )
    assert {row["table"]: row["rows"] for row in on.ok(*copy, "--json").json} == rows
    assert database.execute("SELECT count(*), min(done) FROM dbctl_copy") == [(5, 1)]


def test_where_no_two_sessions_can_it_is_refused(dbctl: Forked, source: TestDatabase, tmp_path: Path) -> None:
    lite, other = (TestDatabase.on_file(tmp_path / name) for name in ("lite.db", "other.db"))
    for database in (lite, other):
        database.execute("CREATE TABLE b (id integer PRIMARY KEY, note varchar(20))")
    on = with_profiles(dbctl, one=source, two=lite, three=other)
    copy = ["copy", "b", "--jobs", "2", "--to", "three"]
    for more, words in (
        (["--from", "one"], "--jobs goes with --resume"),
        (["--from", "two", "--resume"], "no moment that several sessions could read"),
        (["--from", "one", "--resume"], "one session at a time writes to SQLite"),
    ):
        refused = on(*copy, *more)
        assert (refused.code, words in refused.err) == (2, True), str(refused)
    assert other.execute("SELECT count(*) FROM b") == [(0,)]
