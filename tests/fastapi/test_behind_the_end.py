"""What is done behind a request's end, and in generators that Starlette steps through in contexts of their own."""

from collections.abc import Generator, Iterator
from typing import Annotated, Any

import anyio.to_thread
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.responses import StreamingResponse
from sqlalchemy import text
from sqlalchemy.exc import InvalidRequestError
from sqlmodel import Session

import dbctl
from dbctl.fastapi import AsyncSessionDep, SessionDep, lifespan
from dbctl.profiles import Profile
from dbctl.sample import Team
from tests.fastapi.serving import Served
from tests.harness.database import TestDatabase


def test_a_session_does_nothing_behind_its_end(profile: Profile, asynchronous: bool, sample: TestDatabase) -> None:
    """Nobody would commit it, nor give its connection back."""
    app = FastAPI(lifespan=lifespan(profile, asynchronous=asynchronous))
    raised: list[Exception] = []

    def use(session: Any) -> None:
        try:
            session.add(Team(name="Avengers"))
            session.flush()
        except Exception as error:
            raised.append(error)

    async def use_async(session: Any) -> None:
        await session.run_sync(use)

    @app.post("/sync")
    def by_sync(tasks: BackgroundTasks, session: SessionDep) -> None:
        tasks.add_task(use, session)

    @app.post("/async")
    async def by_async(tasks: BackgroundTasks, session: AsyncSessionDep) -> None:
        tasks.add_task(use_async, session)

    with Served(app) as served:
        assert served.client.post("/async" if asynchronous else "/sync").status_code == 200
    assert [type(error) for error in raised] == [InvalidRequestError]
    assert sample.execute("SELECT count(*) FROM team") == [(2,)]


def test_a_generator_may_hold_a_session(profile: Profile, sample: TestDatabase) -> None:
    """As a dependency of a service's own, and as the body of an answer."""
    app = FastAPI(lifespan=lifespan(profile))

    def own() -> Iterator[Session]:
        with dbctl.session(profile) as session:
            yield session

    def names() -> Iterator[str]:
        with dbctl.session(profile, writes=False) as session:
            for (name,) in session.execute(text("SELECT name FROM team ORDER BY id")):
                yield f"{name}\n"

    @app.post("/")
    def add(session: Annotated[Session, Depends(own)]) -> None:
        session.add(Team(name="Avengers"))

    @app.get("/")
    def stream() -> StreamingResponse:
        return StreamingResponse(names())

    with Served(app) as served:
        assert served.client.get("/").text == "Preventers\nZ-Force\n"
        assert served.client.post("/").status_code == 200  # which FastAPI sends before it ends what has yielded
    assert sample.execute("SELECT count(*) FROM team") == [(3,)]
    assert dbctl.pool.observe(dbctl.engine(profile)).as_dict()["in_use"] == 0


@pytest.mark.parametrize("closed", [False, True])
def test_the_steps_of_a_generator_may_be_in_other_contexts(profile: Profile, closed: bool) -> None:
    def numbers() -> Generator[int, None, None]:
        with dbctl.session(profile, deadline=60) as session:
            for number in (1, 2):
                yield session.execute(text(f"SELECT {number}")).scalar_one()

    async def step() -> list[int | None]:
        steps = numbers()
        found = [await anyio.to_thread.run_sync(next, steps, None) for _ in range(1 if closed else 3)]
        if closed:
            await anyio.to_thread.run_sync(steps.close)
        return found

    if profile.driver == "sqlite":
        return  # whose connections are their thread's
    assert anyio.run(step) == ([1] if closed else [1, 2, None])
