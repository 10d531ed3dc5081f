"""A request has one session and one unit of work, which ends before its answer leaves."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from sqlalchemy import Engine, event, text
from sqlmodel import Session

import dbctl
from dbctl.errors import MissingTable
from dbctl.fastapi import AsyncSessionDep, SessionDep, health_router, install_error_handlers, lifespan
from dbctl.profiles import Profile
from dbctl.profiles.layers import Layer, build
from dbctl.sample import SampleModel, add_team, list_teams
from dbctl.sample.api import Form, create_app, on_async_session
from dbctl.work.sessions import in_async
from tests.fastapi.conftest import ON_SERVERS
from tests.fastapi.serving import Served
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of


def new_app(profile: Profile, asynchronous: bool) -> FastAPI:
    """Return an app on the profile that has no routes but the health's."""
    app = FastAPI(lifespan=lifespan(profile, asynchronous=asynchronous))
    install_error_handlers(app)
    app.include_router(health_router(asynchronous=asynchronous))
    return app


@pytest.fixture
def app(profile: Profile, asynchronous: bool) -> FastAPI:
    """An app on the sample's tables."""
    return new_app(profile, asynchronous)


@pytest.fixture
def form(asynchronous: bool) -> Form:
    """What makes a handler on a session fit the app's driver."""
    return on_async_session if asynchronous else lambda handler: handler


class Noted:
    """An app whose responses and ends of requests are noted."""

    def __init__(self, app: FastAPI, notes: list[str]) -> None:
        self.app = app
        self.notes = notes
        self.ended = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def note(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.notes.append("response")
            await send(message)

        try:
            await self.app(scope, receive, note)
        finally:
            if scope["type"] == "http":
                self.ended.set()


@pytest.fixture
def notes() -> Iterator[list[str]]:
    """Notes of every commit and rollback in this process."""
    found: list[str] = []
    listeners = {name: lambda _connection, name=name: found.append(name) for name in ("commit", "rollback")}
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    yield found
    for name, listener in listeners.items():
        event.remove(Engine, name, listener)


def teams(database: TestDatabase) -> list[str]:
    """Return the names of the teams that a test has added."""
    return [name for (name,) in database.execute("SELECT name FROM team WHERE id > 2 ORDER BY id")]


# --- its end ----------------------------------------------------------------------------------------------------------


def test_it_is_committed_before_the_response(app: FastAPI, form: Form, sample: TestDatabase, notes: list[str]) -> None:
    @app.post("/")
    @form
    def add(session: SessionDep) -> None:
        add_team(session, "Avengers")

    with Served(Noted(app, notes)) as served:
        notes.clear()
        assert served.client.post("/").status_code == 200
    assert notes == ["commit", "response"]
    assert teams(sample) == ["Avengers"]


@pytest.mark.parametrize("error", [HTTPException(418, "no"), LookupError("no")], ids=["HTTP", "other"])
def test_it_is_rolled_back_where_the_handler_raised(
    app: FastAPI, form: Form, sample: TestDatabase, error: Exception
) -> None:
    @app.post("/")
    @form
    def fail(session: SessionDep) -> None:
        add_team(session, "Avengers")
        raise error

    with Served(app) as served:
        assert served.client.post("/").status_code == (418 if isinstance(error, HTTPException) else 500)
        assert served.metrics["checked_out"] == 0
    assert teams(sample) == []


def test_a_commit_that_fails_is_no_success(app: FastAPI, form: Form, sample: TestDatabase) -> None:
    if sample.dialect == "mysql":
        return  # it has no constraint that waits for the commit

    @app.post("/")
    @form
    def add(session: SessionDep) -> None:
        add_team(session, "Avengers")
        session.execute(text("INSERT INTO later VALUES (7)"))

    sample.execute("CREATE TABLE later (team INTEGER REFERENCES team (id) DEFERRABLE INITIALLY DEFERRED)")
    try:
        with Served(app) as served:
            answer = served.client.post("/")
            assert served.metrics["checked_out"] == 0
    finally:
        sample.execute("DROP TABLE later")
    assert answer.status_code == 409
    assert answer.json() == {"detail": "it refers to what is not there, or is itself referred to"}
    assert teams(sample) == []


@ON_SERVERS
def test_a_connection_lost_in_the_commit_is_told(app: FastAPI, form: Form, sample: TestDatabase) -> None:
    assert sample.server
    ask, kill = {
        "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({}, 5000)"),
        "mysql": ("SELECT connection_id()", "KILL {}"),
    }[sample.dialect]
    server = sample.server

    @app.post("/")
    @form
    def lose(session: SessionDep) -> None:
        add_team(session, "Avengers")
        server.execute(kill.format(session.execute(text(ask)).scalar_one()))

    with Served(app) as served:
        answer = served.client.post("/")
        assert served.metrics["checked_out"] == 0
    assert answer.status_code == 500
    assert answer.json()["detail"].startswith("the connection was lost during the commit")
    assert teams(sample) == []


def test_it_is_rolled_back_where_the_client_has_gone(
    app: FastAPI, asynchronous: bool, sample: TestDatabase, notes: list[str]
) -> None:
    at_work = threading.Event()

    def add(session: Session) -> None:
        add_team(session, "Avengers")
        at_work.set()

    async def gone(request: Request) -> None:
        while not await request.is_disconnected():
            await anyio.lowlevel.checkpoint()

    def wait(session: SessionDep, request: Request) -> None:
        add(session)
        anyio.from_thread.run(gone, request)

    async def wait_async(session: AsyncSessionDep, request: Request) -> None:
        await in_async(add)(session)
        await gone(request)

    app.add_api_route("/", wait_async if asynchronous else wait, methods=["POST"])
    noted = Noted(app, notes)
    with Served(noted) as served:
        notes.clear()
        with served.leaving("POST", "/"):
            assert at_work.wait(30)
        assert noted.ended.wait(30)
        assert "commit" not in notes
        assert served.metrics["checked_out"] == 0
    assert teams(sample) == []


