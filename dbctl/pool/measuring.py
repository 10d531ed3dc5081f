"""Measuring a connection pool at work, beside its configured limits and the server's own."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from dbctl.connections.connector import Connector, async_opened, opened
from dbctl.connections.lock_notices import without_lock_notices
from dbctl.connections.watching import is_ended
from dbctl.pool.figures import Limits, Measured, Moment, Plan, PoolStats, Run
from dbctl.pool.load import TICK, Load
from dbctl.pool.serverside import ServerSide, server_side
from dbctl.pool.times import Tally, Times
from dbctl.pool.verdict import Ground, verdict
from dbctl.profiles import Profile
from dbctl.work.progress import report

_MOMENTS = 100
"""How many moments there are in a run."""

Seen = Callable[["Measurement"], None]
"""Who looks on: called at each moment, in the thread that measures."""


def measure_pool(profile: Profile, plan: Plan | None = None, seen: Seen | None = None) -> Measured:
    """Load a new pool with threads, and measure.

    Args:
        profile: Whose pool.
        plan: How it is loaded; unless given as many threads as the pool keeps connections run SELECT 1 for a second.
        seen: Who looks on: called at each moment.

    Raises:
        ConnectError: The database can't be reached, or does not answer within `connect_timeout`.
        CheckFailed: The server has no room for so many connections.
    """
    plan = plan or Plan()
    with without_lock_notices(), server_side(profile) as server, opened(profile) as connector:
        measuring = Measurement(connector, plan, server, seen)
        measuring.load.run_threads()
        measuring.finish()
        connector.engine.dispose()
        return measuring.concluded()


async def async_measure_pool(profile: Profile, plan: Plan | None = None, seen: Seen | None = None) -> Measured:
    """Do what `measure_pool` does with tasks instead of threads, through the profile's async engine."""
    import asyncio

    plan = plan or Plan()
    with without_lock_notices(), server_side(profile) as server:
        async with async_opened(profile) as connector:
            measuring = Measurement(connector, plan, server, seen, asyncio.to_thread)
            await measuring.load.run_tasks()
            measuring.finish()
            await connector.engine.dispose()
            return measuring.concluded()


class Measurement:
    """A measurement under way, whoever looks on.

    Args:
        connector: Whose pool.
        plan: How it is loaded.
        server: Looks at the server meanwhile.
        seen: Called at each moment; where there is somebody, the server is asked for its sessions too.
        aside: Runs a function beside an event loop, and returns what is awaited for it; None where there is no loop.

    Attributes:
        load: The load.
        moments: What there was until now, the newest last.
        recorder: Counts what the pool does.
        stopped: Why the load was ended before its time; "" where it was not.
    """

    def __init__(
        self,
        connector: Connector[Any],
        plan: Plan,
        server: ServerSide,
        seen: Seen | None,
        aside: Callable[..., Any] | None = None,
    ) -> None:
        from dbctl.connections.response_timeouts import bound_questions
        from dbctl.pool.recorder import observe

        self.connector, self.plan, self.server = connector, plan, server
        self.load = Load(connector, plan, self._tick if aside is None else lambda: self._tick_aside(aside))
        wanted = min(self.load.workers, connector.capacity)
        server.refuse(int(wanted), force=plan.force)
        if plan.sql is None:
            bound_questions(connector.sync_engine, connector.backend)
        self.recorder = observe(connector.sync_engine, connector.profile.name)
        server.lists_sessions = seen is not None
        self.moments: list[Moment] = []
        self.waits, self.usages = Tally(), Tally()
        self.most_in_use = self.overflow_used = 0
        self.stopped = ""
        self._seen = seen
        self._every = plan.every or max(TICK, plan.duration / _MOMENTS)
        self._since = time.perf_counter()
        self._waited: list[float] = []
        self._timeouts = 0

    async def _tick_aside(self, aside: Callable[..., Any]) -> None:
        self._look_on(await aside(self.server.look_if_due))

    def _tick(self) -> None:
        self._look_on(self.server.look_if_due())

    def _look_on(self, harm: str) -> None:
        if harm:
            self.stopped = harm
            self.load.stop()
        elapsed = time.perf_counter() - self.load.started
        if math.isfinite(self.plan.duration):
            report(min(elapsed, self.plan.duration), self.plan.duration, "seconds", "measuring")
        self._drain()
        if time.perf_counter() - self._since >= self._every:
            self._note_moment()

    def _drain(self) -> None:
        """Take what the workers have met, which they may add to meanwhile."""
        waits, usages = self.load.waits, self.load.usages
        for _ in range(len(waits)):
            waited, in_use, overflow = waits.popleft()
            self._waited.append(waited)
            self.most_in_use, self.overflow_used = max(self.most_in_use, in_use), max(self.overflow_used, overflow)
        self.usages.extend(usages.popleft() for _ in range(len(usages)))

    def _note_moment(self) -> None:
        """Sum up what there was since the last moment."""
        now = time.perf_counter()
        self.waits.extend(self._waited)
        ordered = sorted(self._waited)
        ranks = [ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else None for share in (0.5, 0.99)]
        gauges = self.recorder.snapshot().gauges
        timeouts = len(self.load.timeouts)
        self.moments.append(
            Moment(
                at=now - self.load.started,
                per_second=len(ordered) / max(1e-9, now - self._since),
                median_wait=ranks[0],
                p99_wait=ranks[1],
                in_use=gauges["in_use"] or 0,
                open=gauges["pool_size"] or 0,
                timeouts=timeouts - self._timeouts,
                server=self.server.latest,
            )
        )
        del self.moments[: -10 * _MOMENTS]
        self._waited, self._since, self._timeouts = [], now, timeouts
        if self._seen:
            self._seen(self)

    def finish(self) -> None:
        """Take what is left when the load is at its end, and the pool still open."""
        self._drain()
        if self._waited:
            self._note_moment()
        for waited, times in self.load.late:
            self.waits.add(waited, times)
        if not is_ended():
            self.server.look()

    def concluded(self) -> Measured:
        """Return all of it, when the load is at its end and its pool is closed."""
        load, counts = self.load, self.recorder.snapshot()
        served = self.waits.count - load.unserved
        run = Run(
            concurrency=load.workers,
            duration_s=round(load.duration, 3),
            checkouts=served,
            checkout=Times.of(self.waits.histogram),
            connections_opened=counts.counters["connections_opened"],
            connect=Times.of(counts.histograms["connect"]),
            most_in_use=self.most_in_use,
            overflow_used=self.overflow_used,
            timeouts=len(load.timeouts),
            work=self.plan.work,
            rate=self.plan.rate,
            per_second=round(served / load.duration, 1) if load.duration else 0.0,
            usage=Times.of(self.usages.histogram),
            connections_closed=counts.counters["connections_closed"],
            recycled=counts.counters["recycled"],
            unserved=load.unserved,
            cut=len(load.cut),
        )
        limits, server = Limits.of(self.connector), self.server
        after = server.after()
        ground = Ground.of(self.connector, server.before)
        usages: Tally | None = self.usages
        if load.cut and self.plan.hold:
            usages = Tally([self.plan.hold])  # for what was cut would have been held for longer than it was
        elif load.cut and run.cut >= served:
            usages = None
        said = verdict(run, ground, self.waits, usages, server.before, after)
        stats = PoolStats(self.connector.profile.name, limits, run, server.before, server.peak, after, said)
        return Measured(stats, self.waits, self.usages, self.moments, self.stopped)
