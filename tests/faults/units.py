"""Units of work on one engine, by the sync driver or by the async one, so that a test says once what they do."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from sqlalchemy import Engine, text
from sqlmodel import Session

from dbctl.backends import backend_of
from dbctl.connections.connector import Connector
from dbctl.connections.engines import build_async_engine, build_engine
from dbctl.profiles import Profile
from dbctl.work.sessions import async_unit_of_work, unit_of_work

Work = Callable[[Session], object]


class Units:
    """One engine, and one unit of work after the other on it.

    Attributes:
        engine: the engine, or what is sync of an async one: the pool is the same.
    """

    def __init__(self, profile: Profile, asynchronous: bool) -> None:
        self._profile = profile
        self._backend = backend_of(profile)
        engine: Any = build_async_engine(profile) if asynchronous else build_engine(profile)
        self._engine = engine
        self._loop = asyncio.Runner() if asynchronous else None
        self.engine: Engine = engine.sync_engine if asynchronous else engine

    def run(self, work: Work, **terms: Any) -> object:
        """Run a unit of work, as strict as dbctl's own, and return what the work returns."""
        terms = {"strict": True} | terms
        if self._loop:
            return self._loop.run(self._run(work, terms))
        with unit_of_work(Connector(self._engine, self._backend), **terms) as unit:
            return work(unit.session)

    async def _run(self, work: Any, terms: dict[str, Any]) -> Any:
        async with async_unit_of_work(Connector(self._engine, self._backend), **terms) as unit:
            return await unit.session.run_sync(work)

    def fill_pool(self, size: int) -> list[int]:
        """Have as many connections open in the pool, and return their ids at the server."""
        if self._loop:
            return self._loop.run(self._fill_pool(size))
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(self._engine.connect()) for _ in range(size)]
            return [backend_id(connection) for connection in connections]

    async def _fill_pool(self, size: int) -> list[int]:
        async with contextlib.AsyncExitStack() as stack:
            connections = [await stack.enter_async_context(self._engine.connect()) for _ in range(size)]
            return [await connection.run_sync(backend_id) for connection in connections]

    @property
    def checked_out(self) -> int:
        """How many connections are in use."""
        pool: Any = self.engine.pool
        return int(pool.checkedout())

    def close(self) -> None:
        """Close the engine, and the loop that it belongs to."""
        if self._loop:
            with self._loop as loop:
                closing: Coroutine[Any, Any, None] = self._engine.dispose()
                loop.run(closing)
        else:
            self._engine.dispose()


@contextlib.contextmanager
def units(profile: Profile, asynchronous: bool) -> Iterator[Units]:
    """Have an engine for the block."""
    opened = Units(profile, asynchronous)
    try:
        yield opened
    finally:
        opened.close()


def backend_id(session: Any) -> int:
    """Return the id that the server knows a session's or a connection's backend by."""
    functions = {"postgresql": "pg_backend_pid()"}
    function = functions.get(session.get_bind().dialect.name if isinstance(session, Session) else session.dialect.name)
    return int(session.execute(text(f"SELECT {function or 'connection_id()'}")).scalar())


def insert(session: Session, value: int) -> None:
    """Insert a row into the table `t`."""
    session.execute(text("INSERT INTO t (x) VALUES (:value)"), {"value": value})
