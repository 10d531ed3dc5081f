"""A load on a connection pool: threads or tasks that check connections out, use them, and give them back.

SQLAlchemy is imported where it is used, so that reading a command's help loads none of it.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Any

from dbctl.connections.connector import Connector
from dbctl.connections.watching import is_ended
from dbctl.errors import CheckFailed
from dbctl.pool.arrivals import Arrivals
from dbctl.pool.figures import Plan
from dbctl.pool.work import SLICE, Work

TICK = 0.1
"""Seconds between two looks at how far the load has come."""

_TO_FINISH = 0.5
"""Seconds that what is done with a connection may take when the time is over; then it is ended."""

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
        usages: Seconds for which each was held; of a statement that was cut nobody knows how long it takes.
        timeouts: An entry for each that got none in the pool's time.
        cut: An entry for each whose work was ended with the load.
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
        self.cut: deque[float] = deque()
        self.late: list[tuple[float, int]] = []
        self.duration = 0.0
        self.started = self.until = self._end = 0.0
        self._plan = plan
        self._tick = tick
        self._arrivals: Arrivals | None = None
        self._left: deque[float] = deque()
        self._work = Work(plan, connector.backend)
        # A pool that keeps no count, as SQLite's in memory, has one connection, and this worker has it.
        pool: Any = self.engine.pool
        self._in_use: Callable[[], int] = getattr(pool, "checkedout", lambda: 1)
        self._overflow: Callable[[], int] = getattr(pool, "overflow", lambda: 0)

    @property
    def unserved(self) -> int:
        """How many had no connection when the time was over; their waits until then are among `waits`, or `late`."""
        return len(self._left) + sum(times for _, times in self.late)

    def run_threads(self) -> None:
        """Run it to its end, with threads."""
        self._warm()
        with self._timed(), ThreadPoolExecutor(self.workers) as executor:
            try:
                # Each sees the context of this thread: whoever ends this work ends what its connections wait for.
                workers = self._started(executor)
                while wait(workers, TICK, ALL_COMPLETED if self._is_over else FIRST_EXCEPTION).not_done:
                    if not self._is_over:
                        self._tick()
                    self._end_if_over()
                for worker in workers:
                    worker.result()
            finally:
                self.stop()  # an interrupt, which only this thread gets, stops the workers
                self._work.end()

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
                self._end_if_over()

        self._work.sleep = lambda seconds: await_only(asyncio.sleep(seconds))
        await greenlet_spawn(self._warm)
        with self._timed():
            ticking = asyncio.ensure_future(tick())
            workers = [asyncio.ensure_future(greenlet_spawn(self._serve)) for _ in range(self.workers)]
            try:
                ticking.add_done_callback(lambda _: self.stop())  # what ticks may fail, and says why below
                await asyncio.gather(*workers)
            finally:
                self.stop()
                self._work.end()
                await asyncio.wait(workers)  # each has its connection until it has ended
                over.set()
                await ticking  # it may be asking the server, by a connection that nobody else may use meanwhile

    def _started(self, executor: ThreadPoolExecutor) -> list[Future[None]]:
        workers: list[Future[None]] = []
        try:
            for _ in range(self.workers):
                workers.append(executor.submit(copy_context().run, self._serve))
        except RuntimeError as error:
            raise CheckFailed(
                f"the system lets this process start {len(workers)} of {self.workers} threads: {error}",
                hint="lower --concurrency, or say --driver async",
            ) from error
        return workers

    @property
    def _is_over(self) -> bool:
        return time.perf_counter() >= self.until

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

    def _end_if_over(self) -> None:
        if is_ended():
            self.stop()
        if time.perf_counter() > self._end + _TO_FINISH:
            self._work.end()

    @contextmanager
    def _timed(self) -> Iterator[None]:
        self.started = time.perf_counter()
        self.until = self._end = self.started + self._plan.duration
        self._work.ends = self._end + _TO_FINISH
        if self._plan.rate is not None:
            self._arrivals = Arrivals(self._plan.rate, self.started)
        yield
        self.duration = time.perf_counter() - self.started
        if self._arrivals:
            self._leave_the_rest(self._arrivals)

    def _leave_the_rest(self, arrivals: Arrivals) -> None:
        """Count those that came and that nobody took: each of some, and of what is beyond those as many as come."""
        most = len(self._left) + _MOST_LEFT
        while self._leave(due := arrivals.take()):
            if len(self._left) >= most:
                late = self._end - due
                times = round(late * (self._plan.rate or 0) / _PARTS)
                self.late = [(late * (part + 0.5) / _PARTS, times) for part in range(_PARTS)]
                return

    def _leave(self, due: float) -> bool:
        """Count a request that came, and that no worker was free for until the end; tell whether it came before that.

        How long it waited until then is the least that it would have waited.
        """
        if due >= self._end:
            return False
        self._left.append(due)
        self.waits.append((self._end - due, 0, 0))
        return True

    def _serve(self) -> None:
        try:
            while (since := self._next_request()) is not None:
                self._request(since)
        except BaseException as error:
            self.stop()  # where one worker fails the others stop too
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
            self._work.sleep(max(0.0, min(due - now, self.until - now, SLICE)))
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
        got, done = time.perf_counter(), False
        try:
            self.waits.append((got - since, self._in_use(), self._overflow()))
            done = self._work.do(connection)
            if not done:
                self.cut.append(since)
        finally:
            connection.close()
            if done or self._plan.sql is None:
                self.usages.append(time.perf_counter() - got)
