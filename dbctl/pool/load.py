"""A load on a connection pool: threads or tasks that check connections out, use them, and give them back.

SQLAlchemy is imported where it is used, so that reading a command's help loads none of it.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Any

from dbctl.backends.scripts import sql_text
from dbctl.connections.connector import Connector
from dbctl.connections.watching import is_ended
from dbctl.errors import CheckFailed, UsageError, WorkRefused
from dbctl.pool.arrivals import Arrivals
from dbctl.pool.figures import Plan

TICK = 0.1
"""Seconds between two looks at how far the load has come, and for which is slept at a stretch."""

_READS = "dbctl_reads"
"""What a pooled connection's `info` has when it was told to read only."""


_MOST_LEFT = 100_000
"""So many requests that nobody took are counted one by one."""

_PARTS = 1000
"""Into so many parts of the same length the time is cut in which the others came."""


class Load:
    """The workers, and what they meet, which whoever ticks takes away.

    Args:
        connector: Whose pool.
        plan: How it is loaded.
        tick: Called every `TICK` seconds meanwhile, in the thread that runs it; in an event loop, a coroutine function.

    Attributes:
        waits: Seconds that each waited for its connection, how many were in use then, and how many of them overflow.
        usages: Seconds for which each was held.
        timeouts: An entry for each that got none in the pool's time.
        unserved: How many had none yet when the time was over; their waits until then are among `waits`.
        late: Waits of such as are among those too, and not among `waits`: seconds, and how many of them.
        duration: Seconds that it took.

    Raises:
        UsageError: The plan's `sql` is not one statement.
        WorkRefused: It might write.
    """

    def __init__(self, connector: Connector[Any], plan: Plan, tick: Callable[[], Any]) -> None:
        self.engine = connector.sync_engine
        self.workers = plan.workers(connector)
        self.waits: deque[tuple[float, int, int]] = deque()
        self.usages: deque[float] = deque()
        self.timeouts: deque[float] = deque()
        self.unserved = 0
        self.late: list[tuple[float, int]] = []
        self.duration = 0.0
        self.started = self.until = self._end = 0.0
        self._backend = connector.backend
        self._plan = plan
        self._tick = tick
        self._arrivals: Arrivals | None = None
        self._sleep: Callable[[float], object] = time.sleep
        self._use = self._chosen_use()
        # A pool that keeps no count, as SQLite's in memory, has one connection, and this worker has it.
        pool: Any = self.engine.pool
        self._in_use: Callable[[], int] = getattr(pool, "checkedout", lambda: 1)
        self._overflow: Callable[[], int] = getattr(pool, "overflow", lambda: 0)

    def run_threads(self) -> None:
        """Run it to its end, with threads."""
        self._warm()
        with self._timed(), ThreadPoolExecutor(self.workers) as executor:
            try:
                # Each sees the context of this thread: whoever ends this work ends what its connections wait for.
                workers = self._started(executor)
                while wait(workers, TICK, FIRST_EXCEPTION).not_done and time.perf_counter() < self.until:
                    self._tick()
                    self._stop_if_ended()
                for worker in workers:
                    worker.result()
            finally:
                self.until = 0  # an interrupt, which only this thread gets, stops the workers

    async def run_tasks(self) -> None:
        """Run it to its end, with tasks of the running event loop."""
        import asyncio

        from sqlalchemy.util import await_only, greenlet_spawn

        over = asyncio.Event()

        async def tick() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), TICK)
                await self._tick()
                self._stop_if_ended()

        self._sleep = lambda seconds: await_only(asyncio.sleep(seconds))
        await greenlet_spawn(self._warm)
        with self._timed():
            ticking = asyncio.ensure_future(tick())
            try:
                ticking.add_done_callback(lambda _: self.stop())  # what ticks may fail, and says why below
                await asyncio.gather(*(greenlet_spawn(self._work) for _ in range(self.workers)))
            finally:
                over.set()
                await ticking  # it may be asking the server, by a connection that nobody else may use meanwhile

    def _started(self, executor: ThreadPoolExecutor) -> list[Future[None]]:
        workers: list[Future[None]] = []
        try:
            for _ in range(self.workers):
                workers.append(executor.submit(copy_context().run, self._work))
        except RuntimeError as error:
            raise CheckFailed(
                f"the system lets this process start {len(workers)} of {self.workers} threads: {error}",
                hint="lower --concurrency, or say --driver async",
            ) from error
        return workers

    def stop(self) -> None:
        """Let no more requests come."""
        self._end = min(self._end, time.perf_counter())
        self.until = 0

    def _warm(self) -> None:
        """Open what a service's pool would have open before requests come at a rate, and the one of a StaticPool.

        That makes several of it where threads ask for the first at once.
        """
        has_size = hasattr(self.engine.pool, "size")
        if self._plan.rate is None and has_size:
            return
        size = self.engine.pool.size() if has_size else 1  # type: ignore[attr-defined]
        taken: list[Any] = []
        try:
            taken.extend(self.engine.raw_connection() for _ in range(min(size, self.workers)))
        finally:
            for each in taken:
                each.close()

    def _stop_if_ended(self) -> None:
        if is_ended():
            self.stop()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        self.started = time.perf_counter()
        self.until = self._end = self.started + self._plan.duration
        if self._plan.rate is not None:
            self._arrivals = Arrivals(self._plan.rate, self.started)
        yield
        self.duration = time.perf_counter() - self.started
        if self._arrivals:
            self._leave_the_rest(self._arrivals)

    def _leave_the_rest(self, arrivals: Arrivals) -> None:
        """Count those that came and that nobody took: each of some, and of what is beyond those as many as come."""
        most = self.unserved + _MOST_LEFT
        while self._leave(due := arrivals.take()):
            if self.unserved >= most:
                late = self._end - due
                times = round(late * (self._plan.rate or 0) / _PARTS)
                self.late = [(late * (part + 0.5) / _PARTS, times) for part in range(_PARTS)]
                self.unserved += times * _PARTS
                return

    def _leave(self, due: float) -> bool:
        """Count a request that came, and that no worker was free for until the end; tell whether it came before that.

        How long it waited until then is the least that it would have waited.
        """
        if due >= self._end:
            return False
        self.unserved += 1
        self.waits.append((self._end - due, 0, 0))
        return True

    def _work(self) -> None:
        try:
            while (since := self._next_request()) is not None:
                self._request(since)
        except BaseException as error:
            self.until = 0  # where one worker fails the others stop too
            if not (isinstance(error, Exception) and is_ended()):  # which ends what runs at the server, too
                raise

    def _next_request(self) -> float | None:
        """Wait until a request comes, and return since when it waits; None where no more is to be served.

        A worker that was free before it came is late only by how long it took to wake up, and that is not the pool's.
        """
        if self._arrivals is None:
            now = time.perf_counter()
            return now if now < self.until else None
        due = since = self._arrivals.take()
        while (now := time.perf_counter()) < min(due, self.until):
            self._sleep(max(0.0, min(due - now, self.until - now, TICK)))
            since = time.perf_counter()
        if due < self.until and (now < self.until or since != due):
            return since
        self._leave(due)
        return None

    def _request(self, since: float) -> None:
        from sqlalchemy.exc import TimeoutError as PoolTimeout

        try:
            connection = self.engine.raw_connection() if self._plan.sql is None else self.engine.connect()
        except PoolTimeout:
            self.timeouts.append(since)
            return
        got = time.perf_counter()
        try:
            self.waits.append((got - since, self._in_use(), self._overflow()))
            self._use(connection)
        finally:
            connection.close()
            self.usages.append(time.perf_counter() - got)

    def _chosen_use(self) -> Callable[[Any], None]:
        if self._plan.sql is not None:
            # Some drivers send several at once, and the second may write when the first has ended the transaction.
            if (number := len(self._backend.statements(self._plan.sql))) != 1:
                raise UsageError(f"--sql takes one statement, and these are {number}", "give the one to be measured")
            self._backend.refuse_writing(self._plan.sql)
            return self._run_sql
        return self._ping if self._plan.hold is None else self._hold

    def _ping(self, connection: Any) -> None:
        from dbctl.connections.response_timeouts import answering

        with answering(self._backend, connection.driver_connection, self._backend.profile.connect_timeout):
            cursor = connection.cursor()
            cursor.execute(self._backend.ping_statement)
            cursor.fetchall()
            cursor.close()

    def _hold(self, _connection: Any) -> None:
        end = time.perf_counter() + (self._plan.hold or 0.0)
        while (left := end - time.perf_counter()) > 0 and not is_ended():
            self._sleep(min(left, TICK))

    def _run_sql(self, connection: Any) -> None:
        """Run the statement so that it can't write; a server that falls silent is not waited for much longer."""
        from dbctl.connections.response_timeouts import cut_after

        profile = self._backend.profile
        patience = profile.statement_timeout or max(
            profile.connect_timeout, self._plan.duration if math.isfinite(self._plan.duration) else 0.0
        )
        with cut_after(self._backend, connection.connection.driver_connection, patience):
            if _READS not in connection.info:
                self._backend.keep_from_writing(connection)
                connection.info[_READS] = True
            self._backend.begin_strictly(connection, writes=False)
            result = connection.execution_options(no_parameters=True).exec_driver_sql(self._plan.sql)
            if result.returns_rows:
                result.fetchall()
            if not self._backend.is_read_only(connection):
                raise WorkRefused(f"the transaction reads only, and this ends that: {sql_text(self._plan.work)}")
