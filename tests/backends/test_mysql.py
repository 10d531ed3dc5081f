"""What is peculiar to MySQL and MariaDB."""

import asyncio
import ssl
import time
from contextlib import suppress
from typing import Any

import pymysql
import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.connections.engines import build_async_engine
from dbctl.errors import ConfigError, Contention, OutOfTime, WorkRefused
from dbctl.sample import Hero, SampleModel
from dbctl.work.sessions import async_unit_of_work, unit_of_work
from tests.faults.units import units
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.profile import engine_of, one_unit, profile_at, profile_of
from tests.servers.server import Server

NO_DATABASE = "dbctl: error: --url: no database is named; name it, as in mysql://…/DATABASE"
HOSTILE = "🦸 Ünï\x1b[31m\0 'quoted' % :name"


@pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
def test_work_on_no_database_is_told_to_name_one(dbctl: Dbctl, database: TestDatabase) -> None:
    url = database.url.rpartition("/")[0]
    dbctl.ok("--url", url, "ping")
    for line in ("init-tables", "init-tables --check", "init-tables --dry-run", "drop-tables"):
        result = dbctl("--url", url, *line.split())
        assert (result.code, result.talk.splitlines()[-1]) == (3, NO_DATABASE), str(result)
    result = dbctl("--url", url, "heroes", "list")
    assert (result.code, "No database selected" in result.err) == (4, True), str(result)


def test_a_user_without_a_name_is_told_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pymysql.connections.DEFAULT_USER", None)  # as where the system knows no name for the uid
    with pytest.raises(ConfigError, match=r"user: none is named"):
        backend_of(profile_at("mysql://127.0.0.1/d")).connect_args()


def test_a_password_that_is_given_twice_is_refused(dbctl: Dbctl) -> None:
    result = dbctl("--url", "mysql://u:one@127.0.0.1:1/d?passwd=two", "ping")
    assert (result.code, "query.passwd: the password is given twice" in result.err) == (3, True), str(result)


def test_a_socket_file_that_is_not_there_is_named(dbctl: Dbctl) -> None:
    result = dbctl("--url", "mysql://u@localhost/d?unix_socket=/nowhere/s.sock", "ping")
    assert result.code == 4
    assert result.err.startswith("dbctl: error: --url: connection failed: ")
    assert "nowhere%2Fs.sock" in result.err
    assert "No such file or directory" in result.err


