"""The async engines connect as the profile says: TLS, timeouts, names, poolers."""

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest
from sqlalchemy.pool import AsyncAdaptedQueuePool

from dbctl.backends import backend_of
from dbctl.connections.connector import async_opened
from dbctl.connections.engines import build_async_engine
from dbctl.errors import ConnectError, DbctlError, OutOfTime
from dbctl.probe import async_ping, ping
from dbctl.profiles import Profile
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_at, profile_of
from tests.servers.mariadb import MariaDBServer
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import PostgresServer
from tests.servers.server import Server

MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")


def ca_for(mode: str, database: TestDatabase) -> str | None:
    return str(database.server.ca) if database.server and mode.startswith("verify") else None


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_means_what_it_says_on_the_client_s_own_socket(mode: str, server_database: TestDatabase) -> None:
    profile = profile_of(server_database, {"ssl.mode": mode, "ssl.ca": ca_for(mode, server_database)})
    report = asyncio.run(async_ping(profile))
    assert report.encrypted is (mode != "disable")
    assert (report.tls is None) is (mode == "disable")


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_wrong_authority_is_refused(mode: str, server_database: TestDatabase) -> None:
    assert server_database.server
    assert server_database.server.authority
    wrong = str(server_database.server.authority.wrong_ca)
    with pytest.raises(ConnectError) as caught:
        asyncio.run(async_ping(profile_of(server_database, {"ssl.mode": mode, "ssl.ca": wrong})))
    assert caught.value.stage == "TLS"


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_certificate_for_another_host_is_refused_by_verify_full_alone(
    mode: str, server_database: TestDatabase
) -> None:
    server = server_database.server
    assert server
    assert server.authority
    profile = profile_of(server_database, {"ssl.mode": mode})
    with server.presenting(server.authority.elsewhere):
        if mode == "verify-ca":
            assert asyncio.run(async_ping(profile)).encrypted
        else:
            with pytest.raises(ConnectError) as caught:
                asyncio.run(async_ping(profile))
            assert caught.value.stage == "TLS"


