"""What is peculiar to PostgreSQL."""

import contextlib

import pytest
from sqlalchemy import text

from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.errors import DbctlError, Duplicate, WorkRefused
from dbctl.work.sessions import unit_of_work
from tests.harness.database import TestDatabase
from tests.harness.profile import engine_of, one_unit, profile_of
from tests.servers.server import Server


def refused(database: TestDatabase, sql: str, **params: str) -> DbctlError:
    with pytest.raises(DbctlError) as caught, one_unit(profile_of(database)) as unit:
        unit.session.execute(text(sql), params)
    return caught.value


def test_the_statement_timeout_is_the_transactions_and_not_the_sessions(postgres_database: TestDatabase) -> None:
    # Or it would reach the next client of a pooler.
    profile = profile_of(postgres_database, {"statement_timeout": 7.5})
    with engine_of(profile) as engine:
        for _ in range(2):
            with unit_of_work(Connector(engine, backend_of(profile))) as unit:
                assert unit.session.execute(text("SHOW statement_timeout")).scalar() == "7500ms"
        connection = engine.raw_connection()
        with contextlib.closing(connection), contextlib.closing(connection.cursor()) as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("0",)


def test_a_nul_is_refused_in_one_line(postgres_database: TestDatabase) -> None:
    postgres_database.execute("CREATE TABLE words (word TEXT)")
    error = refused(postgres_database, "INSERT INTO words VALUES (:word)", word="a\0b")
    assert type(error) is WorkRefused
    assert error.message == "PostgreSQL stores no NUL character in text"


def test_a_refusal_shows_the_servers_detail_and_not_the_statement(postgres_database: TestDatabase) -> None:
    postgres_database.execute("CREATE TABLE words (word TEXT PRIMARY KEY)")
    postgres_database.execute("INSERT INTO words VALUES ('once')")
    error = refused(postgres_database, "INSERT INTO words VALUES ('once')")
    assert error.message == (
        'duplicate key value violates unique constraint "words_pkey": Key (word)=(once) already exists.'
    )


def test_a_constraint_that_waits_for_the_commit_is_checked_there(postgres_database: TestDatabase) -> None:
    postgres_database.execute("CREATE TABLE words (word TEXT UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    error = refused(postgres_database, "INSERT INTO words VALUES ('twice'), ('twice')")
    assert isinstance(error, Duplicate)
    assert postgres_database.execute("SELECT * FROM words") == []


def test_the_lock_for_ddl_is_held_to_the_transactions_end(postgres: Server, postgres_database: TestDatabase) -> None:
    locks = "SELECT granted FROM pg_locks WHERE locktype = 'advisory'"
    with one_unit(profile_of(postgres_database)) as unit:
        with unit.backend.ddl_lock(unit.session.connection()):
            pass
        assert postgres.execute(locks) == [(True,)]
    assert postgres.execute(locks) == []


def test_psycopg2_tells_whether_a_rollback_asks_the_server(postgres_database: TestDatabase) -> None:
    profile = profile_of(postgres_database)
    backend = backend_of(profile)
    with engine_of(profile) as engine, contextlib.closing(engine.raw_connection()) as connection:
        assert not backend.asks_to_roll_back(connection.dbapi_connection)
        connection.cursor().execute("SELECT 1")
        assert backend.asks_to_roll_back(connection.dbapi_connection), "psycopg2's STATUS_BEGIN is another number"
        connection.rollback()
        assert not backend.asks_to_roll_back(connection.dbapi_connection)
