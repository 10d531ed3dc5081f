"""Of a URL's options each driver is told what it knows; none undoes a unit of work, TLS, time limits or UTF-8."""

import asyncio
import inspect
import re
import socket
from collections.abc import Collection
from typing import Any

import asyncmy
import asyncpg
import pymysql
import pytest
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import OperationalError

from dbctl.backends import backend_of
from dbctl.backends.mysql.engine import MySQL
from dbctl.backends.options import Option
from dbctl.backends.postgresql.engine import PostgreSQL
from dbctl.backends.postgresql.options import places
from dbctl.backends.sqlite.engine import SQLite
from dbctl.connections.drivers import Driver
from dbctl.connections.engines import build_async_engine, build_engine
from dbctl.errors import ConfigError, ConnectError
from dbctl.profiles import Profile
from dbctl.profiles.families import family_of, keys_of, may_rows_say
from dbctl.profiles.places import Place
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_at

DRIVERS = tuple(Driver)

HARMLESS = {
    "postgresql": ("autocommit=true", "options=-cdefault_transaction_isolation%3Dserializable", "gssencmode=disable"),
    "mariadb": (
        *("autocommit=true", "autocommit=1&charset=utf8", "use_unicode=0", "read_timeout=1&write_timeout=1"),
        *("client_flag=65536", "sql_mode=ANSI_QUOTES", "init_command=SET%20time_zone%3D%27%2B00:00%27,%20%40x%3D1"),
    ),
    "mysql": ("autocommit=true", "init_command=SET%20NAMES%20utf8mb4", "collation=utf8mb4_unicode_ci"),
    "sqlite": ("isolation_level=IMMEDIATE", "autocommit=true", "check_same_thread=true", "timeout=3"),
}
WHAT_HOLDS = {
    "postgresql": ("SHOW client_encoding", "UTF8"),
    "mysql": ("SELECT @@character_set_client, @@character_set_connection, @@autocommit", ("utf8mb4", "utf8mb4", 0)),
    "sqlite": ("PRAGMA foreign_keys", 1),
}


def on(profile: Profile, driver: Driver, work: Any) -> Any:
    """Do something on a new connection, by the sync driver or by the async one."""
    if driver is Driver.SYNC:
        engine = build_engine(profile)
        try:
            with engine.connect() as connection:
                return work(connection)
        finally:
            engine.dispose()

    async def call() -> Any:
        engine = build_async_engine(profile)
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    return asyncio.run(call())


def asked(profile: Profile, driver: Driver, query: str) -> Any:
    return on(profile, driver, lambda connection: connection.exec_driver_sql(query).one())


def with_query(database: TestDatabase, query: str) -> Profile:
    return profile_at(f"{database.url}?{query}")


@pytest.mark.parametrize("driver", DRIVERS)
def test_no_option_undoes_the_unit_of_work_or_the_character_set(database: TestDatabase, driver: Driver) -> None:
    database.execute("CREATE TABLE t (x INTEGER)")

    def write(connection: Connection) -> Any:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        connection.rollback()
        return connection.exec_driver_sql(WHAT_HOLDS[database.dialect][0]).one()

    for query in HARMLESS[database.kind]:
        found = tuple(on(with_query(database, query), driver, write))
        expected = WHAT_HOLDS[database.dialect][1]
        assert found == (expected if isinstance(expected, tuple) else (expected,)), query
        assert database.execute("SELECT count(*) FROM t") == [(0,)], query


