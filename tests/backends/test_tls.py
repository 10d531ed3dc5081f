"""TLS is what the profile asks for, on every server, and what is said of it is the socket's own word."""

from collections.abc import Iterator

import pytest

from dbctl.errors import ConnectError
from dbctl.probe import ping
from dbctl.profiles import Profile
from tests.backends.profile import one_unit, profile_of
from tests.harness.database import TestDatabase
from tests.servers.authority import Authority
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer
from tests.servers.server import Server

MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
VERIFYING = ("verify-ca", "verify-full")
SERVERS_WORD = {
    "postgresql": "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "mariadb": "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'ssl_version'",
}


def tls_version(profile: Profile) -> str | None:
    """Connect, and return the TLS version that the backend tells, after comparing it with the server's word."""
    with one_unit(profile) as unit:
        connection = unit.session.connection()
        told = unit.backend.tls_version(connection.connection.driver_connection)
        kind = "mariadb" if unit.backend.title == "MySQL" else "postgresql"
        assert told == (connection.exec_driver_sql(SERVERS_WORD[kind]).scalar() or None)
    return told


def is_reached(profile: Profile) -> bool:
    """Tell whether the profile connects, or TLS is the reason why it does not."""
    try:
        tls_version(profile)
    except ConnectError as error:
        if error.stage == "TLS":
            return False
        raise
    return True


@pytest.mark.parametrize("mode", MODES)
def test_the_mode_decides_whether_a_connection_is_encrypted(shared_server_database: TestDatabase, mode: str) -> None:
    told = tls_version(profile_of(shared_server_database, {"ssl.mode": mode}))
    assert told is None if mode == "disable" else str(told).startswith("TLSv1.")


@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
def test_modes_that_verify_nothing_need_no_authority(shared_server_database: TestDatabase, mode: str) -> None:
    told = tls_version(profile_of(shared_server_database, {"ssl.mode": mode, "ssl.ca": None}))
    assert (told is None) == (mode == "disable")


# libpq verifies under `require` too where it is given an authority, and the modes mean what libpq means by them:
# https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-CERTIFICATES
@pytest.mark.parametrize("mode", ["require", *VERIFYING])
def test_a_certificate_by_another_authority_is_refused(
    shared_server_database: TestDatabase, authority: Authority, mode: str
) -> None:
    changes = {"ssl.mode": mode, "ssl.ca": str(authority.wrong_ca)}
    assert not is_reached(profile_of(shared_server_database, changes))


@pytest.mark.parametrize(("mode", "reached"), [("require", True), ("verify-ca", True), ("verify-full", False)])
def test_another_hosts_certificate_is_refused_by_the_mode_that_looks_at_the_name(
    shared_server_database: TestDatabase, authority: Authority, mode: str, reached: bool
) -> None:
    assert shared_server_database.server
    with shared_server_database.server.presenting(authority.elsewhere):
        assert is_reached(profile_of(shared_server_database, {"ssl.mode": mode})) is reached


@pytest.mark.parametrize("mode", VERIFYING)
def test_an_expired_certificate_is_refused(
    shared_server_database: TestDatabase, authority: Authority, mode: str
) -> None:
    assert shared_server_database.server
    with shared_server_database.server.presenting(authority.expired):
        assert not is_reached(profile_of(shared_server_database, {"ssl.mode": mode}))


@pytest.mark.parametrize("mode", VERIFYING)
def test_without_an_authority_to_trust_the_verifying_modes_refuse(
    shared_server_database: TestDatabase, mode: str
) -> None:
    assert not is_reached(profile_of(shared_server_database, {"ssl.mode": mode, "ssl.ca": None}))


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_a_client_certificate_is_shown_to_the_server(
    shared_server_database: TestDatabase, authority: Authority, mode: str
) -> None:
    assert shared_server_database.server
    server = shared_server_database.server
    server.create_role("certified", "secret", requires="certificate")
    server.create_database("certified", owner="certified")
    login = {"user": "certified", "password": "secret", "database": "certified", "ssl.mode": mode}
    shown = {"ssl.cert": str(authority.client.cert), "ssl.key": str(authority.client.key)}
    try:
        assert tls_version(profile_of(shared_server_database, login | shown))
        with pytest.raises(ConnectError):
            tls_version(profile_of(shared_server_database, login))
    finally:
        server.drop_database("certified")
        server.drop_role("certified")


@pytest.fixture(scope="module")
def plain_postgres(postgres: Server) -> Iterator[Server]:
    """A PostgreSQL server without TLS, where there can be one with."""
    with PostgresServer(None) as server:
        yield server


@pytest.fixture(scope="module")
def plain_mariadb(mariadb: Server) -> Iterator[Server]:
    """A MariaDB server without TLS, where there can be one with."""
    with MariaDBServer(None) as server:
        yield server


@pytest.fixture(params=["plain_postgres", "plain_mariadb"])
def plain(request: pytest.FixtureRequest, authority: Authority) -> Iterator[TestDatabase]:
    """A database on each server without TLS, with a profile that has an authority to trust."""
    server: Server = request.getfixturevalue(request.param)
    server.create_database("plain")
    server.ca = authority.ca
    yield TestDatabase.on_server(server, "plain")
    server.ca = None
    server.drop_database("plain")


@pytest.mark.parametrize("mode", ["disable", "prefer"])
def test_a_server_without_tls_is_reached_in_plaintext_and_said_so(plain: TestDatabase, mode: str) -> None:
    profile = profile_of(plain, {"ssl.mode": mode})
    assert tls_version(profile) is None
    report = ping(profile)
    assert (report.encrypted, report.tls) == (False, None)


@pytest.mark.parametrize("mode", ["require", *VERIFYING])
def test_a_server_without_tls_is_refused_where_tls_is_required(plain: TestDatabase, mode: str) -> None:
    assert not is_reached(profile_of(plain, {"ssl.mode": mode}))


def test_ping_says_encrypted_when_it_is(shared_server_database: TestDatabase) -> None:
    report = ping(profile_of(shared_server_database))
    assert report.encrypted is True
    assert report.tls is not None
    assert report.tls.startswith("TLSv1.")
