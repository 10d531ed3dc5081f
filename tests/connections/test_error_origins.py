"""An error is of connecting where connecting happened, and of this database only where it is this engine's."""

import asyncio
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import OperationalError

import dbctl
from dbctl.connections.connector import dispose
from dbctl.errors import ConnectError, DbctlError, WorkRefused
from dbctl.fastapi import AsyncSessionDep, SessionDep, install_error_handlers, lifespan
from dbctl.profiles import Profile
from dbctl.profiles.layers import Layer, build
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of


@pytest.fixture
def profile(database: TestDatabase) -> Iterator[Profile]:
    yield profile_of(database)
    dispose()


def raw(session: Any, statement: str) -> Any:
    """Run a statement past SQLAlchemy, on the driver's own cursor."""
    cursor = session.connection().connection.cursor()
    try:
        cursor.execute(statement)
        return cursor.fetchall()
    finally:
        cursor.close()


def foreign() -> None:
    """Fail with the service's own database, which is none of dbctl's."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("SELECT * FROM nowhere")
    finally:
        connection.close()


def foreign_engine() -> None:
    with create_engine("sqlite://").connect() as connection:
        connection.execute(text("SELECT * FROM nowhere"))


# --- the engine's own -------------------------------------------------------------------------------------------------


def test_a_syntax_error_of_a_raw_cursor_is_the_work_refused(profile: Profile) -> None:
    with pytest.raises(DbctlError) as caught, dbctl.session(profile) as session:
        raw(session, "SELEC 1")
    assert isinstance(caught.value, WorkRefused), repr(caught.value)


def test_a_syntax_error_of_a_raw_cursor_is_the_work_refused_in_async_too(profile: Profile) -> None:
    async def work() -> None:
        try:
            async with dbctl.async_session(profile) as session:
                await session.run_sync(raw, "SELEC 1")
        finally:
            await dbctl.async_dispose()

    with pytest.raises(DbctlError) as caught:
        asyncio.run(work())
    assert isinstance(caught.value, WorkRefused), repr(caught.value)


def test_an_error_of_a_stream_is_known_also_after_a_table_was_looked_at(
    profile: Profile, database: TestDatabase
) -> None:
    def look_and_ask(session: Any) -> None:
        assert inspect(session.connection()).get_foreign_keys("t") == []
        session.connection().exec_driver_sql("SELEC 1", execution_options={"stream_results": True})

    database.execute("CREATE TABLE t (id integer PRIMARY KEY)")
    with pytest.raises(WorkRefused), dbctl.session(profile) as session:
        look_and_ask(session)


def test_a_raw_cursor_works_as_the_driver_s(profile: Profile) -> None:
    with dbctl.session(profile) as session:
        assert [tuple(row) for row in raw(session, "SELECT 42")] == [(42,)]


def test_no_connection_is_an_error_of_connecting() -> None:
    nobody = build("nobody", [Layer({"driver": "postgresql", "host": "127.0.0.1", "port": 1, "user": "x"}, "test")])
    with pytest.raises(ConnectError) as caught, dbctl.session(nobody) as session:
        session.connection()
    assert caught.value.stage == "TCP"


# --- others' ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fail", [foreign, foreign_engine])
def test_an_error_of_a_connection_of_the_service_s_own_is_its_own(profile: Profile, fail: Any) -> None:
    with pytest.raises((sqlite3.OperationalError, OperationalError)) as caught, dbctl.session(profile):
        fail()
    assert not isinstance(caught.value, DbctlError)
    with pytest.raises((sqlite3.OperationalError, OperationalError)):
        dbctl.run(lambda _session: fail(), profile)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_request_that_fails_with_a_database_of_its_own_is_no_outage(profile: Profile, asynchronous: bool) -> None:
    app = FastAPI(lifespan=lifespan(profile, asynchronous=asynchronous))
    install_error_handlers(app)

    def fail(session: SessionDep) -> None:
        foreign()

    async def fail_in_async(session: AsyncSessionDep) -> None:
        foreign()

    app.add_api_route("/", fail_in_async if asynchronous else fail)
    with TestClient(app, raise_server_exceptions=False) as client:
        assert client.get("/").status_code == 500


def test_a_command_s_error_of_a_raw_cursor_is_no_lost_connection(profile: Profile) -> None:
    """The error of a unit of work is told by what it is also where the unit was opened by a dbctl.run of another."""

    def work(session: Any) -> None:
        raw(session, "SELECT * FROM nowhere_at_all")

    with pytest.raises(DbctlError) as caught:
        dbctl.run(work, profile)
    assert not isinstance(caught.value, ConnectError), repr(caught.value)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_raw_cursor_whose_server_ends_its_session_has_lost_its_connection_in_async_too(profile: Profile) -> None:
    async def run() -> None:
        async with dbctl.async_session(profile) as session:
            await session.run_sync(raw, "SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(ConnectError, match="the connection was lost"):
        asyncio.run(run())
