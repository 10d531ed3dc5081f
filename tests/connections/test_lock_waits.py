"""Who is waited for when lock_timeout runs out is told where it is known, and never where it is not."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import text

from dbctl.backends.locks import Holder
from dbctl.connections.lock_waits import _told
from dbctl.errors import OutOfTime, Remedy
from tests.faults.units import units
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.servers.client import Connection, rows
from tests.servers.pgbouncer import PgBouncer
from tests.servers.server import Server

ROW = "UPDATE contended SET x = x + 1 WHERE id = 1"
OTHER_ROW = ROW.replace("id = 1", "id = 2")

pytestmark = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


@pytest.fixture
def contended(shared_server_database: TestDatabase) -> Iterator[TestDatabase]:
    """A database with two rows to be waited for, and a user who may see who holds them."""
    database, server = shared_server_database, shared_server_database.server
    assert server
    database.execute("CREATE TABLE contended (id INTEGER PRIMARY KEY, x INTEGER)")
    database.execute("INSERT INTO contended VALUES (1, 0), (2, 0)")
    if server.dialect == "mysql":
        server.create_role("seer", "secret")
        server.execute("GRANT PROCESS ON *.* TO seer@'%'")
        if server.kind == "mysql":
            for table in ("data_lock_waits", "metadata_locks", "threads"):
                server.execute(f"GRANT SELECT ON performance_schema.{table} TO seer@'%'")
        server.execute(f"GRANT ALL ON {database.name}.* TO seer@'%'")
    yield database
    if server.dialect == "mysql":
        server.drop_role("seer")
    database.execute("DROP TABLE contended")


def login_of(database: TestDatabase) -> Mapping[str, Any]:
    return {"user": "seer", "password": "secret"} if database.dialect == "mysql" else {}


def session_of(connection: Connection) -> int:
    driver: Any = connection
    return int(driver.thread_id() if hasattr(driver, "thread_id") else driver.info.backend_pid)


def said(database: TestDatabase, asynchronous: bool, *statements: str, **changes: Any) -> OutOfTime:
    """Run statements in a unit of work, and return the error that says which time is over."""
    profile = profile_of(database, {"lock_timeout": 1, **login_of(database), **changes})
    with units(profile, asynchronous) as found, pytest.raises(OutOfTime) as caught:
        found.run(lambda session: [session.execute(text(statement)) for statement in statements])
    return caught.value


@contextlib.contextmanager
def holding(database: TestDatabase, *statements: str) -> Iterator[Connection]:
    with contextlib.closing(database.connect(autocommit=False)) as other:
        for statement in statements:
            rows(other, statement)
        yield other
        other.rollback()


def test_who_holds_a_row_is_told(contended: TestDatabase, asynchronous: bool) -> None:
    with holding(contended, ROW) as other:
        error = said(contended, asynchronous, ROW)
        named = {"postgresql": " (dbctl-tests)"}.get(contended.kind, "")
        assert error.message == f"lock_timeout 1 s: waiting for session {session_of(other)}{named}"
        assert error.hint is Remedy.WAIT_LONGER


def test_who_uses_a_table_is_told(contended: TestDatabase, asynchronous: bool) -> None:
    with holding(contended, "SELECT * FROM contended") as other:
        error = said(contended, asynchronous, "ALTER TABLE contended ALTER COLUMN x SET DEFAULT 0")
        if contended.kind == "mariadb":  # it tells by a plug-in that is not there
            assert "session" not in error.message
        else:
            assert f"lock_timeout 1 s: waiting for session {session_of(other)}" in error.message


def test_the_last_of_two_waits_is_the_one_that_is_told(contended: TestDatabase, asynchronous: bool) -> None:
    """What was waited for first, and had, is none of who is waited for in vain."""
    with holding(contended, ROW) as first, holding(contended, OTHER_ROW) as second:
        letting_go = threading.Timer(0.85, first.rollback)
        letting_go.start()
        try:
            error = said(contended, asynchronous, "UPDATE contended SET x = 5")
        finally:
            letting_go.join()
        assert str(session_of(first)) not in error.message.split()
        assert error.message.startswith(f"lock_timeout 1 s: waiting for session {session_of(second)}")


def test_nobody_is_named_where_nobody_is_known(contended: TestDatabase, asynchronous: bool) -> None:
    with holding(contended, ROW):
        if contended.dialect == "mysql":  # which tells only who has the privilege
            assert contended.server
            error = said(contended, asynchronous, ROW, user="app", password=contended.server.app_password)
            assert error.message == "lock_timeout 1 s: Lock wait timeout exceeded; try restarting transaction"
        else:  # it began to wait when nobody looked any more
            slowly = "UPDATE contended SET x = 1 FROM (SELECT pg_sleep(2)) AS slept WHERE id = 1"
            error = said(contended, asynchronous, slowly)
            assert error.message == "lock_timeout 1 s: canceling statement due to lock timeout"


def test_who_asks_not_to_wait_is_told_of_no_wait(contended: TestDatabase, asynchronous: bool) -> None:
    with holding(contended, ROW):
        error = said(contended, asynchronous, "SELECT * FROM contended WHERE id = 1 FOR UPDATE NOWAIT")
        assert "lock_timeout" not in error.message
        assert error.hint is not Remedy.WAIT_LONGER


def test_what_does_not_wait_long_costs_no_connection(
    contended: TestDatabase, asynchronous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []
    monkeypatch.setattr("dbctl.connections.lock_waits._Look.run", looks.append)
    profile = profile_of(contended, {"lock_timeout": 2, **login_of(contended)})
    with units(profile, asynchronous) as found, holding(contended, ROW) as other:
        letting_go = threading.Timer(0.3, other.rollback)
        letting_go.start()
        found.run(lambda session: [session.execute(text(ROW)) for _ in range(20)])
        letting_go.join()
    assert looks == []


def test_behind_a_pooler_nobody_is_named(postgres: Server, postgres_database: TestDatabase, asynchronous: bool) -> None:
    """It shows its client another process than the server's."""
    postgres_database.execute("CREATE TABLE contended (id INTEGER PRIMARY KEY, x INTEGER)")
    postgres_database.execute("INSERT INTO contended VALUES (1, 0)")
    with PgBouncer(postgres) as pooler, holding(postgres_database, ROW):
        uncached = {"query": {"prepared_statement_cache_size": "0"}} if asynchronous else {}
        place = {"host": pooler.host, "port": pooler.port, "ssl.mode": "disable", "ssl.ca": None, **uncached}
        error = said(postgres_database, asynchronous, ROW, **place)
    assert error.message == "lock_timeout 1 s: canceling statement due to lock timeout"


@pytest.mark.parametrize(
    ("holders", "words"),
    [
        ([Holder(7, "psql")], "waiting for session 7 (psql)"),
        ([Holder(7), Holder(None)], "waiting for session 7 and a prepared transaction"),
        (list(map(Holder, range(1, 6))), "waiting for session 1, session 2, session 3 and 2 more"),
    ],
)
def test_several_are_counted(holders: list[Holder], words: str, asynchronous: bool) -> None:
    assert _told(holders) == words
