"""What is done with each connection that a load has checked out, and how that is ended with the load."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any

from dbctl.backends.base import Backend
from dbctl.backends.scripts import sql_text
from dbctl.connections.watching import is_ended
from dbctl.errors import UsageError, WorkRefused
from dbctl.pool.figures import Plan
from dbctl.runtime.waits import is_done, started

SLICE = 0.1
"""Seconds for which is slept at a stretch: so late it is seen that all is over."""

_READS = "dbctl_reads"
"""What a pooled connection's `info` has when it was told to read only."""

_AGAIN = 0.5
"""Seconds after which a server is told once more to end what runs still."""

_AT_ONCE = 4
"""How many statements are ended at a time: each by a further connection, and more than that are left to others."""

_CANCEL = "dbctl_cancel"
"""What a pooled connection's `info` has: what has the server end its statement."""


class Work:
    """Holds a connection, or runs a statement on it.

    Args:
        plan: What is to be done.
        backend: Whose connections they are.

    Attributes:
        over: Whether what is under way is to be ended, and nothing more begun.
        sleep: Waits for so many seconds.
        ends: When, by `time.perf_counter`, what is still under way will be ended; infinity where nobody knows.

    Raises:
        UsageError: The plan's `sql` is not one statement.
        WorkRefused: It might write.
    """

    def __init__(self, plan: Plan, backend: Backend) -> None:
        self.over = False
        self.ends = math.inf
        self.sleep: Callable[[float], object] = time.sleep
        self._plan = plan
        self._backend = backend
        self._lock = threading.Lock()
        self._running: dict[object, Callable[[], Any]] = {}
        self._cancelling: dict[object, list[Future[Any]]] = {}
        self._cancel_at = 0.0
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self.do = self._chosen()

    do: Callable[[Any], bool]
    """Does it with a connection, and tells whether to its end."""

    def end(self) -> None:
        """End what is under way, and what still is when this is called again: what runs at a server is ended there.

        It may be told of a statement that has not reached it yet, as one that waits for its turn at a pooler.
        """
        self.over = True
        if time.monotonic() < self._cancel_at:
            return
        self._cancel_at = time.monotonic() + _AGAIN
        with self._lock:
            for key in self._running:
                told = self._cancelling.setdefault(key, [])
                if not told or told[-1].done():
                    told.append(started(partial(self._cancel, key)))

    def _cancel(self, key: object) -> None:
        """End one when it is its turn, if it runs still."""
        with self._turns:
            if cancel := self._running.get(key):
                cancel()

    def _chosen(self) -> Callable[[Any], bool]:
        if self._plan.sql is not None:
            # Some drivers send several at once, and the second may write when the first has ended the transaction.
            if (number := len(self._backend.statements(self._plan.sql))) != 1:
                raise UsageError(f"--sql takes one statement, and these are {number}", "give the one to be measured")
            self._backend.refuse_writing(self._plan.sql)
            return self._run_sql
        return self._ping if self._plan.hold is None else self._hold

    def _ping(self, connection: Any) -> bool:
        from dbctl.connections.response_timeouts import answering

        with answering(self._backend, connection.driver_connection, self._backend.profile.connect_timeout):
            cursor = connection.cursor()
            cursor.execute(self._backend.ping_statement)
            cursor.fetchall()
            cursor.close()
        return True

    def _hold(self, _connection: Any) -> bool:
        end = time.perf_counter() + (self._plan.hold or 0.0)
        while (left := end - time.perf_counter()) > 0:
            if self.over or is_ended():
                return False
            self.sleep(min(left, SLICE))
        return True

    def _run_sql(self, connection: Any) -> bool:
        """Run the statement so that it can't write; a server that falls silent is not waited for much longer."""
        from dbctl.connections.response_timeouts import cut_after

        with self._cancelled_at_end(connection) as cut:
            if self.over:
                return False
            with cut_after(self._backend, connection.connection.driver_connection, self._patience()):
                if _READS not in connection.info:
                    self._backend.keep_from_writing(connection)
                    connection.info[_READS] = True
                self._backend.begin_strictly(connection, writes=False)
                result = connection.execution_options(no_parameters=True).exec_driver_sql(self._plan.sql)
                if result.returns_rows:
                    result.fetchall()
                if not self._backend.is_read_only(connection):
                    raise WorkRefused(f"the transaction reads only, and this ends that: {sql_text(self._plan.work)}")
        return not cut

    def _patience(self) -> float:
        """Return the seconds that a server may be silent: until it is told to end the statement, and has to answer."""
        profile, left = self._backend.profile, self.ends - time.perf_counter()
        return profile.connect_timeout + (max(0.0, left) if math.isfinite(left) else profile.statement_timeout or 0.0)

    @contextmanager
    def _cancelled_at_end(self, connection: Any) -> Iterator[list[Any]]:
        """Have what the block runs ended by `end`, of which the error is no error; what is yielded is not empty then.

        The block is left when the server has been told, or it would end what is asked next.
        """
        cut: list[Any] = []
        key, is_async = object(), connection.dialect.is_async
        cancel = self._task_canceller(connection) if is_async else self._canceller(connection)
        with self._lock:
            self._running[key] = cancel
        error: BaseException | None = None
        try:
            yield cut
        except BaseException as raised:
            error = raised
        with self._lock:
            del self._running[key]
            cut += self._cancelling.pop(key, [])
        if error is not None and not (cut and _is_of_a_cancel(error, is_async=is_async)):
            raise error
        if cut:
            _wait(cut, is_async=is_async)

    def _canceller(self, connection: Any) -> Callable[[], Any]:
        if _CANCEL not in connection.info:
            connection.info[_CANCEL] = self._backend.canceller(connection.connection.driver_connection)
        return connection.info[_CANCEL]  # type: ignore[no-any-return]

    def _task_canceller(self, connection: Any) -> Callable[[], Any]:
        """Return what has the server end a statement, or where the driver does that ends the task that waits for it."""
        import asyncio

        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None, "a load's tasks are"
        at_server = self._backend.task_canceller(connection.connection.driver_connection)
        return at_server or (lambda: loop.call_soon_threadsafe(task.cancel))


def _is_of_a_cancel(error: BaseException, *, is_async: bool) -> bool:
    """Tell whether an error is what becomes of what was cancelled; a task that was goes on."""
    import asyncio

    if is_async and isinstance(error, asyncio.CancelledError) and (task := asyncio.current_task()):
        task.uncancel()
        return True
    return isinstance(error, Exception) and not isinstance(error, WorkRefused)


def _wait(told: Sequence[Future[Any]], *, is_async: bool) -> None:
    import asyncio

    from sqlalchemy.util import await_only

    if is_async:
        await_only(asyncio.gather(*map(asyncio.wrap_future, told), return_exceptions=True))
    else:
        for each in told:
            is_done(each)
