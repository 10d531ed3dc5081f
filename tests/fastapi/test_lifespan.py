"""The profile's engine is there while the service runs: waited for, with its tables, around the service's own life."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.testclient import TestClient
from sqlmodel import Session

from dbctl import sample
from dbctl.errors import ConfigError, ConnectError, OutOfTime
from dbctl.fastapi import Lifespan, SessionDep, health_router, lifespan, override, session_dependency
from dbctl.profiles import Profile
from dbctl.profiles.layers import Layer, build
from dbctl.sample import SampleModel
from dbctl.sample.api import create_app, on_async_session
from tests.fastapi.serving import Served
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.servers.system import free_port

TABLES = SampleModel.metadata
_CONNECTIONS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = %s",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = %s",
}


def connections_to(database: TestDatabase) -> int:
    assert database.server
    [(count,)] = database.server.execute(_CONNECTIONS[database.dialect], [database.name])
    return int(count)


def in_file(path: Path) -> Profile:
    """Return the profile of an SQLite file, under the file's name."""
    return build(path.stem, [Layer({"driver": "sqlite", "database": str(path)}, "the test")])


def begin(life: Lifespan) -> None:
    """Begin a lifespan, and end it."""

    async def through() -> None:
        async with life(FastAPI()):
            pass

    asyncio.run(through())


def test_a_service_without_its_password_does_not_start(tmp_path: Path) -> None:
    nowhere = {"driver": "postgresql", "host": "127.0.0.1", "password_file": str(tmp_path / "nowhere")}
    with pytest.raises(ConfigError, match="password_file: can't read"):
        begin(lifespan(build("x", [Layer(nowhere, "the test")])))


def team_app(profile: Profile | None, asynchronous: bool = False) -> FastAPI:
    """Return an app that adds a team at each POST, and creates its tables."""
    app = FastAPI(lifespan=lifespan(profile, asynchronous=asynchronous, create_tables=TABLES))

    def add(session: SessionDep) -> str:
        return sample.add_team(session, f"team {len(sample.list_teams(session))}").name

    app.add_api_route("/", on_async_session(add) if asynchronous else add, methods=["POST"])
    return app


@asynccontextmanager
async def nothing(_app: FastAPI) -> AsyncIterator[None]:
    yield


# --- the engine and its tables ----------------------------------------------------------------------------------------


def test_tables_are_created_where_asked_and_those_that_are_there_stay(
    database: TestDatabase, asynchronous: bool
) -> None:
    for number in range(2):
        with Served(team_app(profile_of(database), asynchronous)) as served:
            assert served.client.post("/").json() == f"team {number}"


def test_no_connection_stays_open_behind_it(server_database: TestDatabase, asynchronous: bool) -> None:
    with Served(team_app(profile_of(server_database), asynchronous)) as served:
        served.client.post("/")
        assert connections_to(server_database) > 0
    deadline = time.monotonic() + 5  # the server takes a moment to notice
    while connections_to(server_database) and time.monotonic() < deadline:
        pass
    assert connections_to(server_database) == 0


def test_a_profile_that_is_wrong_ends_the_start() -> None:
    with pytest.raises(ConfigError, match='no profile "nowhere"'):
        begin(lifespan("nowhere"))


@pytest.mark.parametrize("mounted", [False, True])
def test_the_profile_holds_where_nobody_runs_it(tmp_path: Path, mounted: bool) -> None:
    named = in_file(tmp_path / "named.db")
    app = FastAPI(lifespan=lifespan(named))
    app.include_router(health_router())
    app.include_router(APIRouter())

    @app.get("/where")
    def where(session: SessionDep) -> str:
        return str(session.connection().engine.url.database)

    main = FastAPI()
    main.mount("/sub", app)
    found = TestClient(main).get("/sub/where") if mounted else TestClient(app).get("/where")
    assert found.json() == named.database


# --- waiting ----------------------------------------------------------------------------------------------------------


def test_a_database_that_is_not_up_yet_is_waited_for(server_database: TestDatabase, asynchronous: bool) -> None:
    started = threading.Event()

    @asynccontextmanager
    async def own(_app: FastAPI) -> AsyncIterator[None]:
        started.set()
        yield

    app = create_app(profile_of(server_database), asynchronous=asynchronous)
    app.router.lifespan_context = lifespan(
        profile_of(server_database), own, asynchronous=asynchronous, wait=60, create_tables=TABLES
    )
    assert server_database.server
    with server_database.server.stopped():
        served = Served(app)
        served.__enter__()
        assert not started.is_set()
    with served:
        assert served.client.get("/heroes/").json() == []
    assert started.is_set()


