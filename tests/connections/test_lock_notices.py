"""A command that waits for a lock says so, with who holds it, and says when it goes on."""

import threading
import time
from collections.abc import Callable

import pytest

from tests.activity.sessions import Cast, end, writing
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked

ROW = "UPDATE contended SET x = x + 1 WHERE id = 1"


def waiting(dbctl: Dbctl, statement: str, let_go: Callable[[], object], *options: str) -> str:
    """Run a statement, let it go after a while, and return what it said."""
    timer = threading.Timer(4.0, let_go)
    timer.start()
    try:
        return dbctl.ok("query", "--write", statement, *options).talk
    finally:
        timer.join()


@pytest.fixture
def contended(database: TestDatabase) -> TestDatabase:
    database.execute("CREATE TABLE contended (id INTEGER PRIMARY KEY, x INTEGER)")
    database.execute("INSERT INTO contended VALUES (1, 0)")
    return database


def test_who_holds_what_is_waited_for_is_said_and_that_it_goes_on(contended: TestDatabase, dbctl: Dbctl) -> None:
    run = forked(dbctl, contended)
    if contended.server is None:
        with writing(contended.name) as holding:
            said = waiting(run, ROW, holding.kill, "--lock-timeout", "30")
        assert f"dbctl: waiting for the file's lock, which process {holding.pid} (" in said
    else:
        with Cast(contended) as cast:
            # MySQL tells only of tables' locks without a privilege.
            statement = ROW if contended.kind == "postgresql" else "ALTER TABLE contended ADD y INTEGER"
            holder = cast.holding("SELECT * FROM contended" if contended.dialect == "mysql" else ROW)
            said = waiting(run, statement, lambda: end(contended, holder))
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
    slow = run.spawn("exec", "--lock", "nightly", "--", "sleep", "3")
    time.sleep(1.5)
    result = run.ok("tables", "--lock", "nightly", "--lock-wait", "20")
    slow.communicate()
    assert 'waiting up to 20 s for the lock "nightly", which ' in result.err
    assert 'dbctl: the lock "nightly" is free, and it goes on, after ' in result.err