# --- one a request ----------------------------------------------------------------------------------------------------


def test_all_of_a_request_have_one_session_and_no_two_requests(app: FastAPI, form: Form) -> None:
    sessions: list[Session] = []

    @form
    def first(session: SessionDep) -> Session:
        return session

    @app.post("/")
    @form
    def compare(session: SessionDep, other: Annotated[Any, Depends(first)]) -> bool:
        sessions.append(session)
        return session is other

    with Served(app) as served:
        assert [served.client.post("/").json() for _ in range(2)] == [True, True]
    assert sessions[0] is not sessions[1]


def test_200_clients_at_once_are_all_served(sample: TestDatabase, asynchronous: bool) -> None:
    # SQLite lets those that wait for its lock in by no order: one of many may wait for long.
    profile = profile_of(sample, {"pool.size": 3, "pool.max_overflow": 2, "lock_timeout": 60.0})

    def add(number: int) -> int:
        body = {"name": f"hero {number}", "secret_name": "nobody", "team_id": 1}
        return service.client.post("/heroes/", json=body).status_code

    with Served(create_app(profile, asynchronous=asynchronous)) as service, ThreadPoolExecutor(200) as clients:
        assert set(clients.map(add, range(200))) == {201}
        counted = service.metrics
        assert counted["checked_out"] == counted["timeouts_total"] == 0
        assert counted["connects_total"] <= 5 + counted["closes_total"]
    assert sample.execute("SELECT count(*) FROM hero") == [(200,)]


def test_a_database_in_memory_is_one_connection_for_one_request_after_the_other(asynchronous: bool) -> None:
    profile = build("memory", [Layer({"driver": "sqlite"}, "the test")])
    app = create_app(profile, asynchronous=asynchronous)
    app.router.lifespan_context = lifespan(profile, asynchronous=asynchronous, create_tables=SampleModel.metadata)

    @app.post("/sync", status_code=201)
    def add_by_sync_driver(session: SessionDep, name: str) -> None:
        add_team(session, name)

    @app.post("/async", status_code=201)
    async def add_by_async_driver(session: AsyncSessionDep, name: str) -> None:
        await in_async(add_team)(session, name)

    def add(number: int) -> int:
        return service.client.post(f"/{'a' * (number % 2)}sync?name=team+{number}").status_code

    for _ in range(2):  # the second time it begins empty again
        with Served(app) as service, ThreadPoolExecutor(20) as clients:
            assert set(clients.map(add, range(50))) == {201}
            assert len(service.client.get("/teams/").json()) == 50


def test_in_memory_sessions_of_both_drivers_have_one_database_whichever_comes_first() -> None:
    def by_sync(profile: Profile) -> Any:
        with dbctl.session(profile) as session:
            session.execute(text("CREATE TABLE IF NOT EXISTS x (n INTEGER)"))
            session.execute(text("INSERT INTO x VALUES (1)"))
            return session.scalar(text("SELECT count(*) FROM x"))

    async def by_async(profile: Profile) -> Any:
        async with dbctl.async_session(profile) as session:
            return await in_async(lambda inner: inner.scalar(text("SELECT count(*) FROM x")))(session)

    async def both() -> None:
        first, second = (build(name, [Layer({"driver": "sqlite"}, "the test")]) for name in ("first", "second"))
        assert [await anyio.to_thread.run_sync(by_sync, first), await by_async(first)] == [1, 1]
        with pytest.raises(MissingTable):
            await by_async(second)
        assert [await anyio.to_thread.run_sync(by_sync, second), await by_async(second)] == [1, 1]
        dbctl.dispose()
        await dbctl.async_dispose()

    anyio.run(both)


def test_a_request_that_finds_no_connection_in_time_is_told_to_try_again(
    sample: TestDatabase, asynchronous: bool
) -> None:
    app = new_app(profile_of(sample, {"pool.size": 1, "pool.max_overflow": 0, "pool.timeout": 0.1}), asynchronous)
    at_work, go_on = threading.Event(), threading.Event()

    def hold(session: SessionDep) -> int:
        at_work.set()
        go_on.wait(30)
        return len(list_teams(session))

    async def hold_async(session: AsyncSessionDep) -> int:
        at_work.set()
        await anyio.to_thread.run_sync(go_on.wait, 30)
        return len(await in_async(list_teams)(session))

    app.add_api_route("/", hold_async if asynchronous else hold)
    with Served(app) as served, ThreadPoolExecutor(1) as other:
        first = other.submit(served.client.get, "/")
        assert at_work.wait(30)
        refused = served.client.get("/")
        go_on.set()
        assert first.result().json() == served.client.get("/").json() == 2
        assert served.metrics["timeouts_total"] == 1
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json() == {"detail": "the database is busy"}


def test_a_request_that_only_reads_waits_for_no_writer(sqlite_database: TestDatabase, asynchronous: bool) -> None:
    app = new_app(profile_of(sqlite_database), asynchronous)
    sqlite_database.execute("CREATE TABLE t (x INTEGER)")

    def count(session: SessionDep) -> int:
        return len(session.execute(text("SELECT x FROM t")).all())

    app.add_api_route("/", on_async_session(count) if asynchronous else count)
    writer = sqlite_database.connect()
    writer.cursor().execute("BEGIN IMMEDIATE")
    with Served(app) as served:
        assert served.client.get("/").json() == 0
    writer.close()
