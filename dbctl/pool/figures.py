"""What is measured of a pool under a load, as it is shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field
from typing import Any

from dbctl.backends.audit import ServerUsage
from dbctl.connections.connector import Connector
from dbctl.errors import UsageError
from dbctl.pool.times import Tally, Times
from dbctl.records import record

MOST_AT_ONCE, MOST_SECONDS, MOST_HOLD, MOST_A_SECOND = 10_000, 7 * 86400, 3600, 100_000
"""How many ask at a time, seconds that a load lasts and that one holds its connection, and requests a second, at most:
no machine has so many threads, and no Python serves so many."""


@record
class Plan:
    """How a pool is loaded.

    Args:
        concurrency: How many threads or tasks ask for connections; as many as suits the pool unless given.
        duration: Seconds.
        rate: Requests a second, which come by chance whether those before are served or not; None has each thread ask
            again as soon as it has given its connection back.
        hold: For how many seconds each keeps its connection, and does nothing; None has it run `sql`, or SELECT 1.
        sql: A statement to run, in a transaction that only reads.
        force: Whether to open more connections than the server has room for.
        every: Seconds between two moments; a hundredth of the duration unless given.
    """

    concurrency: int | None = None
    duration: float = 1.0
    rate: float | None = None
    hold: float | None = None
    sql: str | None = None
    force: bool = False
    every: float | None = None

    def __post_init__(self) -> None:
        if self.hold is not None and self.sql is not None:
            raise UsageError("--hold and --sql both say what is done with a connection", "give one of them")

    @property
    def work(self) -> str:
        """What is done with a connection, in words."""
        if self.sql is not None:
            return self.sql
        return "SELECT 1" if self.hold is None else f"hold it for {1000 * self.hold:g} ms"

    def workers(self, connector: Connector[Any]) -> int:
        """Return how many threads or tasks there are: what comes at a rate needs enough to find the pool exhausted."""
        if self.concurrency is not None:
            return self.concurrency
        size = connector.profile.pool.size or 1
        if self.rate is None:
            return size
        return size if math.isinf(connector.capacity) else 2 * int(connector.capacity)


@record
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

    @classmethod
    def of(cls, connector: Connector[Any]) -> Limits:
        """Return a profile's."""
        profile, name = connector.profile, type(connector.sync_engine.pool).__name__
        pool = profile.pool
        if "pool_size" not in connector.backend.pool_options():
            return cls(name, None, None, None, None, None, profile.workers, None)
        connections = None if math.isinf(connector.capacity) else profile.workers * int(connector.capacity)
        return cls(
            name, pool.size, pool.max_overflow, pool.timeout, pool.recycle, pool.pre_ping, profile.workers, connections
        )


@record
class Run:
    """What was measured: `checkout` is the wait for a connection, `connect` the driver's own time for a new one.

    `work` is what was done with each connection, `usage` for how long it was held. `rate` is how many requests came a
    second where they came by themselves, `unserved` those that waited still when the time was over, and `cut` those
    whose work was not done yet soon after that, and was ended.
    """

    concurrency: int
    duration_s: float
    checkouts: int
    checkout: Times | None
    connections_opened: int
    connect: Times | None
    most_in_use: int
    overflow_used: int
    timeouts: int
    work: str
    rate: float | None
    per_second: float
    usage: Times | None
    connections_closed: int
    recycled: int
    unserved: int
    cut: int


@record
class PoolStats:
    """A pool's limits, how it did in a run, and the server's count of connections before, at most, and after it."""

    profile: str
    limits: Limits
    run: Run
    server: ServerUsage | None
    peak: ServerUsage | None
    after: ServerUsage | None
    verdict: str


@record
class Moment:
    """How it went until a moment, since the one before: times in seconds, None where nobody got a connection."""

    at: float
    per_second: float
    median_wait: float | None
    p99_wait: float | None
    in_use: int
    open: int
    timeouts: int
    server: ServerUsage | None = None


@record
class Measured:
    """All of a run: the figures, and what charts are drawn of."""

    stats: PoolStats
    waits: Tally
    usages: Tally
    moments: Sequence[Moment] = field(default_factory=list)
    stopped: str = ""
    """Why it was ended before its time; "" where it was not."""
