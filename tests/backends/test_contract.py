"""Every database keeps the same promises."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.errors import OutOfTime
from dbctl.profiles import Profile
from dbctl.work.sessions import unit_of_work
from tests.harness.database import SERVER_KINDS, TestDatabase
from tests.harness.profile import engine_of, one_unit, profile_of
from tests.harness.shared import server_of

TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mariadb": "MariaDB", "mysql": "MySQL"}
VERSION = {"sqlite": "SELECT sqlite_version()", "postgresql": "SHOW server_version", "mysql": "SELECT version()"}
LONG = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(20)",
    "mysql": "SELECT SLEEP(20)",
}
MANY = "information_schema.columns"
PASSWORD = "pässwörd 🦸/@:%20#?&'\"\\"


@pytest.fixture(scope="module", params=SERVER_KINDS)
def own_role(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database of a role of its own, whose password is hostile to whoever encodes it."""
    server = server_of(request.param, request)
    server.create_role("polyglot", PASSWORD)
    server.create_database("polyglot", owner="polyglot")
    database = TestDatabase.on_server(server, "polyglot")
    yield replace(
        database,
        toml=database.toml.replace('user = "app"', 'user = "polyglot"'),
        url=f"{database.kind}://polyglot:{quote(PASSWORD, safe='')}@{server.host}:{server.port}/polyglot",
    )
    server.drop_database("polyglot")
    server.drop_role("polyglot")


def test_the_profile_leads_to_the_database(shared_database: TestDatabase) -> None:
    shared_database.execute("CREATE TABLE here (x INTEGER)")
    with one_unit(profile_of(shared_database)) as unit:
        assert unit.session.connection().exec_driver_sql(unit.backend.ping_statement).scalar() == 1
        assert unit.session.connection().exec_driver_sql("SELECT count(*) FROM here").scalar() == 0


def test_the_identity_is_what_the_server_says_of_itself(shared_database: TestDatabase) -> None:
    with one_unit(profile_of(shared_database)) as unit:
        identity = unit.backend.identity(unit.session.connection())
    [(version,)] = shared_database.execute(VERSION[shared_database.dialect])
    user = {"sqlite": None, "postgresql": "app", "mysql": "app@%"}[shared_database.dialect]
    assert identity.server == TITLES[shared_database.kind]
    assert version.startswith(identity.version)
    assert identity.version.count(".") >= 1
    assert (identity.user, identity.database) == (user, shared_database.name)


def test_a_table_survives_a_rollback_only_where_the_backend_says_so(shared_database: TestDatabase) -> None:
    profile = profile_of(shared_database)
    backend = backend_of(profile)
    with engine_of(profile) as engine, unit_of_work(Connector(engine, backend), dry_run=True) as unit:
        unit.session.execute(text("CREATE TABLE early (x INTEGER)"))
    with one_unit(profile) as unit:
        there = unit.session.connection().dialect.has_table(unit.session.connection(), "early")
    assert there is not backend.transactional_ddl
    assert there is (shared_database.dialect == "mysql")


def test_what_a_unit_writes_another_connection_reads(shared_database: TestDatabase) -> None:
    shared_database.execute("CREATE TABLE words (word VARCHAR(40))")
    word = "Ünïcode 🦸 'quoted' % :name \\"
    with one_unit(profile_of(shared_database)) as unit:
        unit.session.execute(text("INSERT INTO words VALUES (:word)"), {"word": word})
    assert shared_database.execute("SELECT word FROM words") == [(word,)]


def test_waiting_for_the_pool_ends_when_its_timeout_does(shared_database: TestDatabase) -> None:
    profile = profile_of(shared_database, {"pool.size": 1, "pool.max_overflow": 0, "pool.timeout": 0.2})
    with engine_of(profile) as engine, engine.connect():
        start = time.monotonic()
        with pytest.raises(OutOfTime, match=r"within the pool's 0\.2 s \(size 1, overflow 0\)"):
            _run(engine, profile, "SELECT 1")
    assert 0.2 <= time.monotonic() - start < 1.2


def test_a_statement_ends_when_the_profile_says(shared_database: TestDatabase) -> None:
    profile = profile_of(shared_database, {"statement_timeout": 0.3})
    with engine_of(profile) as engine:
        start = time.monotonic()
        with pytest.raises(OutOfTime, match=r"^statement_timeout 0\.3 s: "):
            _run(engine, profile, LONG[shared_database.dialect])
        assert 0.3 <= time.monotonic() - start < 1.3
        _run(engine, profile, "SELECT 1")


def test_another_limit_than_the_profiles_is_not_said_to_be_its(shared_database: TestDatabase) -> None:
    own, long = {
        "postgresql": ("SET LOCAL statement_timeout = 100", LONG["postgresql"]),
        "mariadb": ("SET max_statement_time = 0.1", LONG["mysql"]),
        "mysql": ("SET max_execution_time = 100", f"SELECT count(*) FROM {MANY} a, {MANY} b, {MANY} c"),
        "sqlite": ("SELECT 1", ""),  # which has no limit of its own
    }[shared_database.kind]
    with one_unit(profile_of(shared_database, {"statement_timeout": 5})) as unit:
        unit.session.connection().exec_driver_sql(own)
        if not long:
            return
        with pytest.raises(DBAPIError) as caught:
            unit.session.connection().exec_driver_sql(long)
        told = unit.backend.translate(caught.value)
        unit.session.rollback()
    assert isinstance(told, OutOfTime)
    assert "statement_timeout" not in told.message


def test_each_statement_has_the_time_anew(shared_database: TestDatabase) -> None:
    pause = {"sqlite": "SELECT 1", "postgresql": "SELECT pg_sleep(0.2)", "mysql": "SELECT SLEEP(0.2)"}
    with one_unit(profile_of(shared_database, {"statement_timeout": 0.3})) as unit:
        for _ in range(2):
            unit.session.connection().exec_driver_sql(pause[shared_database.dialect])
            time.sleep(0.2 if shared_database.kind == "sqlite" else 0)


def test_any_password_logs_in(own_role: TestDatabase) -> None:
    with one_unit(profile_of(own_role)) as unit:
        user = unit.backend.identity(unit.session.connection()).user
    assert str(user).partition("@")[0] == "polyglot"


def test_the_servers_count_of_connections_is_its_own(own_role: TestDatabase) -> None:
    assert own_role.server
    server = own_role.server
    sql = {
        "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE usename = 'polyglot'",
        "mysql": "SELECT count(*) FROM information_schema.processlist WHERE user = 'polyglot'",
    }
    with contextlib.ExitStack() as held:
        for _ in range(3):
            held.enter_context(contextlib.closing(server.connect(user="polyglot", password=PASSWORD)))
        with one_unit(profile_of(own_role)) as unit:
            usage = unit.backend.usage(unit.session.connection())
            [(by_user,)] = server.execute(sql[server.dialect])
    assert usage.in_use_by_user == by_user == 4
    assert usage.in_use >= 4
    # PostgreSQL keeps three of its hundred for superusers.
    assert usage.limit == {"postgresql": 97, "mysql": 100}[server.dialect]
    assert usage.headroom == usage.limit - usage.in_use


def _run(engine: Engine, profile: Profile, sql: str) -> None:
    with unit_of_work(Connector(engine, backend_of(profile))) as unit:
        unit.session.connection().exec_driver_sql(sql).all()