@pytest.mark.parametrize("driver", DRIVERS)
def test_text_is_utf8_whatever_libpqs_variables_and_options_say(
    postgres_database: TestDatabase, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "latin1")
    profile = with_query(postgres_database, "options=-c%20client_encoding%3Dlatin1")
    assert asked(profile, driver, "SHOW client_encoding") == ("UTF8",)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://h/d?parseTime=true", "query.parseTime: MySQL's drivers have no such option"),
        ("mysql://h/d?useSSL=false&serverTimezone=UTC", "query.useSSL: MySQL's drivers have no such option"),
        ("mysql://h/d?sslaccept=strict", "the profile's own key is ssl.mode, in a URL sslmode=verify-full"),
        ("postgresql://h/d?pgbouncer=true", "prepared_statement_cache_size=0 says it"),
        ("postgresql://h/d?schema=app", "in a URL options=-csearch_path%3DNAME"),
        ("postgresql://h/d?connection_limit=5", "the profile's own key is pool.size"),
        ("postgresql://h/d?pool_timeout=5", "the profile's own key is pool.timeout"),
        ("postgresql://h/d?socket_timeout=5", "the profile's own key is statement_timeout"),
        ("postgresql://h/d?keepalive_idle=5", 'did you mean "keepalives_idle"?'),
        ("postgresql://h/d?keepalives_idle=soon", "query.keepalives_idle: allowed is a whole number"),
        ("postgresql://h/d?target_session_attrs=master", "allowed is any, read-write, read-only, primary, standby or"),
        ("postgresql://h/d?client_encoding=latin1", "query.client_encoding: allowed is utf8"),
        ("postgresql://h/d?replication=database", "query.replication: allowed is off"),
        ("postgresql://h/d?gssencmode=require", "query.gssencmode: allowed is disable or prefer"),
        ("postgresql://h/d?sslnegotiation=direct", 'query.sslnegotiation: ssl.mode is "prefer"'),
        ("postgresql://h/d?sslcrl=/nowhere.crl", "query.sslcrl: can't read /nowhere.crl"),
        ("postgresql://a,b,c/d?port=1,2", "query.port: there are 2 ports for 3 hosts"),
        ("postgresql://a:1,b:x/d", "query.host: a host has no name, or its port is no number"),
        ("mysql://a,b/d", "host: MySQL's drivers take one, and there are several"),
        ("mysql://h/d?host=other", "its query says host twice"),
        ("mysql://h/d?charset=latin1", "query.charset: allowed is utf8mb4"),
        ("mysql://h/d?client_flag=32", "query.client_flag: allowed is a sum of flags"),
        ("sqlite:///a.db?mode=ro", "query.mode: SQLite reads it in a URI alone; write sqlite:///file:PATH?mode=ro"),
        ("sqlite:///a.db?mode=ro&uri=true", "query.uri: the path does not begin with file:"),
        ("sqlite:///a.db?journal_mode=WAL", "query.journal_mode: SQLite's drivers have no such option"),
        ("sqlite://data/app.db", "(sqlite:///data/app.db), four where it begins at the root (sqlite:////data/app.db)"),
        ("sqlite://app.db", "(sqlite:///app.db)"),
        ("sqlite://u:hunter2@/a.db", "user: SQLite has no server"),
        ("postgresql://h/d?options=%00", "query: there is a NUL character in it"),
    ],
)
def test_what_no_driver_knows_or_may_be_told_is_refused_by_name(url: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        backend_of(profile_at(url))
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        *("SET autocommit=1", "set @@session.autocommit = ON", "SET @@autocommit=1", "SET SESSION `autocommit`=1"),
        *("SET sql_mode='a,b', autocommit=1", "SET @x = (SELECT 1), autocommit=1", "SET completion_type=2"),
        *("SET NAMES latin1", "SET NAMES 'latin1' COLLATE 'x'", "SET CHARACTER SET latin1"),
        "SET NAMES utf8mb4, autocommit=1",
        *("SET character_set_client=latin1", "SET x='\\'', autocommit=1", "SET x=1; SET autocommit=1"),
        *("SET/**/autocommit=1", "DROP TABLE t", "START TRANSACTION", "SET GLOBAL x=1", "SET PASSWORD='x'"),
        *("SET STATEMENT x=1 FOR DROP TABLE t", "SET default_storage_engine=MyISAM", "SET foreign_key_checks=0"),
    ],
)  # fmt: skip
def test_a_first_statement_that_would_undo_a_promise_is_refused(statement: str) -> None:
    backend = MySQL(profile_at("mysql://h/d"))
    with pytest.raises(ValueError, match="SET"):
        backend.options["init_command"].read(statement)


@pytest.mark.parametrize(
    "statement",
    [
        *("SET time_zone='+00:00'", "SET NAMES utf8mb4", "SET NAMES 'utf8mb4' COLLATE 'utf8mb4_bin'"),
        "SET a=1, @b:='x,y'",
        *("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET sql_mode='STRICT_TRANS_TABLES,ANSI';"),
    ],
)  # fmt: skip
def test_a_first_statement_that_sets_other_variables_is_taken(statement: str) -> None:
    assert MySQL.options["init_command"].read(statement) == statement


def keywords(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)


# What a driver's function has besides, none of which a URL may say: what the profile says or dbctl itself, what no
# text can stand for, and what is refused since it would undo TLS or is not one of its own options.
OWN = {
    "self",
    "dsn",
    "loop",
    "user",
    "password",
    "host",
    "port",
    "database",
    "db",
    "timeout",
    "connect_timeout",
    "args",
}
OWN |= {
    "program_name",
    "ssl",
    "ssl_ca",
    "ssl_cert",
    "ssl_key",
    "ssl_disabled",
    "ssl_verify_cert",
    "ssl_verify_identity",
}
NO_TEXT = {
    "conv",
    "cursorclass",
    "cursor_cls",
    "auth_plugin_map",
    "sock",
    "password_creator",
    "query_callback",
    "kwargs",
}
NO_TEXT |= {"connection_class", "record_class", "server_settings"}
REFUSED = {"defer_connect", "named_pipe", "echo", "ssl_key_password"}
AT_LOAD = {"read_default_file", "read_default_group", "service", "servicefile"}


