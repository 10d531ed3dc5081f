"""What dbctl's session costs a FastAPI service: GET /heroes/{id}, against the dependency that one writes by hand.

    python tests/benchmarks/requests.py [--rounds N]

Both handlers do the same, with the sync drivers and with the async ones, each in a server process of its own. A turn is
so many requests, by clients that keep their connections. A ratio of 1.05 is 0.95 of the requests per second.
"""

import multiprocessing
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Annotated

sys.path.insert(0, str(Path(__file__).parents[2]))  # the repository, where the servers are

import uvicorn
from fastapi import Depends, FastAPI
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Session
from sqlmodel.ext.asyncio.session import AsyncSession

import dbctl
from dbctl import sample
from dbctl.backends import backend_of
from dbctl.fastapi import AsyncSessionDep, SessionDep
from dbctl.profiles import Profile
from dbctl.sample import SampleModel, aio
from dbctl.sample.rows import HeroDetail
from dbctl.sample.schemas import HeroPublic
from tests.benchmarks.compare import Comparison, Timed, print_table, rounds_option
from tests.harness.database import TestDatabase
from tests.servers.authority import Authority
from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer

CLIENTS = 4
REQUESTS = 25
"""Those of one client in a turn."""


def main() -> None:
    """Start the servers, measure, print."""
    rounds = rounds_option("A request with dbctl's session against one with a session made by hand.", 20)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbctl-requests-")))
        print_table(
            (found for database in _databases(directory, stack) for found in _comparisons(database, stack)), rounds
        )


def _databases(directory: Path, stack: ExitStack) -> Iterator[TestDatabase]:
    """Start the servers one by one, with one hero in each; dbctl's default profile is set up for each."""
    authority = Authority(directory)
    for make in (PostgresServer, MariaDBServer):
        server = stack.enter_context(make(authority))
        server.create_database("requests")
        database = TestDatabase.on_server(server, "requests")
        (directory / "profiles.toml").write_text(f'default = "{database.profile}"\n{database.toml}', encoding="utf-8")
        os.environ.update({"DBCTL_CONFIG": str(directory / "profiles.toml")} | dict(database.env))
        engine = dbctl.build_engine(dbctl.profile())
        SampleModel.metadata.create_all(engine)
        engine.dispose()
        database.execute("INSERT INTO team (name) VALUES ('Preventers')")
        database.execute("INSERT INTO hero (name, secret_name, age, team_id) VALUES ('Spider-Boy', 'Pedro', 16, 1)")
        yield database


def _comparisons(database: TestDatabase, stack: ExitStack) -> Iterator[Comparison]:
    floor = "a Session(engine) dependency made by hand"
    profile = dbctl.profile()
    apps = {"sync": (with_dbctl(), by_hand(profile)), "async": (with_dbctl_async(), by_hand_async(profile))}
    for driver, (ours, floors) in apps.items():
        timed = [_requests(_served(app, stack)) for app in (ours, floors)]
        yield Comparison(f"{database.kind}, {driver}: SessionDep", floor, 1.05, *timed)


# --- the apps ---------------------------------------------------------------------------------------------------------


def with_dbctl() -> FastAPI:
    """Return the app on dbctl's session."""
    app = FastAPI()

    @app.get("/heroes/{hero_id}", response_model=HeroPublic)
    def read_hero(session: SessionDep, hero_id: int) -> HeroDetail:
        return sample.show_hero(session, hero_id)

    return app


def by_hand(profile: Profile) -> FastAPI:
    """Return the app on SQLModel's session, as its documentation has it."""
    backend = backend_of(profile)
    engine = create_engine(backend.url(), connect_args=backend.connect_args(), **backend.pool_options())
    app = FastAPI()

    def get_session() -> Iterator[Session]:
        with Session(engine) as session:
            yield session

    @app.get("/heroes/{hero_id}", response_model=HeroPublic)
    def read_hero(session: Annotated[Session, Depends(get_session)], hero_id: int) -> HeroDetail:
        return sample.show_hero(session, hero_id)

    return app


def with_dbctl_async() -> FastAPI:
    """Return the app on dbctl's async session."""
    app = FastAPI()

    @app.get("/heroes/{hero_id}", response_model=HeroPublic)
    async def read_hero(session: AsyncSessionDep, hero_id: int) -> HeroDetail:
        return await aio.show_hero(session, hero_id)

    return app


def by_hand_async(profile: Profile) -> FastAPI:
    """Return the app on SQLModel's async session."""
    backend = backend_of(profile)
    url, connect_args = backend.url(backend.async_driver), backend.async_connect_args()
    engine = create_async_engine(url, connect_args=connect_args, **backend.pool_options())
    app = FastAPI()

    async def get_session() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(engine) as session:
            yield session

    @app.get("/heroes/{hero_id}", response_model=HeroPublic)
    async def read_hero(session: Annotated[AsyncSession, Depends(get_session)], hero_id: int) -> HeroDetail:
        return await aio.show_hero(session, hero_id)

    return app


# --- serving and asking -----------------------------------------------------------------------------------------------


def _served(app: FastAPI, stack: ExitStack) -> tuple[str, int]:
    """Serve an app from a process of its own, and return its address."""
    listener = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    # A fork has the app, and needs no way to be told of it; nothing has been connected to yet.
    process = multiprocessing.get_context("fork").Process(
        target=server.run, kwargs={"sockets": [listener]}, daemon=True
    )
    process.start()
    stack.callback(process.join)
    stack.callback(process.terminate)
    host, port = listener.getsockname()
    return host, port


def _requests(address: tuple[str, int]) -> Timed:
    """Make a turn of all clients into something to be timed; an answer that is no success ends the measuring."""
    clients = [HTTPConnection(*address) for _ in range(CLIENTS)]

    def ask(client: HTTPConnection) -> None:
        for _ in range(REQUESTS):
            client.request("GET", "/heroes/1")
            answer = client.getresponse()
            body = answer.read()
            assert answer.status == 200, body

    def turn() -> float:
        with ThreadPoolExecutor(CLIENTS) as threads:
            start = time.perf_counter()
            for asked in [threads.submit(ask, client) for client in clients]:
                asked.result()
            return time.perf_counter() - start

    return turn


if __name__ == "__main__":
    main()
