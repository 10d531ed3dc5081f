"""A command that waits for a lock says so, with who holds it, and says when it goes on."""

from collections.abc import Callable

import pytest

from tests.activity.sessions import Cast, end, writing
from tests.faults.watching import within
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked

ROW = "UPDATE contended SET x = x + 1 WHERE id = 1"


def waiting(dbctl: Forked, let_go: Callable[[], object], *words: str) -> str:
    """Start a run, let it go when it says that it waits, and return all that it said."""
    run = dbctl.start(*words)
    waits = within(20, lambda: "waiting " in run.said)
    let_go()
    result = run()
    assert (waits, result.code) == (True, 0), str(result)
    return result.talk


@pytest.fixture
def contended(database: TestDatabase) -> TestDatabase:
    database.execute("CREATE TABLE contended (id INTEGER PRIMARY KEY, x INTEGER)")
    database.execute("INSERT INTO contended VALUES (1, 0)")
    return database


def test_who_holds_what_is_waited_for_is_said_and_that_it_goes_on(contended: TestDatabase, dbctl: Dbctl) -> None:
    run = forked(dbctl, contended)
    if contended.server is None:
        with writing(contended.name) as holding:
            said = waiting(run, holding.kill, "query", "--write", ROW, "--lock-timeout", "30")
        assert f"dbctl: waiting for the file's lock, which process {holding.pid} (" in said
    else:
        with Cast(contended) as cast:
            # MySQL tells only of tables' locks without a privilege.
            statement = ROW if contended.kind == "postgresql" else "ALTER TABLE contended ALTER COLUMN x SET DEFAULT 0"
            holder = cast.holding("SELECT * FROM contended" if contended.dialect == "mysql" else ROW)
            said = waiting(run, lambda: end(contended, holder), "query", "--write", statement)
        what = f"a lock, which session {holder} (dbctl-tests) holds"
        if contended.dialect == "mysql":
            what = "a table's lock, whose holder is not told"
        assert f"dbctl: waiting for {what}\n" in said
    assert said.count("waiting for") == 1
    _, after = said.split("waiting for")
    assert "\ndbctl: it goes on, after " in after


def test_what_is_only_slow_says_nothing(postgres_database: TestDatabase, dbctl: Dbctl) -> None:
    assert forked(dbctl, postgres_database).ok("query", "SELECT pg_sleep(3)").err == ""


def test_a_lock_of_a_run_is_waited_for_aloud(database: TestDatabase, dbctl: Dbctl) -> None:
    database.execute("CREATE TABLE t (a INT)")
    run = forked(dbctl, database)
    with run.popen("exec", "--lock", "nightly", "--", "sh", "-c", "echo; exec sleep 60") as slow:
        assert slow.stdout
        assert slow.stdout.readline() == "\n"
        said = waiting(run, slow.terminate, "tables", "--lock", "nightly", "--lock-wait", "20")
    assert 'waiting up to 20 s for the lock "nightly", which ' in said
    assert 'dbctl: the lock "nightly" is free, and it goes on, after ' in said