@pytest.fixture(scope="module", params=[PostgresServer, MariaDBServer])
def plain_server(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database on a server that can't do TLS."""
    make: type[Server] = request.param
    with make(None) as server:
        server.create_database("plain")
        yield TestDatabase.on_server(server, "plain")


def test_prefer_goes_on_in_plaintext_where_the_server_has_no_tls(plain_server: TestDatabase) -> None:
    report = asyncio.run(async_ping(profile_of(plain_server, {"ssl.mode": "prefer", "ssl.ca": None})))
    assert report.encrypted is False


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_a_server_without_tls_is_refused_where_tls_is_asked_for(mode: str, plain_server: TestDatabase) -> None:
    with pytest.raises(ConnectError):
        asyncio.run(async_ping(profile_of(plain_server, {"ssl.mode": mode, "ssl.ca": None})))


def test_the_environment_has_no_say(postgres_database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "disable")
    monkeypatch.setenv("PGSSLROOTCERT", "/nonexistent")
    assert asyncio.run(async_ping(profile_of(postgres_database, {"ssl.mode": "require", "ssl.ca": None}))).encrypted


def test_pool_settings_reach_the_engine(server_database: TestDatabase) -> None:
    pool = {"pool.size": 3, "pool.max_overflow": 4, "pool.timeout": 1.5, "pool.recycle": 99}
    engine = build_async_engine(profile_of(server_database, pool))
    assert isinstance(engine.pool, AsyncAdaptedQueuePool)
    assert engine.pool.size() == 3
    assert (engine.pool._max_overflow, engine.pool._timeout, engine.pool._recycle) == (4, 1.5, 99)


def test_an_exhausted_pool_is_out_of_time(server_database: TestDatabase) -> None:
    async def work(profile: Profile) -> None:
        async with async_opened(profile) as connector, connector.engine.connect(), connector.engine.connect():
            pass

    with pytest.raises(OutOfTime):
        asyncio.run(work(profile_of(server_database, {"pool.size": 1, "pool.max_overflow": 0, "pool.timeout": 0.2})))


@pytest.mark.parametrize("driver", ["postgresql", "mysql"])
def test_a_listener_that_never_answers_ends_in_the_connect_timeout(driver: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        profile = profile_at(f"{driver}://app:x@127.0.0.1:{silent.getsockname()[1]}/x", {"connect_timeout": 1})
        started = time.monotonic()
        with pytest.raises(ConnectError):
            asyncio.run(async_ping(profile))
        assert time.monotonic() - started < 2


def test_a_statement_timeout_ends_the_statement(server_database: TestDatabase) -> None:
    sleep = {"postgresql": "SELECT pg_sleep(20)", "mysql": "SELECT SLEEP(20) FROM (SELECT 1) x, (SELECT 2) y"}

    async def work(profile: Profile) -> None:
        async with async_opened(profile) as connector, connector.engine.connect() as connection:
            await connection.exec_driver_sql(sleep[server_database.dialect])

    started = time.monotonic()
    with pytest.raises(OutOfTime, match=r"^statement_timeout 0\.5 s: "):
        asyncio.run(work(profile_of(server_database, {"statement_timeout": 0.5})))
    assert time.monotonic() - started < 5


def test_a_password_that_is_not_ascii_logs_in(mariadb: Server, mariadb_database: TestDatabase) -> None:
    mariadb.create_role("umlaut", "pässwörd")
    try:
        mariadb.execute(f"GRANT ALL ON {mariadb_database.name}.* TO umlaut")
        profile = profile_of(mariadb_database, {"user": "umlaut", "password": "pässwörd"})
        assert asyncio.run(async_ping(profile)).server == "MariaDB"
    finally:
        mariadb.drop_role("umlaut")


def test_the_server_sees_the_application_s_name(postgres_database: TestDatabase) -> None:
    async def work(profile: Profile) -> str:
        async with async_opened(profile) as connector, connector.engine.connect() as connection:
            return str((await connection.exec_driver_sql("SELECT current_setting('application_name')")).scalar())

    assert asyncio.run(work(profile_of(postgres_database, {"application_name": "shop"}))) == "shop"


def test_a_transaction_pooler_is_refused_by_name_or_worked_with(
    postgres: Server, postgres_database: TestDatabase
) -> None:
    with PgBouncer(postgres) as pooler:
        place = {"host": pooler.host, "port": pooler.port, "ssl.mode": "disable", "ssl.ca": None}
        with pytest.raises(ConnectError, match="PgBouncer") as caught:
            asyncio.run(async_ping(profile_of(postgres_database, place)))
        assert "prepared_statement_cache_size=0" in caught.value.hint
        uncached = profile_of(postgres_database, {**place, "query": {"prepared_statement_cache_size": "0"}})
        asyncio.run(_many_at_once(uncached))


def test_options_that_a_pooler_refuses_are_told_with_what_to_do(
    postgres: Server, postgres_database: TestDatabase
) -> None:
    with PgBouncer(postgres) as pooler:
        place = {"host": pooler.host, "port": pooler.port, "ssl.mode": "disable", "ssl.ca": None}
        profile = profile_of(postgres_database, {**place, "query": {"options": "-c statement_timeout=1000"}})
        for connect in (ping, lambda profile: asyncio.run(async_ping(profile))):
            with pytest.raises(ConnectError, match="unsupported startup parameter") as caught:
                connect(profile)
            assert "a pooler such as PgBouncer" in caught.value.hint
            assert "ALTER ROLE" in caught.value.hint


async def _many_at_once(profile: Profile) -> None:
    async with async_opened(profile) as connector:

        async def work(number: int) -> int:
            async with connector.engine.connect() as connection:
                return int((await connection.exec_driver_sql("SELECT $1::int", (number,))).scalar_one())

        for _ in range(5):
            assert await asyncio.gather(*map(work, range(12))) == list(range(12))


@pytest.mark.parametrize("command", ["ping", "pool-stats"])
def test_the_command_goes_through_the_async_driver(command: str, on_database: Dbctl, database: TestDatabase) -> None:
    on_database.ok("init-tables")
    options = ["--duration", "0.2", "--concurrency", "7"] if command == "pool-stats" else []
    found = on_database.ok(command, "--driver", "async", "--json", *options).json
    assert found["profile"] == database.profile
    if options:
        assert found["run"]["checkouts"] > 0
        assert found["run"]["connections_opened"] <= 7


@pytest.mark.parametrize("wrong", ["password", "database", "port"])
def test_the_failing_step_is_named(wrong: str, server_database: TestDatabase) -> None:
    expected = {"password": "login", "database": "database", "port": "TCP"}[wrong]
    value = {"password": "wrong", "database": "nowhere", "port": 1}[wrong]
    with pytest.raises(ConnectError) as caught:
        asyncio.run(async_ping(profile_of(server_database, {wrong: value})))
    assert caught.value.stage == expected


def test_a_missing_driver_is_a_configuration_error(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    backend = backend_of(profile_of(database))
    for module in (backend.async_driver.partition("+")[2], "greenlet"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            with pytest.raises(DbctlError, match=f'{module} is not installed; pip install "sqlmodel-dbctl.async.'):
                build_async_engine(profile_of(database))
    assert backend_of(profile_of(database)).title
