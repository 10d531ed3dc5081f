"""Measuring a connection pool at work, beside its configured limits and the server's own.

SQLAlchemy is imported where it is used, so that reading a command's help loads none of it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbctl.backends.audit import ServerUsage
from dbctl.connections.connector import Connector, async_opened, opened
from dbctl.connections.watching import is_ended
from dbctl.errors import Unsupported
from dbctl.probe import time_connects
from dbctl.profiles import Profile
from dbctl.spread import Spread
from dbctl.work.progress import report

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend

_TICK = 0.1
"""Seconds between two looks at how far the measurement has come."""


@dataclass(frozen=True)
class Limits:
    """What the profile configures; `connections` is what all workers together may open."""

    pool: str
    size: int | None
    max_overflow: int | None
    timeout_s: float | None
    recycle_s: int | None
    pre_ping: bool | None
    workers: int
    connections: int | None


@dataclass(frozen=True)
class Run:
    """What was measured: `checkout` is the wait for a connection, `connect` the driver's own time for a new one."""

    concurrency: int
    duration_s: float
    checkouts: int
    checkout: Spread | None
    connections_opened: int
    connect: Spread | None
    most_in_use: int
    overflow_used: int
    timeouts: int


@dataclass(frozen=True)
class PoolStats:
    """A pool's limits, how it did in a run, and the server's count of connections before the run."""

    profile: str
    limits: Limits
    run: Run
    server: ServerUsage | None


def measure_pool(profile: Profile, concurrency: int | None = None, duration: float = 1.0) -> PoolStats:
    """Let threads check connections out of a new pool, run `SELECT 1` and give them back, and measure.

    Args:
        profile: Whose pool.
        concurrency: How many threads; as many as the pool's size unless given.
        duration: For how many seconds.

    Raises:
        ConnectError: The database can't be reached, or does not answer within `connect_timeout`.
    """
    from dbctl.connections.response_timeouts import bound_questions

    with opened(profile) as connector:
        load = _Load(connector, concurrency, duration)
        bound_questions(connector.engine, connector.backend)
        with connector.engine.connect() as connection:
            server = _usage(connection, connector.backend)
        load.run_threads()
        return load.stats(server)


async def async_measure_pool(profile: Profile, concurrency: int | None = None, duration: float = 1.0) -> PoolStats:
    """Do what `measure_pool` does with tasks instead of threads, through the profile's async engine."""
    from dbctl.connections.response_timeouts import bound_questions

    async with async_opened(profile) as connector:
        load = _Load(connector, concurrency, duration)
        bound_questions(connector.sync_engine, connector.backend)
        async with connector.engine.connect() as connection:
            server = await connection.run_sync(_usage, connector.backend)
        await load.run_tasks()
        return load.stats(server)


class _Load:
    """Threads or tasks that check connections out and in, and the count of what they meet."""

    def __init__(self, connector: Connector[Any], concurrency: int | None, duration: float) -> None:
        self.connector = connector
        self.engine = connector.sync_engine
        self.concurrency = concurrency or connector.profile.pool.size or 1
        self.duration = duration
        self.connects = time_connects(self.engine)
        self.waits: list[float] = []
        self.timeouts = self.most_in_use = self.overflow_used = 0
        self.started = self.until = 0.0
        self.lock = threading.Lock()

    def run_threads(self) -> None:
        with self._timed(), ThreadPoolExecutor(self.concurrency) as executor:
            try:
                # Each sees the context of this thread: whoever ends this work ends what its connections wait for.
                workers = [executor.submit(copy_context().run, self._work) for _ in range(self.concurrency)]
                while wait(workers, _TICK, FIRST_EXCEPTION).not_done and time.perf_counter() < self.until:
                    self._tell()
                for worker in workers:
                    worker.result()
            finally:
                self.until = 0  # an interrupt, which only this thread gets, stops the workers

    async def run_tasks(self) -> None:
        import asyncio

        from sqlalchemy.util import greenlet_spawn

        async def tell() -> None:
            while True:
                await asyncio.sleep(_TICK)
                self._tell()

        with self._timed():
            telling = asyncio.ensure_future(tell())
            try:
                await asyncio.gather(*(greenlet_spawn(self._work) for _ in range(self.concurrency)))
            finally:
                telling.cancel()

    def _tell(self) -> None:
        """Report how far the time has come; where this was ended from outside, stop the workers."""
        report(min(time.perf_counter() - self.started, self.duration), self.duration, "seconds", "measuring")
        if is_ended():
            self.until = 0

    @contextmanager
    def _timed(self) -> Iterator[None]:
        self.started = time.perf_counter()
        self.until = self.started + self.duration
        yield
        self.duration = time.perf_counter() - self.started

    def _work(self) -> None:
        try:
            self._check_out_and_in()
        except BaseException as error:
            self.until = 0  # where one worker fails the others stop too
            if not (isinstance(error, Exception) and is_ended()):  # which ends what runs at the server, too
                raise

    def _check_out_and_in(self) -> None:
        from sqlalchemy.exc import TimeoutError as PoolTimeout

        from dbctl.connections.response_timeouts import answering

        backend = self.connector.backend
        while time.perf_counter() < self.until:
            start = time.perf_counter()
            try:
                connection = self.engine.raw_connection()
            except PoolTimeout:
                with self.lock:
                    self.timeouts += 1
                continue
            try:
                self._note(time.perf_counter() - start)
                with answering(backend, connection.driver_connection, backend.profile.connect_timeout):
                    cursor = connection.cursor()
                    cursor.execute(backend.ping_statement)
                    cursor.fetchall()
                    cursor.close()
            finally:
                connection.close()

    def _note(self, waited: float) -> None:
        with self.lock:
            self.waits.append(waited)
            # A pool that keeps no count, as SQLite's in memory, has one connection, and this worker has it.
            pool: Any = self.engine.pool
            self.most_in_use = max(self.most_in_use, getattr(pool, "checkedout", lambda: 1)())
            self.overflow_used = max(self.overflow_used, getattr(pool, "overflow", lambda: 0)())

    def stats(self, server: ServerUsage | None) -> PoolStats:
        run = Run(
            concurrency=self.concurrency,
            duration_s=round(self.duration, 3),
            checkouts=len(self.waits),
            checkout=Spread.of(self.waits),
            connections_opened=len(self.connects),
            connect=Spread.of(self.connects),
            most_in_use=self.most_in_use,
            overflow_used=self.overflow_used,
            timeouts=self.timeouts,
        )
        return PoolStats(self.connector.profile.name, _limits(self.connector), run, server)


def _usage(connection: Connection, backend: Backend) -> ServerUsage | None:
    try:
        return backend.usage(connection)
    except Unsupported:
        return None


def _limits(connector: Connector[Any]) -> Limits:
    profile, name = connector.profile, type(connector.sync_engine.pool).__name__
    pool = profile.pool
    if "pool_size" not in connector.backend.pool_options():
        return Limits(name, None, None, None, None, None, profile.workers, None)
    connections = None if math.isinf(connector.capacity) else profile.workers * int(connector.capacity)
    return Limits(
        name, pool.size, pool.max_overflow, pool.timeout, pool.recycle, pool.pre_ping, profile.workers, connections
    )
