"""Loads and reads in bulk that others' locks are in the way of: bounded, and ended with the exit code of that."""

import contextlib
from pathlib import Path

import pytest

from tests.bulk.profiles import with_profiles
from tests.faults.test_contended_commands import until_it_waits
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked
from tests.servers.client import rows


@pytest.fixture
def loading(dbctl: Forked, mariadb_database: TestDatabase) -> Forked:
    """MariaDB with an empty table, and a file of two rows."""
    mariadb_database.execute("CREATE TABLE t (id integer PRIMARY KEY)")
    (dbctl.cwd / "t.csv").write_text("id\n1\n2\n")
    return forked(dbctl, mariadb_database)


@pytest.mark.parametrize("bound", ["--lock-timeout 1", "--timeout 1", "--lock-timeout 1 --max-errors 3"])
def test_load_data_that_waits_too_long_is_out_of_time(
    bound: str, loading: Forked, mariadb_database: TestDatabase
) -> None:
    with contextlib.closing(mariadb_database.connect(autocommit=False)) as other:
        rows(other, "INSERT INTO t VALUES (2)")
        result = loading("import", "t.csv", "t", *bound.split())
    assert (result.code, "a bug" in result.err) == (5, False), str(result)
    assert f"{'lock' if 'lock' in bound else 'statement'}_timeout 1 s: " in result.err, str(result)


@pytest.mark.parametrize("seconds", ["1", pytest.param("3", marks=pytest.mark.slow)])
@pytest.mark.parametrize("database", ["mariadb", "postgresql"], indirect=True)
def test_who_holds_what_a_load_waits_for_is_told(seconds: str, dbctl: Forked, database: TestDatabase) -> None:
    server = database.server
    assert server
    database.execute("CREATE TABLE t (id integer PRIMARY KEY)")
    (dbctl.cwd / "t.csv").write_text("id\n1\n2\n")
    url = database.url
    with contextlib.ExitStack() as held:
        if database.kind == "mariadb":
            server.create_role("seer", "secret")
            held.callback(server.drop_role, "seer")
            server.execute("GRANT PROCESS ON *.* TO seer@'%'")
            server.execute(f"GRANT ALL ON {database.name}.* TO seer@'%'")
            url = f"mysql+pymysql://seer:secret@{server.host}:{server.port}/{database.name}"
        other = held.enter_context(contextlib.closing(database.connect(autocommit=False)))
        rows(other, "INSERT INTO t VALUES (2)")
        result = dbctl("--url", url, "import", "t.csv", "t", "--lock-timeout", seconds)
    said = [words in result.err for words in (f"lock_timeout {seconds} s: waiting for session ", ", which session ")]
    assert (result.code, said) == (5, [True, seconds == "3"]), str(result)


def test_a_deadlock_is_told_as_one(loading: Forked, mariadb_database: TestDatabase) -> None:
    with contextlib.closing(mariadb_database.connect(autocommit=False)) as other:
        rows(other, "INSERT INTO t SELECT seq FROM seq_2_to_99")
        wait = loading.start("import", "t.csv", "t", "--retries", "0")
        until_it_waits(mariadb_database)
        rows(other, "INSERT INTO t VALUES (1)")
        result = wait()
    assert (result.code, "Deadlock" in result.err) == (1, True), str(result)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_lock_is_waited_for_no_longer_by_what_reads_and_sessions_share_a_moment(
    dbctl: Forked, database: TestDatabase, tmp_path: Path
) -> None:
    lite = TestDatabase.on_file(tmp_path / "lite.db")
    for name in ("a", "b"):
        for one in (database, lite):
            one.execute(f"CREATE TABLE {name} (id integer PRIMARY KEY)")
            one.execute(f"INSERT INTO {name} VALUES (1)")
    on = with_profiles(dbctl, pg=database, lite=lite)
    on.ok("export", "--all", "out", "--jobs", "2", "--lock-timeout", "1")
    assert [path.read_text() for path in (on.cwd / "out").iterdir()] == ["id\n1\n"] * 2
    with contextlib.closing(database.connect(autocommit=False)) as other:
        rows(other, "LOCK TABLE a")
        for words in (("export", "a", "a.csv"), ("copy", "a", "--from", "pg", "--to", "lite", "--truncate")):
            result = on(*words, "--lock-timeout", "0.5", "--deadline", "9")
            assert (result.code, "lock_timeout 0.5 s" in result.err) == (5, True), str(result)
