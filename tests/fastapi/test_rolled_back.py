"""A test's app on one connection, whose transaction is rolled back."""

from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, FastAPI
from sqlalchemy import Column, Integer, MetaData, Table, text
from sqlalchemy.exc import MissingGreenlet
from sqlmodel import Session, col, select

from dbctl.errors import WorkRefused
from dbctl.fastapi import (
    AsyncSessionDep,
    SessionDep,
    async_session_dependency,
    async_session_of,
    health_router,
    install_error_handlers,
    lifespan,
    profile_of,
    rolled_back,
    session_dependency,
    session_of,
)
from dbctl.profiles import Profile
from dbctl.profiles.layers import Layer, build
from dbctl.sample import SampleModel, Team, add_team, list_teams
from dbctl.work.sessions import in_async
from tests.fastapi.serving import in_process
from tests.harness.database import TestDatabase

NOWHERE = build("nowhere", [Layer({"driver": "postgresql", "host": "127.0.0.1", "port": 1}, "the test")])
"""The profile of the app under test, which nothing may connect to."""


def new_app() -> FastAPI:
    """Return an app whose parts work by both drivers, and on several profiles."""
    app = FastAPI(lifespan=lifespan(NOWHERE, create_tables=SampleModel.metadata))
    install_error_handlers(app)
    app.include_router(health_router())

    @app.post("/sync")
    def by_sync(session: SessionDep, name: str) -> None:
        add_team(session, name)

    @app.post("/async")
    async def by_async(session: AsyncSessionDep, name: str) -> None:
        await in_async(add_team)(session, name)

    @app.post("/both")
    async def by_both(
        first: SessionDep, second: AsyncSessionDep, third: Annotated[Session, session_dependency("reports")], name: str
    ) -> list[int]:
        add_team(third, f"{name} of the third")
        await in_async(add_team)(second, f"{name} of the second")
        add_team(first, f"{name} of the first")
        return [len(list_teams(session)) for session in (first, third)]

    def add_later(name: str) -> None:
        with session_of(app, "reports") as session:
            add_team(session, f"{name}, {len(list_teams(session))}")

    async def add_later_async(name: str) -> None:
        async with async_session_of(app) as session:
            await in_async(add_team)(session, f"{name}, async")

    @app.post("/behind")
    def behind(session: SessionDep, tasks: BackgroundTasks, name: str) -> None:
        add_team(session, name)
        tasks.add_task(add_later, name)
        tasks.add_task(add_later_async, name)

    @app.post("/failing")
    def fail(session: SessionDep, name: str) -> None:
        add_team(session, name)
        raise LookupError(name)

    @app.get("/")
    async def names(session: Annotated[Any, async_session_dependency("reports")]) -> list[str]:
        return [team.name for team in await session.exec(select(Team).order_by(col(Team.id)))]

    @app.get("/lazy")
    async def lazy(session: AsyncSessionDep) -> str:
        team = (await session.exec(select(Team))).first()
        session.expire(team)
        try:
            return str(team.name) if team else "none"
        except MissingGreenlet:
            return "missing greenlet"

    return app


@pytest.fixture(scope="module")
def app() -> FastAPI:
    """One app for all tests, as a service has."""
    return new_app()


def teams(database: TestDatabase) -> list[str]:
    """Return what others see."""
    return [name for (name,) in database.execute("SELECT name FROM team ORDER BY id")]


def test_what_a_test_writes_is_gone_after_it(app: FastAPI, sample: TestDatabase, profile: Profile) -> None:
    for _ in range(2):
        with rolled_back(app, profile) as session, in_process(app, raise_server_exceptions=False) as client:
            assert profile_of(app) == profile
            add_team(session, "of the test")
            session.commit()
            assert client.post("/sync?name=sync").status_code == 200
            assert client.post("/async?name=async").status_code == 200
            assert client.post("/sync?name=sync").status_code == 409
            assert client.post("/failing?name=failing").status_code == 500
            assert client.post("/both?name=both").json() == [8, 8]
            known = ["Preventers", "Z-Force", "of the test", "sync", "async"]
            known += [f"both of the {which}" for which in ("third", "second", "first")]
            assert client.post("/behind?name=behind").status_code == 200
            known += ["behind", "behind, 9", "behind, async"]
            assert client.get("/").json() == [team.name for team in list_teams(session)] == known
            assert client.get("/readyz").json()["ready"]
            if sample.server:
                assert teams(sample) == ["Preventers", "Z-Force"]
        assert teams(sample) == ["Preventers", "Z-Force"]
    assert profile_of(app) == NOWHERE


def test_it_is_rolled_back_where_the_test_fails(app: FastAPI, sample: TestDatabase, profile: Profile) -> None:
    def fail(session: Session) -> None:
        add_team(session, "Avengers")
        session.commit()
        raise AssertionError("as it should")

    with pytest.raises(AssertionError, match="as it should"), rolled_back(app, profile) as session:
        fail(session)
    assert teams(sample) == ["Preventers", "Z-Force"]


def test_what_a_test_rolls_back_itself_leaves_what_was_before(app: FastAPI, profile: Profile) -> None:
    with rolled_back(app, profile) as session, in_process(app) as client:
        client.post("/sync?name=kept")
        add_team(session, "dropped")
        session.flush()
        session.rollback()
        assert client.get("/").json() == ["Preventers", "Z-Force", "kept"]


def test_an_async_handler_waits_as_by_an_async_driver(app: FastAPI, profile: Profile) -> None:
    """What would be loaded when it is looked at is not, or a test would pass that the service fails."""
    with rolled_back(app, profile), in_process(app) as client:
        assert client.get("/lazy").json() == "missing greenlet"


def test_in_memory_tables_are_made_for_each_test(app: FastAPI) -> None:
    memory = build("memory", [Layer({"driver": "sqlite"}, "the test")])
    for _ in range(2):
        with rolled_back(app, memory) as session, in_process(app) as client:
            assert client.post("/sync?name=sync").status_code == 200
            assert client.post("/async?name=async").status_code == 200
            assert session.scalar(text("SELECT count(*) FROM team")) == 2


def test_tables_that_are_missing_are_made_beside_it(sample: TestDatabase, profile: Profile) -> None:
    """On MySQL they would end the transaction; a file is locked for it, and they are rolled back with it there."""
    table = Table("extra", MetaData(), Column("id", Integer, primary_key=True, autoincrement=False))
    app = FastAPI(lifespan=lifespan(NOWHERE, create_tables=table.metadata))

    @app.post("/")
    def add(session: SessionDep) -> None:
        session.execute(table.insert().values(id=1))

    try:
        for _ in range(2):
            with rolled_back(app, profile), in_process(app) as client:
                assert client.post("/").status_code == 200
        if sample.server:
            assert sample.execute("SELECT id FROM extra") == []
    finally:
        sample.execute("DROP TABLE IF EXISTS extra")


@pytest.mark.parametrize("sample_database", ["mysql", "postgresql"], indirect=True)
def test_what_would_commit_it_is_refused(app: FastAPI, sample: TestDatabase, profile: Profile) -> None:
    statement = "TRUNCATE team" if sample.dialect == "mysql" else " /* x */ commit"
    with rolled_back(app, profile) as session, in_process(app) as client:
        client.post("/sync?name=sync")
        with pytest.raises(WorkRefused, match="commits by itself, and with it what is to be rolled back; do it before"):
            session.execute(text(statement))
        assert client.get("/").json() == ["Preventers", "Z-Force", "sync"]
    assert teams(sample) == ["Preventers", "Z-Force"]