@pytest.mark.parametrize(("mode", "looks_at_the_name"), [("verify-ca", False), ("verify-full", True)])
def test_verified_tls_is_a_context_and_never_a_dictionary(
    mariadb_database: TestDatabase, mode: str, looks_at_the_name: bool
) -> None:
    context = backend_of(profile_of(mariadb_database, {"ssl.mode": mode})).connect_args()["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert (context.check_hostname, context.verify_mode) == (looks_at_the_name, ssl.CERT_REQUIRED)
    # What MySQL makes for itself at its first start fails the strict profile of Python 3.13.
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT


def test_required_tls_without_an_authority_is_a_context_that_verifies_nothing(mariadb_database: TestDatabase) -> None:
    context = backend_of(profile_of(mariadb_database, {"ssl.mode": "require", "ssl.ca": None})).connect_args()["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert (context.check_hostname, context.verify_mode) == (False, ssl.CERT_NONE)


def test_the_connection_speaks_all_of_unicode(mariadb_database: TestDatabase) -> None:
    with one_unit(profile_of(mariadb_database)) as unit:
        sets = "SELECT @@character_set_client, @@character_set_connection, @@character_set_results"
        assert set(unit.session.execute(text(sets)).one()) == {"utf8mb4"}


def test_the_samples_tables_hold_all_of_unicode_where_the_database_does_not(
    mariadb: Server, mariadb_database: TestDatabase
) -> None:
    mariadb.execute(f"ALTER DATABASE {mariadb_database.name} CHARACTER SET latin1 COLLATE latin1_swedish_ci")
    with one_unit(profile_of(mariadb_database)) as unit:
        SampleModel.metadata.create_all(unit.session.connection())
        unit.session.add(Hero(name=HOSTILE, secret_name="É"))
    assert mariadb_database.execute("SELECT name FROM hero WHERE secret_name = 'É'") == [(HOSTILE,)]
    # Case and accents tell names apart, as they do on the other databases.
    assert mariadb_database.execute("SELECT name FROM hero WHERE secret_name IN ('E', 'é')") == []


def test_a_statement_that_writes_is_bounded_too(mariadb_database: TestDatabase) -> None:
    mariadb_database.execute("CREATE TABLE t (x INTEGER)")
    with pytest.raises(OutOfTime), one_unit(profile_of(mariadb_database, {"statement_timeout": 0.3})) as unit:
        unit.session.execute(text("INSERT INTO t SELECT SLEEP(10) + seq FROM seq_1_to_10"))
    assert mariadb_database.execute("SELECT * FROM t") == []


def test_mysql_which_bounds_no_statement_that_writes_is_told_to_end_it(mysql_database: TestDatabase) -> None:
    """A further session of the profile says KILL QUERY."""
    server = mysql_database.server
    assert server
    mysql_database.execute("CREATE TABLE t (x INTEGER)")
    mysql_database.execute("INSERT INTO t VALUES (1), (2)")
    backend = backend_of(profile_of(mysql_database, {"statement_timeout": 0.3}))
    with engine_of(backend.profile) as engine:
        for statement in ("UPDATE t SET x = SLEEP(10)", "DO SLEEP(10)", "SELECT SLEEP(10)"):
            start = time.monotonic()
            with pytest.raises(OutOfTime), unit_of_work(Connector(engine, backend)) as unit:
                unit.session.execute(text(statement))
            assert time.monotonic() - start < 5
            busy = "SELECT info FROM information_schema.processlist WHERE db = %s AND command <> 'Sleep'"
            assert server.execute(busy, [mysql_database.name]) == []
        with engine.connect() as connection:  # and what is asked next is not ended
            assert connection.exec_driver_sql("SELECT SLEEP(0.1)").scalar() == 0
    assert mysql_database.execute("SELECT x FROM t") == [(1,), (2,)]


def test_so_it_is_by_the_async_driver(mysql_database: TestDatabase) -> None:
    mysql_database.execute("CREATE TABLE t (x INTEGER)")
    mysql_database.execute("INSERT INTO t VALUES (1), (2)")
    backend = backend_of(profile_of(mysql_database, {"statement_timeout": 0.3}))

    async def ended() -> None:
        engine = build_async_engine(backend.profile)
        try:
            for statement in ("UPDATE t SET x = SLEEP(10)", "SELECT SLEEP(10)"):
                start = time.monotonic()
                with pytest.raises(OutOfTime):
                    async with async_unit_of_work(Connector(engine, backend)) as unit:
                        await unit.session.execute(text(statement))
                assert time.monotonic() - start < 5
        finally:
            await engine.dispose()

    asyncio.run(ended())
    assert mysql_database.execute("SELECT x FROM t") == [(1,), (2,)]


def test_the_bound_holds_for_each_connection_of_the_pool(mariadb_database: TestDatabase) -> None:
    profile = profile_of(mariadb_database, {"statement_timeout": 2.5})
    with engine_of(profile) as engine, engine.connect() as one, engine.connect() as other:
        for connection in (one, other):
            assert float(connection.exec_driver_sql("SELECT @@max_statement_time").scalar_one()) == 2.5


def test_the_lock_for_ddl_outlives_the_commits_that_ddl_makes(mariadb: Server, mariadb_database: TestDatabase) -> None:
    def holder() -> Any:
        return mariadb.execute(f"SELECT IS_USED_LOCK('dbctl:ddl:{mariadb_database.name}')")[0][0]

    with one_unit(profile_of(mariadb_database)) as unit:
        connection = unit.session.connection()
        with unit.backend.ddl_lock(connection):
            unit.session.execute(text("CREATE TABLE t (x INTEGER)"))
            assert holder() == connection.exec_driver_sql("SELECT connection_id()").scalar()
        assert holder() is None


def test_the_lock_for_ddl_is_released_when_the_block_fails(mariadb: Server, mariadb_database: TestDatabase) -> None:
    profile = profile_of(mariadb_database)

    def fail() -> None:
        with (
            unit_of_work(Connector(engine, backend_of(profile))) as unit,
            unit.backend.ddl_lock(unit.session.connection()),
        ):
            unit.session.execute(text("CREATE TABLE t (x NONSENSE)"))

    with engine_of(profile) as engine:
        with pytest.raises(WorkRefused):
            fail()
        # The pool still has the connection that took it.
        assert mariadb.execute(f"SELECT IS_FREE_LOCK('dbctl:ddl:{mariadb_database.name}')") == [(1,)]


def test_the_lock_for_ddl_has_a_name_for_any_database(mariadb: Server) -> None:
    name = "d" * 64
    mariadb.create_database(name)
    try:
        profile = profile_of(TestDatabase.on_server(mariadb, name))
        with one_unit(profile) as unit, unit.backend.ddl_lock(unit.session.connection()):
            unit.session.execute(text("CREATE TABLE t (x INTEGER)"))
    finally:
        mariadb.drop_database(name)


@pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
def test_errors_are_heard_also_when_sqlalchemy_has_looked_at_tables(database: TestDatabase) -> None:
    """Its dialect has the connection's errors pass over all that listens to them, from then on."""
    database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
    deadlock = "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'Deadlock found'"

    def work(session: Session) -> None:
        inspector = inspect(session.connection())
        assert (inspector.has_table("none"), len(inspector.get_columns("t"))) == (False, 1)
        with suppress(OperationalError):
            session.execute(text(deadlock))
        session.execute(text("INSERT INTO t VALUES (1)"))

    with units(profile_of(database), False) as bench, pytest.raises(Contention, match="Deadlock"):
        bench.run(work)
    assert database.execute("SELECT x FROM t") == []


def test_a_full_server_says_so_also_where_the_driver_cuts_its_words() -> None:
    cut = pymysql.err.OperationalError(1040, "ny connections")
    assert backend_of(profile_at("mysql://u@localhost/d")).error_text(cut) == "Too many connections"
