"""Measuring a connection pool at work, beside its configured limits and the server's own.

SQLAlchemy is imported where it is used, so that reading a command's help loads none of it.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dbctl.backends.base import ServerUsage, Unsupported
from dbctl.measure import Spread
from dbctl.probe import opened, time_connects
from dbctl.profiles import Profile

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dbctl.backends.base import Backend


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
        ConnectError: The database can't be reached.
    """
    with opened(profile) as (engine, backend):
        connects = time_connects(engine)
        server = _usage(engine, backend)
        load = _Load(engine, backend.ping_statement, time.perf_counter() + duration)
        threads = concurrency or profile.pool.size or 1
        started = time.perf_counter()
        load.run(threads)
        took = time.perf_counter() - started
        run = Run(
            concurrency=threads,
            duration_s=round(took, 3),
            checkouts=len(load.waits),
            checkout=Spread.of(load.waits),
            connections_opened=len(connects),
            connect=Spread.of(connects),
            most_in_use=load.most_in_use,
            overflow_used=load.overflow_used,
            timeouts=load.timeouts,
        )
        return PoolStats(profile.name, _limits(profile, backend, engine), run, server)


@dataclass
class _Load:
    engine: Engine
    statement: str
    until: float
    waits: list[float] = field(default_factory=list)
    timeouts: int = 0
    most_in_use: int = 0
    overflow_used: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, threads: int) -> None:
        with ThreadPoolExecutor(threads) as executor:
            try:
                for worker in [executor.submit(self._work) for _ in range(threads)]:
                    worker.result()
            finally:
                self.until = 0  # where one failed or was interrupted the others stop too

    def _work(self) -> None:
        from sqlalchemy.exc import TimeoutError as PoolTimeout

        while time.perf_counter() < self.until:
            start = time.perf_counter()
            try:
                connection = self.engine.raw_connection()
            except PoolTimeout:
                with self.lock:
                    self.timeouts += 1
                continue
            waited = time.perf_counter() - start
            try:
                self._note(waited)
                cursor = connection.cursor()
                cursor.execute(self.statement)
                cursor.fetchall()
                cursor.close()
            finally:
                connection.close()

    def _note(self, waited: float) -> None:
        with self.lock:
            self.waits.append(waited)
            # A pool that keeps no count, as SQLite's in memory, has one connection, and this thread has it.
            pool: Any = self.engine.pool
            self.most_in_use = max(self.most_in_use, getattr(pool, "checkedout", lambda: 1)())
            self.overflow_used = max(self.overflow_used, getattr(pool, "overflow", lambda: 0)())


def _usage(engine: Engine, backend: Backend) -> ServerUsage | None:
    with engine.connect() as connection:
        try:
            return backend.usage(connection)
        except Unsupported:
            return None


def _limits(profile: Profile, backend: Backend, engine: Engine) -> Limits:
    name = type(engine.pool).__name__
    pool = profile.pool
    if "pool_size" not in backend.pool_options():
        return Limits(name, None, None, None, None, None, profile.workers, None)
    unlimited = pool.size == 0 or pool.max_overflow < 0
    connections = None if unlimited else profile.workers * (pool.size + pool.max_overflow)
    return Limits(
        name, pool.size, pool.max_overflow, pool.timeout, pool.recycle, pool.pre_ping, profile.workers, connections
    )
