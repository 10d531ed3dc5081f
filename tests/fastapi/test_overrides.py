"""Tests work on other databases than the service, with all that the service does; and two sessions of one request."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse
from sqlalchemy import text
from sqlmodel import Session
from sqlmodel.ext.asyncio.session import AsyncSession

import dbctl
from dbctl.errors import ConfigError
from dbctl.fastapi import (
    AsyncSessionDep,
    SessionDep,
    async_session_dependency,
    async_session_of,
    install_error_handlers,
    lifespan,
    override,
    profile_of,
    session_dependency,
    session_of,
)
from dbctl.profiles import Profile
from dbctl.profiles.layers import Layer, build
from dbctl.sample import SampleModel, Team, add_team, list_teams
from dbctl.work.sessions import in_async
from tests.fastapi.serving import Served, in_process
from tests.harness.database import TestDatabase


def on_file(path: Path, **pool: float) -> Profile:
    """Return the profile of a file, which need not be there."""
    table = {"driver": "sqlite", "database": str(path)} | {f"pool.{key}": value for key, value in pool.items()}
    return build(path.stem, [Layer(table, "the test")])


def in_memory(name: str = "testing") -> Profile:
    """Return the profile of a database in memory."""
    return build(name, [Layer({"driver": "sqlite"}, "the test")])


def create_tables(profile: Profile) -> None:
    """Create the sample's tables."""
    with dbctl.session(profile) as session:
        SampleModel.metadata.create_all(session.connection())


# --- what comes behind the response -----------------------------------------------------------------------------------


def test_what_comes_behind_the_response_is_overridden_too(tmp_path: Path) -> None:
    production, testing = on_file(tmp_path / "production.db"), on_file(tmp_path / "testing.db")
    app = FastAPI(lifespan=lifespan(production, create_tables=SampleModel.metadata))

    def add(where: Any, name: str) -> None:
        with session_of(where) as session:
            add_team(session, name)

    def run(name: str) -> None:
        dbctl.run(lambda session: add_team(session, name), profile_of(app))

    def names(where: Any) -> Iterator[str]:
        with session_of(where, writes=False) as session:
            yield from (f"{team.name};" for team in list_teams(session))

    @app.post("/")
    def in_background(tasks: BackgroundTasks, request: Request) -> None:
        tasks.add_task(add, request, "of the task")
        tasks.add_task(run, "of the app")

    @app.get("/")
    def stream(request: Request) -> StreamingResponse:
        return StreamingResponse(names(request))

    @app.websocket("/")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        async with async_session_of(websocket) as session:
            await in_async(add_team)(session, await websocket.receive_text())
        await websocket.close()

    def use(client: Any) -> str:
        client.post("/")
        with client.websocket_connect("/") as websocket:
            websocket.send_text("of the websocket")
            assert websocket.receive()["type"] == "websocket.close"
        return str(client.get("/").text)

    with override(app, testing), in_process(app) as client:
        assert use(client) == "of the task;of the app;of the websocket;"
    assert {path.name for path in tmp_path.iterdir()} == {"testing.db"}
    with in_process(app) as client:
        assert client.get("/").text == ""
        assert profile_of(app) == profile_of(app, None) == production
        assert profile_of(app, "other") == "other"


# --- by names ---------------------------------------------------------------------------------------------------------


def two_profiles(production: Profile, reports: Any) -> FastAPI:
    """Return an app that works on two profiles."""
    app = FastAPI(lifespan=lifespan(production))
    install_error_handlers(app)

    @app.get("/")
    def count(session: SessionDep, other: Annotated[Session, session_dependency(reports)]) -> list[int]:
        return [len(list_teams(each)) for each in (session, other)]

    return app


@pytest.mark.parametrize("by", [str, in_memory], ids=["name", "profile"])
def test_each_profile_has_another_in_its_place(tmp_path: Path, by: Callable[[str], Any]) -> None:
    app = two_profiles(on_file(tmp_path / "production.db"), by("reports"))
    main, other = in_memory("main"), in_memory("other")
    with override(app, {"production": main, "reports": other}), in_process(app) as client:
        for each in (main, other):
            create_tables(each)
        with dbctl.session(main) as session:
            session.add(Team(name="Avengers"))
        assert client.get("/").json() == [1, 0]
    assert not [*tmp_path.iterdir()]


