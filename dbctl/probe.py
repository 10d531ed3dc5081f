"""Looking at a database through a profile: can it be reached, who answers, how long does it take.

SQLAlchemy is imported where it is used, so that reading a command's help loads none of it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbctl.backends import backend_of
from dbctl.backends.base import Missing
from dbctl.measure import Spread, milliseconds
from dbctl.profiles import Profile

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from dbctl.backends.base import Backend


@dataclass(frozen=True)
class PingReport:
    """A database that answers.

    `encrypted` and `tls` are what the client's own socket says, None where there is no socket. `connect_ms` is the
    driver's connect alone; `round_trip_ms` the median of the round trips; `round_trips` their spread where there were
    several.
    """

    profile: str
    server: str
    version: str
    user: str | None
    database: str | None
    encrypted: bool | None
    tls: str | None
    connect_ms: float
    round_trip_ms: float
    round_trips: Spread | None


def ping(profile: Profile, count: int = 1) -> PingReport:
    """Connect as the profile says, and measure round trips of `SELECT 1`.

    Args:
        profile: Where to.
        count: How many round trips are measured, 1 or more.

    Raises:
        ConnectError: It can't be reached; `stage` says which step failed.
    """
    with opened(profile) as (engine, backend):
        connects = time_connects(engine)
        with engine.connect() as connection:
            return _measure(connection, backend, connects, count)


async def async_ping(profile: Profile, count: int = 1) -> PingReport:
    """Do what `ping` does through the profile's async engine."""
    async with async_opened(profile) as (engine, backend):
        connects = time_connects(engine.sync_engine)
        async with engine.connect() as connection:
            return await connection.run_sync(_measure, backend, connects, count)


def _measure(connection: Connection, backend: Backend, connects: list[float], count: int) -> PingReport:
    identity = backend.identity(connection)
    tls = backend.tls_version(connection.connection.driver_connection)
    times = []
    for _ in range(count):
        start = time.perf_counter()
        connection.exec_driver_sql(backend.ping_statement).scalar()
        times.append(time.perf_counter() - start)
    spread = Spread.of(times)
    assert spread is not None, "count is 1 or more"
    return PingReport(
        profile=backend.profile.name,
        server=identity.server,
        version=identity.version,
        user=identity.user,
        database=identity.database,
        encrypted=tls is not None if backend.needs_host else None,
        tls=tls,
        connect_ms=milliseconds(connects[0]),
        round_trip_ms=spread.median_ms,
        round_trips=spread if count > 1 else None,
    )


@contextmanager
def opened(profile: Profile) -> Iterator[tuple[Engine, Backend]]:
    """Open an engine of its own for the block, and translate what its driver raises there."""
    from dbctl.engines import build_engine

    backend = backend_of(profile)
    engine = build_engine(profile, Missing.REFUSE)
    try:
        with backend.translating():
            yield engine, backend
    finally:
        engine.dispose()


@asynccontextmanager
async def async_opened(profile: Profile) -> AsyncIterator[tuple[AsyncEngine, Backend]]:
    """Open an async engine of its own for the block, and translate what its driver raises there."""
    from dbctl.engines import build_async_engine

    backend = backend_of(profile)
    engine = build_async_engine(profile, Missing.REFUSE)
    try:
        with backend.translating():
            yield engine, backend
    finally:
        await engine.dispose()


def time_connects(engine: Engine) -> list[float]:
    """Return a list to which each connect of the engine's driver adds how long it took, in seconds."""
    from sqlalchemy import event

    times: list[float] = []

    def start(_dialect: Any, record: Any, _args: Any, _kwargs: Any) -> None:
        record.info["dbctl_start"] = time.perf_counter()

    def end(_driver_connection: Any, record: Any) -> None:
        times.append(time.perf_counter() - record.info.pop("dbctl_start"))

    event.listen(engine, "do_connect", start)
    event.listen(engine, "connect", end, insert=True)
    return times