def test_waiting_has_an_end() -> None:
    values = {"driver": "postgresql", "host": "127.0.0.1", "port": free_port(), "user": "app"}
    life = lifespan(build("nobody", [Layer(values, "the test")]), wait=0.5)
    start = time.monotonic()
    with pytest.raises(OutOfTime, match=r"waited 0\.5 s in vain: .*(TCP failed|no answer within)"):
        begin(life)
    assert 0.1 < time.monotonic() - start < 5


def test_what_can_not_heal_is_not_waited_for(server_database: TestDatabase, asynchronous: bool) -> None:
    life = lifespan(profile_of(server_database, {"password": "wrong"}), asynchronous=asynchronous, wait=300)
    with pytest.raises(ConnectError, match="login failed"):  # and not the tests' own timeout
        begin(life)


def test_a_file_is_not_waited_for(tmp_path: Path) -> None:
    begin(lifespan(in_file(tmp_path / "new.db"), wait=60, create_tables=TABLES))
    assert (tmp_path / "new.db").exists()


# --- the service's own life -------------------------------------------------------------------------------------------


def test_the_services_own_lifespan_runs_inside_and_keeps_its_state(tmp_path: Path) -> None:
    profile = in_file(tmp_path / "own.db")
    happened: list[str] = []

    @asynccontextmanager
    async def own(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        happened.append("tables" if (tmp_path / "own.db").exists() else "nothing")
        yield {"answer": 42}
        happened.append("end")

    app = FastAPI(lifespan=lifespan(profile, own, create_tables=TABLES))

    @app.get("/")
    def answer(request: Request) -> int:
        return int(request.state.answer)

    with Served(app) as served:
        assert served.client.get("/").json() == 42
    assert happened == ["tables", "end"]


def test_it_runs_inside_a_lifespan_and_beside_a_routers(tmp_path: Path) -> None:
    inner = lifespan(in_file(tmp_path / "inner.db"), create_tables=TABLES)

    @asynccontextmanager
    async def outer(app: FastAPI) -> AsyncIterator[None]:
        async with inner(app):
            yield

    beside = APIRouter(lifespan=lifespan(in_file(tmp_path / "beside.db"), create_tables=TABLES))
    app = FastAPI(lifespan=outer)
    app.include_router(beside)
    with Served(app) as served:
        served.client.get("/")
    assert {path.name for path in tmp_path.iterdir()} == {"inner.db", "beside.db"}


# --- which profile ----------------------------------------------------------------------------------------------------


def test_without_a_lifespan_it_is_the_profile_that_dbctl_itself_would_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "profiles.toml").write_text('default = "mine"\n[profiles.mine]\nurl = "sqlite:///mine.db"\n')
    monkeypatch.chdir(tmp_path)
    app = team_app(None)
    with Served(app) as served:
        served.client.post("/")
    app.router.lifespan_context = nothing
    with Served(app) as served:
        assert served.client.post("/").json() == "team 1"
    assert (tmp_path / "mine.db").exists()


def test_an_app_may_work_on_several_profiles(tmp_path: Path) -> None:
    one, other = in_file(tmp_path / "one.db"), in_file(tmp_path / "other.db")
    one_session, other_session = session_dependency(one), session_dependency(other)
    app = team_app(one)
    app.include_router(APIRouter(lifespan=lifespan(other, create_tables=TABLES)))

    @app.get("/counts")
    def count(first: Annotated[Session, one_session], second: Annotated[Session, other_session]) -> list[int]:
        return [len(sample.list_teams(session)) for session in (first, second)]

    with Served(app) as served:
        served.client.post("/")
        assert served.client.get("/counts").json() == [1, 0]


@pytest.mark.filterwarnings("ignore:Using `httpx`")
def test_one_line_makes_tests_work_on_another_database(tmp_path: Path) -> None:
    from fastapi.testclient import TestClient

    production, testing = in_file(tmp_path / "production.db"), in_file(tmp_path / "testing.db")
    app = team_app(production)
    app.include_router(health_router(production))
    with override(app, testing), TestClient(app) as client:
        assert client.post("/").json() == "team 0"
        assert 'profile="testing"' in client.get("/metrics").text
        assert client.get("/readyz").status_code == 200
        assert {path.name for path in tmp_path.iterdir()} == {"testing.db"}
    with TestClient(app):
        assert {path.name for path in tmp_path.iterdir()} == {"testing.db", "production.db"}
    override(app, testing)
    assert TestClient(app).post("/").json() == "team 1"