def test_a_profile_that_has_none_in_its_place_is_refused(tmp_path: Path) -> None:
    app = two_profiles(on_file(tmp_path / "production.db"), "reports")
    with override(app, {"prodution": in_memory()}), pytest.raises(ConfigError) as refused:
        profile_of(app, "production")
    assert str(refused.value) == (
        'the app is overridden by names, which are prodution, and works on "production" too; say it as well: '
        'override(app, {…, "production": …}), with "production" itself where that is meant'
    )


# --- two sessions of one request --------------------------------------------------------------------------------------


def test_a_request_never_waits_for_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    testing = in_memory()
    app = two_profiles(on_file(tmp_path / "production.db"), "reports")

    @app.get("/both")
    async def both(session: SessionDep, other: AsyncSessionDep) -> None:
        """Use both drivers."""

    @app.get("/one")
    def one(session: SessionDep) -> int:
        return len(list_teams(session))

    with override(app, testing), in_process(app) as client:
        create_tables(testing)
        for path in ("/", "/both"):
            caplog.clear()
            assert client.get(path).status_code == 500
            assert "testing: a request asks for a second session in memory, where there is one" in caplog.text
            assert "override(app, {NAME: …, NAME: …})" in caplog.text
            assert client.get("/one").json() == 0
    small = on_file(tmp_path / "small.db", size=1, max_overflow=0)
    with override(app, small), in_process(app) as client:
        caplog.clear()
        assert client.get("/").status_code == 500
        assert "small: a request asks for one session more than the pool may have connections (1)" in caplog.text


def test_requests_that_wait_for_each_other_are_told_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = on_file(tmp_path / "file.db", size=2, max_overflow=0, timeout=0.2)
    app, met = FastAPI(lifespan=lifespan(file)), threading.Barrier(2, timeout=30)
    install_error_handlers(app)

    def first(session: SessionDep) -> None:
        session.execute(text("SELECT 1"))
        met.wait()

    further = Annotated[Session, session_dependency(writes=False)]

    @app.get("/dependency", dependencies=[Depends(first)])
    def two(session: further) -> None:
        """Have two by the dependency."""

    @app.get("/own", dependencies=[Depends(first)])
    def own() -> None:
        with dbctl.session(file) as session:
            session.execute(text("SELECT 1"))

    with Served(app) as served, ThreadPoolExecutor(2) as clients:
        for path in ("/dependency", "/own"):
            caplog.clear()
            answers = [answer.status_code for answer in clients.map(served.client.get, [path] * 2)]
            assert 503 in answers
            assert "no connection came free within the pool's 0.2 s" in caplog.text
            assert "do with one session of a profile a request, or raise pool.size" in caplog.text


# --- what reads alone -------------------------------------------------------------------------------------------------


def test_a_session_that_is_said_to_read_alone_does(
    profile: Profile, sample: TestDatabase, asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI(lifespan=lifespan(profile, asynchronous=asynchronous))
    install_error_handlers(app)
    given = async_session_dependency if asynchronous else session_dependency

    def add(session: Session) -> None:
        add_team(session, "Avengers")

    def count(session: Session) -> int:
        return len(list_teams(session))

    def route(method: str, path: str, work: Callable[[Session], Any], writes: bool | None) -> None:
        def by_sync(session: Annotated[Session, given(writes=writes)]) -> Any:
            return work(session)

        async def by_async(session: Annotated[AsyncSession, given(writes=writes)]) -> Any:
            return await in_async(work)(session)

        app.add_api_route(path, by_async if asynchronous else by_sync, methods=[method])

    route("POST", "/reading", add, writes=False)
    route("POST", "/", add, writes=None)
    route("GET", "/", count, writes=False)
    with Served(app) as served:
        assert served.client.get("/").json() == 2
        assert served.client.post("/reading").status_code == 500
        assert "read" in caplog.text
        assert served.client.post("/").status_code == 200
        assert served.client.get("/").json() == 3
    assert sample.execute("SELECT count(*) FROM team") == [(3,)]
