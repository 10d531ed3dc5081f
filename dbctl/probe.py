"""Looking at a database through a profile: can it be reached, who answers, how long does it take.

SQLAlchemy is imported where it is used, so that reading a command's help loads none of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from dbctl.backends.base import Missing
from dbctl.connections.connector import async_opened, opened
from dbctl.connections.nodes import refuse_nodes
from dbctl.errors import ConnectError
from dbctl.profiles import Profile
from dbctl.records import record
from dbctl.runtime.backoff import Patience
from dbctl.runtime.network import time_steps
from dbctl.runtime.waits import result_of, started
from dbctl.spread import Spread, milliseconds

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from dbctl.backends.base import Backend


T = TypeVar("T")


@record
class Stages:
    """The steps that a driver does not tell apart, measured on a socket of dbctl's own before the driver connects.

    The driver then does them once more: its connect is all of name resolution, TCP, TLS, login and database. Where a
    tunnel leads to the server, it is the one that does them, and how long it takes to open is what is measured.
    """

    name_resolution_ms: float | None
    tcp_ms: float | None
    tunnel_ms: float | None = None


@record
class PingReport:
    """A database that answers.

    `encrypted` and `tls` are what the client's own socket says, None where there is no socket. `connect_ms` is the
    driver's connect alone; `round_trip_ms` the median of the round trips; `round_trips` their spread where there were
    several. `stages` are the steps before, where they were asked for. `host` and `port` are those of the profile that
    were connected to, None where it is a file; `role` is the part that the server plays: primary, standby, or apart, as
    a node that takes no part in its cluster.
    """

    profile: str
    server: str
    version: str
    user: str | None
    database: str | None
    host: str | None
    port: int | None
    role: str | None
    encrypted: bool | None
    tls: str | None
    connect_ms: float
    round_trip_ms: float
    round_trips: Spread | None
    stages: Stages | None


def ping(profile: Profile, count: int = 1, *, stages: bool = False, missing: Missing = Missing.REFUSE) -> PingReport:
    """Connect as the profile says, and measure round trips of `SELECT 1`.

    Args:
        profile: Where to. Its `connect_timeout` bounds connecting, and each question after it.
        count: How many round trips are measured, 1 or more.
        stages: Whether name resolution and TCP are measured too, with a connection of their own.
        missing: What connecting does where the database is a file that is not there.

    Raises:
        ConnectError: It can't be reached; `stage` says which step failed. Or it takes no part in its cluster.
    """
    with opened(profile, missing) as connector:
        steps = _time_stages(connector.backend, connector.engine) if stages else None
        refuse_nodes(connector.engine, connector.backend)
        connects = time_connects(connector.engine)
        with connector.engine.connect() as connection:
            return _measure(connection, connector.backend, connects, count, steps)


async def async_ping(
    profile: Profile, count: int = 1, *, stages: bool = False, missing: Missing = Missing.REFUSE
) -> PingReport:
    """Do what `ping` does through the profile's async engine."""
    import asyncio

    async with async_opened(profile, missing) as connector:
        steps = await asyncio.to_thread(_time_stages, connector.backend, connector.sync_engine) if stages else None
        refuse_nodes(connector.sync_engine, connector.backend)
        connects = time_connects(connector.sync_engine)
        async with connector.engine.connect() as connection:
            return await connection.run_sync(_measure, connector.backend, connects, count, steps)


def when_up(profile: Profile, seconds: float, attempt: Callable[[Profile], T]) -> T:
    """Try until a database answers, with growing pauses, and return what the try does.

    Args:
        profile: Where to.
        seconds: How long it may take in all, the try under way included.
        attempt: Tries once, by a profile with less time to connect where little is left.

    Raises:
        ConnectError: It fails in a way that no waiting heals.
        OutOfTime: It still fails when the time is over.
    """
    patience = Patience(seconds)
    while True:
        timeout = patience.time_for_a_try(profile.connect_timeout)
        bounded = profile.model_copy(update={"connect_timeout": timeout})
        try:
            return result_of(started(partial(attempt, bounded)), patience.left)
        except TimeoutError:
            failure = ConnectError(f"{profile.called}: connection failed: no answer", transient=True)
        except ConnectError as error:
            failure = error
        time.sleep(patience.pause_after(failure))


def _time_stages(backend: Backend, holder: object) -> Stages | None:
    if backend.tunnel:
        from dbctl.connections.tunnels import tunnel_port

        start = time.perf_counter()
        tunnel_port(backend, id(holder), backend.profile.connect_timeout)
        return Stages(None, None, milliseconds(time.perf_counter() - start))
    addresses = backend.addresses()
    if not addresses:
        return None
    try:
        resolution, tcp = time_steps(addresses, backend.profile.connect_timeout)
    except OSError as error:
        raise backend.connect_error(error) from error
    return Stages(milliseconds(resolution), milliseconds(tcp))


def _measure(
    connection: Connection, backend: Backend, connects: list[float], count: int, steps: Stages | None
) -> PingReport:
    from dbctl.connections.response_timeouts import answering

    driver_connection, seconds = connection.connection.driver_connection, backend.profile.connect_timeout
    with answering(backend, driver_connection, seconds):
        identity = backend.identity(connection)
        connection.rollback()
        role = backend.role(connection.connection.dbapi_connection)
    times = []
    for _ in range(count):
        with answering(backend, driver_connection, seconds):
            start = time.perf_counter()
            connection.exec_driver_sql(backend.ping_statement).scalar()
            times.append(time.perf_counter() - start)
    with answering(backend, driver_connection, seconds):
        connection.rollback()
    tls = backend.tls_version(driver_connection)
    place = backend.places()[0] if backend.tunnel else backend.place_of(driver_connection)
    spread = Spread.of(times)
    assert spread is not None, "count is 1 or more"
    return PingReport(
        profile=backend.profile.name,
        server=identity.server,
        version=identity.version,
        user=identity.user,
        database=identity.database,
        host=place.host if place else None,
        port=(place.port or None) if place else None,
        role=role,
        encrypted=tls is not None if backend.needs_host else None,
        tls=tls,
        connect_ms=milliseconds(connects[0]),
        round_trip_ms=spread.median_ms,
        round_trips=spread if count > 1 else None,
        stages=steps,
    )


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