@pytest.mark.parametrize(
    ("options", "functions"),
    [
        (MySQL.options, [pymysql.Connection.__init__, asyncmy.connect]),
        (PostgreSQL.options, [asyncpg.connect]),
    ],
    ids=["mysql", "postgresql"],
)
def test_it_is_decided_of_each_keyword_of_a_driver_what_becomes_of_it(
    options: Collection[str], functions: list[Any]
) -> None:
    for function in functions:
        assert keywords(function) <= {*options, *OWN, *NO_TEXT, *REFUSED, *AT_LOAD}


@pytest.mark.parametrize("backend", [MySQL, PostgreSQL, SQLite])
def test_each_option_goes_to_a_driver_or_is_overridden_or_is_the_profiles_own(backend: Any) -> None:
    own = keys_of(backend.sync_driver.partition("+")[0])
    assert not set(own) & set(backend.options)
    for option in backend.options.values():
        assert isinstance(option, Option)
        assert not (option.overridden and (option.sync or option.asynchronous))


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("query", ["statement_cache_size=0", "keepalives=1", "channel_binding=prefer", "ssl=require"])
def test_a_url_serves_both_drivers(postgres_database: TestDatabase, query: str, driver: Driver) -> None:
    query += "&options=-csearch_path%3Dapp&application_name=shop"
    own = "SELECT current_setting('search_path'), application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    found = asked(with_query(postgres_database, query), driver, own)
    assert tuple(found) == ("app", "shop")


@pytest.mark.parametrize("driver", DRIVERS)
def test_both_drivers_keep_the_connection_alive_as_libpqs_options_say(
    postgres_database: TestDatabase, driver: Driver
) -> None:
    profile = with_query(postgres_database, "keepalives_idle=33&keepalives_interval=7&keepalives_count=4")
    backend = backend_of(profile)

    def settings(connection: Connection) -> list[int]:
        own: Any = connection.connection.driver_connection
        transport = backend.transport(own)
        number = transport.get_extra_info("socket").fileno() if transport else backend.descriptor(own)
        with socket.socket(fileno=socket.dup(number)) as sock:
            options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            return [sock.getsockopt(socket.IPPROTO_TCP, option) for option in options]

    assert on(profile, driver, settings) == [33, 7, 4]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("form", ["{a}:1,{a}:{p}", "/d?host={a}:1&host={a}:{p}", "{a},{a}/d?port=1,{p}"])
def test_the_next_host_is_tried_where_one_is_away(postgres_database: TestDatabase, driver: Driver, form: str) -> None:
    url = make_url(postgres_database.url)
    place, _, query = form.format(a=url.host, p=url.port).partition("/d")
    login = postgres_database.url.partition("@")[0]
    profile = profile_at(f"{login}@{place}/{url.database}{query}")
    assert tuple(asked(profile, driver, "SELECT current_database()")) == (url.database,)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_server_that_is_not_what_is_asked_for_is_not_taken(postgres_database: TestDatabase, driver: Driver) -> None:
    with pytest.raises((ConnectError, OperationalError), match="standby"):
        asked(with_query(postgres_database, "target_session_attrs=standby"), driver, "SELECT 1")
    assert asked(with_query(postgres_database, "target_session_attrs=prefer-standby"), driver, "SELECT 1") == (1,)


@pytest.mark.parametrize("query", ["require_auth=scram-sha-256", "requirepeer=postgres", "hostaddr=127.0.0.1"])
def test_what_asyncpg_can_not_make_sure_of_is_refused_there(query: str) -> None:
    mode = "sslmode=verify-full&sslrootcert=system&" if "hostaddr" in query else ""
    profile = profile_at(f"postgresql://h/d?{mode}{query}")
    with pytest.raises(ConfigError, match=f"query.{query.partition('=')[0]}: asyncpg .* can't do that"):
        build_async_engine(profile)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://h/d", [("h", 5432)]),
        ("postgresql://a,b:5433/d", [("a", 5432), ("b", 5433)]),
        ("postgresql://[::1]:5433,b/d", [("::1", 5433), ("b", 5432)]),
        ("postgresql:///d?host=/run/pg&port=5433", [("/run/pg", 5433)]),
        ("postgresql://%2Frun%2Fpg/d", [("/run/pg", 5432)]),
        ("postgresql://h/d?host=a&host=b:2", [("a", 5432), ("b", 2)]),
    ],
)
def test_places(url: str, expected: list[tuple[str, int]]) -> None:
    assert places(profile_at(url)) == [Place(*place) for place in expected]


@pytest.mark.parametrize("backend", [PostgreSQL, MySQL, SQLite])
def test_a_row_of_a_fleet_says_nothing_of_tls_of_proof_or_of_files(backend: Any) -> None:
    family = family_of(backend.sync_driver)
    said = {option for option in backend.options if may_rows_say(family, option)}
    assert said
    assert not [option for option in said if re.search("ssl|tls|file|gss|krb|auth|peer|key|cert|channel|flag", option)]
    assert not any(may_rows_say(family, option) for option in ("sslmode", "ssl_ca", "service", "read_default_group"))
