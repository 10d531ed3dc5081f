"""No connection is left, to anybody or to one role: dbctl says which limit it is, exits 4, and leaves nothing open."""

import contextlib
import re
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg2
import pymysql
import pytest
from sqlmodel import Session

from dbctl.errors import ConnectError
from tests.faults.killing import until
from tests.faults.units import insert, units
from tests.faults.watching import fill
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked, forked
from tests.harness.profile import profile_of
from tests.servers.server import Server

FULL = {
    "postgresql": r"remaining connection slots are reserved|too many clients already",
    "mysql": r"Too many connections",
}
ROLE_FULL = {
    "postgresql": r'too many connections for role "{}"',
    "mysql": r"User '?{}'? (already )?has (already )?more than 'max_user_connections' active connections"
    r"|User '{}' has exceeded the 'max_user_connections' resource",
}
OTHERS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = %s",
}
# MariaDB can lower its limit while it runs; the superuser has one connection beyond it, in which to raise it again.
LIMIT = 12
LIMITLESS = 1000
REFUSALS = (psycopg2.OperationalError, pymysql.err.OperationalError)


@pytest.fixture
def table(server_database: TestDatabase) -> TestDatabase:
    fill(server_database)
    server_database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    return server_database


def sessions(database: TestDatabase) -> int:
    """Count the sessions in the test's database."""
    assert database.server
    [(number,)] = database.server.execute(OTHERS[database.dialect], [database.name])
    return int(number)


@contextlib.contextmanager
def full(server: Server) -> Iterator[None]:
    """Hold all connections that an ordinary role can have."""
    with contextlib.ExitStack() as stack:
        if server.dialect == "mysql":
            [(before,)] = server.execute("SELECT @@max_connections")
            server.execute(f"SET GLOBAL max_connections = {LIMIT}")
            stack.callback(server.execute, f"SET GLOBAL max_connections = {before}")
        database = {"postgresql": "postgres", "mysql": "information_schema"}[server.dialect]
        stack.callback(lambda: until(lambda: is_free(server), "it stays full"))
        login: Any = {"user": server.app_user, "password": server.app_password, "database": database}
        with pytest.raises(REFUSALS, match=FULL[server.dialect]):
            [stack.enter_context(contextlib.closing(server.connect(**login, tls=False))) for _ in range(LIMITLESS)]
        yield


def is_free(server: Server) -> bool:
    """Tell whether a closed connection is given back: the server takes a moment to see that the client is gone."""
    with contextlib.suppress(Exception):
        server.connect(user=server.app_user, password=server.app_password, tls=False).close()
        return True
    return False


def exits_4(run: Dbctl, *command: str, reason: str) -> None:
    result = run(*command)
    assert (result.code, result.out, result.talk.count("\n")) == (4, "", 1), str(result)
    assert result.talk.startswith("dbctl: error: profile ")
    assert re.search(reason, result.talk), str(result)


ADD = ["heroes", "add", "Rusty-Man", "--secret-name", "Tommy Sharp"]


def test_a_server_without_a_connection_left_is_no_connection(dbctl: Dbctl, table: TestDatabase) -> None:
    server = table.server
    assert server
    quick = forked(dbctl, table)
    with full(server):
        for command in (ADD, ["heroes", "list"], ["ping"], ["init-tables"], ["pool-stats"]):
            exits_4(quick, *command, "--quiet", reason=FULL[server.dialect])
        assert sessions(table) == 0
    quick.ok(*ADD)
    assert table.execute("SELECT name FROM hero WHERE id <> 1") == [("Rusty-Man",)]


def test_an_engine_that_gets_no_connection_holds_none_and_works_afterwards(table: TestDatabase) -> None:
    server, profile = table.server, profile_of(table)
    assert server
    with units(profile, asynchronous=False) as one, units(profile, asynchronous=True) as other:
        with full(server):
            for opened in (one, other, one, other):
                with pytest.raises(ConnectError, match=FULL[server.dialect]) as caught:
                    opened.run(lambda session: insert(session, 1))
                assert caught.value.transient
                assert "\n" not in str(caught.value)
                assert opened.checked_out == 0
            assert sessions(table) == 0
        one.run(lambda session: insert(session, 2))
        other.run(lambda session: insert(session, 3))
    assert table.execute("SELECT x FROM t ORDER BY x") == [(2,), (3,)]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_the_unit_of_work_that_is_open_goes_on_where_a_second_finds_no_connection(
    table: TestDatabase, asynchronous: bool
) -> None:
    server, role = table.server, f"role_{uuid.uuid4().hex[:8]}"
    assert server
    with narrow(table, role), units(profile_of(table, {"user": role, "password": "secret"}), asynchronous) as opened:
        with units(profile_of(table, {"user": role, "password": "secret"}), asynchronous=False) as other:

            def work(session: Session) -> None:
                insert(session, 1)
                with pytest.raises(ConnectError, match=ROLE_FULL[table.dialect].replace("{}", role)):
                    other.run(lambda second: insert(second, 2))
                insert(session, 3)

            opened.run(work)
            assert (opened.checked_out, other.checked_out) == (0, 0)
        assert table.execute("SELECT x FROM t ORDER BY x") == [(1,), (3,)]


@contextlib.contextmanager
def narrow(database: TestDatabase, role: str) -> Iterator[None]:
    """Have a role that may have one connection at a time."""
    server = database.server
    assert server
    server.create_role(role, "secret", connections=1)
    try:
        if database.kind == "postgresql":
            database.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
        else:
            server.execute(f"GRANT ALL ON {database.name}.* TO {role}@'%'")
        yield
    finally:
        if database.kind == "postgresql":
            database.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}")
        until(lambda: server.drop_role(role) or True, "the role stays")


def test_a_role_without_a_connection_left_is_no_connection(dbctl: Dbctl, table: TestDatabase) -> None:
    server, role = table.server, f"role_{uuid.uuid4().hex[:8]}"
    assert server
    forked(dbctl, table)
    profiles = dbctl.cwd / "profiles.toml"
    profiles.write_text(profiles.read_text().replace(f'"{server.app_user}"', f'"{role}"'))
    with narrow(table, role):
        quick = Forked(cwd=dbctl.cwd, home=dbctl.home, env=dict.fromkeys(table.env, "secret"))
        with contextlib.closing(server.connect(user=role, password="secret", database=table.name)):
            for command in (["heroes", "list"], ["ping"], ["init-tables", "--check"]):
                exits_4(quick, *command, "--quiet", reason=ROLE_FULL[server.dialect].replace("{}", role))
            assert sessions(table) == 1
        until(lambda: sessions(table) == 0, "its connection stays")
        quick.ok("heroes", "list")
    assert sessions(table) == 0
