"""TLS is what the profile asks for, on every server, and what is said of it is the socket's own word."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pymysql
import pytest

from dbctl.backends import backend_of
from dbctl.errors import ConnectError
from dbctl.probe import PingReport, async_ping, ping
from dbctl.profiles import Profile
from dbctl.profiles.tls import ENCRYPTING, VERIFYING
from tests.harness.database import TestDatabase
from tests.harness.profile import one_unit, profile_of
from tests.servers.authority import Authority
from tests.servers.mariadb import MariaDBServer
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import PostgresServer
from tests.servers.server import Server
from tests.servers.tls_stripper import SSL_REQUEST, TlsStripper

MODES = ("disable", "prefer", *ENCRYPTING)
SERVERS_WORD = {
    "postgresql": "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "mysql": "SHOW SESSION STATUS LIKE 'ssl_version'",
}


def tls_version(profile: Profile) -> str | None:
    """Connect, and return the TLS version that the backend tells, after comparing it with the server's word."""
    with one_unit(profile) as unit:
        connection = unit.session.connection()
        told = unit.backend.tls_version(connection.connection.driver_connection)
        *_, said = connection.exec_driver_sql(SERVERS_WORD[connection.dialect.name]).one()
        assert told == (said or None)
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


@pytest.mark.parametrize("mode", VERIFYING)
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
    login = {"ssl.mode": mode, "user": "certified", "password": "secret", "database": "certified"}
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


@pytest.mark.parametrize("mode", ENCRYPTING)
def test_a_server_without_tls_is_refused_where_tls_is_required(plain: TestDatabase, mode: str) -> None:
    assert not is_reached(profile_of(plain, {"ssl.mode": mode}))


def test_ping_says_encrypted_when_it_is(shared_server_database: TestDatabase) -> None:
    report = ping(profile_of(shared_server_database))
    assert report.encrypted is True
    assert report.tls is not None
    assert report.tls.startswith("TLSv1.")


# --- in between -------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["sync", "async"])
def look(request: pytest.FixtureRequest) -> Callable[[Profile], PingReport]:
    """Ping by the sync driver and by the async one."""
    return ping if request.param == "sync" else lambda profile: asyncio.run(async_ping(profile))


@pytest.mark.parametrize("mode", ENCRYPTING)
def test_where_tls_is_stripped_in_transit_nothing_is_told_to_whoever_did_it(
    shared_server_database: TestDatabase, mode: str, look: Callable[[Profile], PingReport]
) -> None:
    database = shared_server_database
    assert database.server
    with TlsStripper(database.dialect, database.server.port) as proxy:
        profile = profile_of(database, {"ssl.mode": mode, "port": str(proxy.port)})
        if look is not ping and database.dialect == "mysql":
            # asyncmy begins TLS whatever the greeting offers, and so with the server itself.
            assert look(profile).encrypted
            return
        with pytest.raises(ConnectError) as caught:
            look(profile)
        if database.dialect == "mysql" and look is ping and pymysql.VERSION < (1, 2):
            return  # it has logged in before the socket could be asked: a login is told, and no work
        assert caught.value.stage == "TLS"
        assert proxy.received in {b"", SSL_REQUEST}


def test_where_tls_is_only_preferred_a_stripped_connection_is_said_to_be_one(
    shared_server_database: TestDatabase, look: Callable[[Profile], PingReport]
) -> None:
    database = shared_server_database
    assert database.server
    if database.dialect == "mysql" and look is ping and pymysql.VERSION < (1, 2):
        pytest.skip("PyMySQL asks for TLS and does not begin it: the server behind waits for it")
    with TlsStripper(database.dialect, database.server.port) as proxy:
        report = look(profile_of(database, {"ssl.mode": "prefer", "port": str(proxy.port)}))
    assert (report.encrypted, report.tls) == (False, None)


@pytest.mark.parametrize("shared_server_database", ["postgresql"], indirect=True)
def test_behind_a_pooler_the_clients_own_hop_is_what_counts(shared_server_database: TestDatabase) -> None:
    database = shared_server_database
    assert database.server
    with PgBouncer(database.server) as pooler:
        place = {"host": pooler.host, "port": str(pooler.port)}
        with one_unit(profile_of(database, {"ssl.mode": "prefer"} | place)) as unit:
            servers_word = unit.session.connection().exec_driver_sql(SERVERS_WORD["postgresql"]).scalar()
        assert str(servers_word).startswith("TLSv1.")
        assert ping(profile_of(database, {"ssl.mode": "prefer"} | place)).encrypted is False
        assert not is_reached(profile_of(database, {"ssl.mode": "require"} | place))


@pytest.mark.parametrize("mode", ENCRYPTING)
def test_a_driver_that_does_not_do_what_it_is_told_is_found_out(
    shared_server_database: TestDatabase,
    mode: str,
    look: Callable[[Profile], PingReport],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = backend_of(profile_of(shared_server_database, {"ssl.mode": "disable"}))
    sync_args, async_args = plain.connect_args(), plain.async_connect_args()
    monkeypatch.setattr(type(plain), "connect_args", lambda _: sync_args)
    monkeypatch.setattr(type(plain), "async_connect_args", lambda _: async_args)
    profile = profile_of(shared_server_database, {"ssl.mode": mode})
    with pytest.raises(ConnectError, match=f"ssl.mode is {mode}, and the connection is in plaintext") as caught:
        look(profile)
    assert caught.value.stage == "TLS"


def test_what_lies_in_the_home_directory_is_no_part_of_the_profile(
    shared_server_database: TestDatabase, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libpq would take the authority there for one to verify with, and the certificate for one to show."""
    (tmp_path / ".postgresql").mkdir()
    shutil.copy(authority.wrong_ca, tmp_path / ".postgresql" / "root.crt")
    shutil.copy(authority.wrong_client.cert, tmp_path / ".postgresql" / "postgresql.crt")
    shutil.copy(authority.wrong_client.key, tmp_path / ".postgresql" / "postgresql.key")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert is_reached(profile_of(shared_server_database, {"ssl.mode": "require"}))


def test_without_a_named_authority_those_of_the_system_are_trusted(
    shared_server_database: TestDatabase, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    assert is_reached(profile_of(shared_server_database, {"ssl.mode": "verify-full", "ssl.ca": None}))
