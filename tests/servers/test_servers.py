"""The test servers are what the tests take them for: real, guarded by passwords and TLS, and apart from each other."""

import contextlib
import ssl
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg2
import pymysql
import pytest

from tests.servers.authority import Authority
from tests.servers.client import Connection, rows
from tests.servers.server import Server, StopMode

REFUSALS = (psycopg2.OperationalError, pymysql.err.OperationalError)


@pytest.fixture(params=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> Server:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Server)
    found.revive()
    return found


@pytest.fixture
def role(server: Server) -> Iterator[str]:
    """A name for a role, dropped after the test."""
    name = f"role_{uuid.uuid4().hex[:8]}"
    yield name
    server.drop_role(name)


@pytest.fixture
def two_databases(server: Server) -> Iterator[tuple[str, str]]:
    names = (f"test_{uuid.uuid4().hex[:8]}", "needs `quotes\" - even 'this")
    for name in names:
        server.create_database(name)
    yield names
    for name in names:
        server.drop_database(name)


def as_app(server: Server, **options: Any) -> Connection:
    return server.connect(**{"user": server.app_user, "password": server.app_password} | options)


def is_encrypted(connection: Connection) -> bool:
    """Ask the server, and for MySQL's protocol the socket, whether the connection has TLS."""
    if isinstance(connection, pymysql.connections.Connection):
        [(_, cipher)] = rows(connection, "SHOW STATUS LIKE 'Ssl_cipher'")
        encrypted = isinstance(connection._sock, ssl.SSLSocket)  # type: ignore[attr-defined]
        assert encrypted == bool(cipher)
        return encrypted
    [(answer,)] = rows(connection, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    return bool(answer)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_tls_is_on_and_the_certificate_is_good_for_the_host(server: Server, host: str) -> None:
    with contextlib.closing(server.connect(host=host)) as connection:
        assert is_encrypted(connection)


def test_a_connection_without_tls_is_possible(server: Server) -> None:
    with contextlib.closing(as_app(server, database=None if server.kind == "mariadb" else "postgres", tls=False)) as it:
        assert not is_encrypted(it)


def test_another_authority_is_refused(server: Server, authority: Authority) -> None:
    with pytest.raises(REFUSALS, match="certificate verify failed"):
        server.connect(ca=authority.wrong_ca)


@pytest.mark.parametrize(
    ("name", "reason"), [("elsewhere", r"(?i)match host ?name|not valid for"), ("expired", "expired|verify failed")]
)
def test_a_bad_certificate_is_refused_until_the_good_one_is_back(
    server: Server, authority: Authority, name: str, reason: str
) -> None:
    with server.presenting(getattr(authority, name)), pytest.raises(REFUSALS, match=reason):
        server.connect()
    server.connect().close()


def test_a_server_without_an_authority_offers_no_tls(server: Server) -> None:
    with type(server)(None) as plain, contextlib.closing(plain.connect()) as connection:
        assert not is_encrypted(connection)
        assert plain.ca is None


@pytest.mark.parametrize("password", ["wrong", ""])
@pytest.mark.parametrize("user", ["app", None])
def test_a_wrong_password_is_refused(server: Server, user: str | None, password: str) -> None:
    with pytest.raises(REFUSALS, match=r"password authentication failed|Access denied|no password supplied"):
        server.connect(user=user, password=password)


def test_there_is_no_login_without_a_name(mariadb: Server) -> None:
    assert mariadb.execute("SELECT user FROM mysql.global_priv WHERE user = ''") == []
    assert mariadb.execute("SELECT host FROM mysql.global_priv WHERE user = 'root'") == [("%",)]


def test_the_ordinary_role_is_no_superuser(server: Server) -> None:
    with contextlib.closing(as_app(server, database=None if server.kind == "mariadb" else "postgres")) as connection:
        denied = (psycopg2.errors.InsufficientPrivilege, pymysql.err.OperationalError)
        with pytest.raises(denied, match=r"permission denied|denied; you need"):
            rows(connection, "CREATE ROLE intruder")


def test_a_role_may_have_as_many_connections_as_it_was_given(server: Server, role: str) -> None:
    server.create_role(role, "secret", connections=1)
    first = server.connect(user=role, password="secret")
    with contextlib.closing(first), pytest.raises(REFUSALS, match=r"too many connections|max_user_connections"):
        server.connect(user=role, password="secret")


def test_a_role_can_need_tls(server: Server, role: str) -> None:
    server.create_role(role, "secret", requires="tls")
    server.connect(user=role, password="secret").close()
    with pytest.raises(REFUSALS, match=r"rejects connection|Access denied"):
        server.connect(user=role, password="secret", tls=False)


def test_a_role_can_need_a_certificate(server: Server, role: str, authority: Authority) -> None:
    server.create_role(role, "secret", requires="certificate")
    server.connect(user=role, password="secret", certificate=authority.client).close()
    with pytest.raises(REFUSALS):
        server.connect(user=role, password="secret")
    with pytest.raises(REFUSALS):
        server.connect(user=role, password="secret", certificate=authority.wrong_client)


def test_two_databases_are_apart(server: Server, two_databases: tuple[str, str]) -> None:
    one, other = two_databases
    for name, value in ((one, 1), (other, 2)):
        with contextlib.closing(as_app(server, database=name)) as connection:
            rows(connection, "CREATE TABLE t (x INTEGER)")
            rows(connection, "INSERT INTO t VALUES (%s)", [value])
    assert server.execute("SELECT x FROM t", database=one) == [(1,)]
    assert server.execute("SELECT x FROM t", database=other) == [(2,)]


def test_a_database_is_dropped_under_an_open_transaction(server: Server, two_databases: tuple[str, str]) -> None:
    name, _ = two_databases
    with contextlib.closing(as_app(server, database=name, autocommit=False)) as connection:
        rows(connection, "CREATE TABLE t (x INTEGER)")
        rows(connection, "INSERT INTO t VALUES (1)")
        server.drop_database(name)
    with pytest.raises(REFUSALS, match=r"does not exist|Unknown database|Access denied"):
        as_app(server, database=name)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_ends_connections_and_keeps_what_is_committed(
    server: Server, two_databases: tuple[str, str], mode: StopMode
) -> None:
    name, _ = two_databases
    port, before = server.port, server.process
    with contextlib.closing(as_app(server, database=name)) as connection:
        rows(connection, "CREATE TABLE t (x INTEGER)")
        rows(connection, "INSERT INTO t VALUES (1)")
        server.restart(mode)
        with pytest.raises((*REFUSALS, psycopg2.InterfaceError, pymysql.err.InterfaceError)):
            rows(connection, "SELECT 1")
    assert server.port == port
    assert server.process is not before
    assert server.execute("SELECT x FROM t", database=name) == [(1,)]


def test_a_stopped_server_takes_no_connections(server: Server) -> None:
    with server.stopped(), pytest.raises(REFUSALS, match="refused"):
        server.connect()
    server.connect().close()


def test_a_frozen_server_answers_when_it_is_thawed(server: Server) -> None:
    answers = []
    with contextlib.closing(server.connect()) as connection:
        asking = threading.Thread(target=lambda: answers.extend(rows(connection, "SELECT 1")))
        with server.frozen():
            asking.start()
            asking.join(0.5)
            assert answers == []
        asking.join(10)
        assert answers == [(1,)]


def test_a_server_is_revived_from_whatever_a_test_left_it_in(server: Server) -> None:
    assert server.process
    server.freeze()
    server.revive()
    server.process.kill()
    server.process.wait()
    server.revive()
    assert server.execute("SELECT 1") == [(1,)]
