"""How long a statement may take, and saying of one that took longer which of the profile's keys says so."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy.util import await_only

from dbctl.backends.origins import driver_error, note_statement_timeout
from dbctl.connections.response_timeouts import bound_each, bound_ends, cut_after
from dbctl.runtime.deadlines import call_after
from dbctl.runtime.waits import is_done, started

if TYPE_CHECKING:
    from concurrent.futures import Future

    from sqlalchemy import Dialect, Engine

    from dbctl.backends.base import Backend

_GRACE = 0.3
"""Seconds that a server has beyond the statement timeout to say itself that it is over."""

_TO_STOP = 1.0
"""Seconds that it may take beyond that to have a server end a statement, by a connection of its own."""

_ROUNDED = 0.001
"""Seconds by which a server's own limit may be shorter, which it has in milliseconds."""

_log = logging.getLogger("dbctl")


def bound_statements(engine: Engine, backend: Backend) -> None:
    """Cut the connections of a new engine on which a statement, a COMMIT or a ROLLBACK is not answered in time.

    A statement that its server does not end by itself is ended there first. What can't be a listener's, since
    SQLAlchemy has no such event, stands on the engine's own dialect.
    """
    if not backend.profile.statement_timeout:
        return
    dialect, seconds = engine.dialect, backend.profile.statement_timeout
    bound_each(engine, lambda connection: _statement_bound(backend, dialect, connection, seconds))
    bound_ends(engine, backend, seconds + _GRACE)


def _statement_bound(backend: Backend, dialect: Dialect, connection: Any, seconds: float) -> cut_after:
    stop = backend.stopper(getattr(connection, "driver_connection", connection))
    if stop is None:
        return ended_after(backend, connection, seconds)
    return _stopped_after(backend, dialect, connection, seconds, stop)


def tell_if_over(backend: Backend, error: Exception, took: float) -> None:
    """Note with the error of a statement that took too long that the profile says so, where that is what ended it.

    Whose limit it was no server tells: what was ended sooner than the profile's had another.

    Args:
        backend: The connection's backend.
        error: The error, of whatever kind.
        took: How many seconds the statement took.
    """
    seconds, original = backend.profile.statement_timeout, driver_error(error)
    meaning = backend.meaning(original)
    if seconds and meaning and meaning.statement and took >= seconds - _ROUNDED:
        note_statement_timeout(original, seconds, backend.error_text(original))


@contextmanager
def timed(backend: Backend) -> Iterator[None]:
    """Look at a statement that a driver runs past SQLAlchemy in the block as `tell_if_over` does at its error."""
    began = time.monotonic()
    try:
        yield
    except Exception as error:
        tell_if_over(backend, error, time.monotonic() - began)
        raise


class ended_after(cut_after):
    """Cut a connection whose server does not end a statement in its time, and have the error say so where it does.

    Args:
        backend: The connection's backend.
        connection: The driver's own connection, or SQLAlchemy's adapter of an async one.
        seconds: The profile's `statement_timeout`.
    """

    def __init__(self, backend: Backend, connection: Any, seconds: float) -> None:
        super().__init__(backend, connection, seconds + _GRACE)

    def _failed(self, error: Exception) -> None:
        super()._failed(error)
        tell_if_over(self._backend, error, time.monotonic() - self._end + self._seconds)


class _stopped_after(cut_after):
    """Have a server end a statement that takes longer, and cut the connection where it does not.

    The block is left when the server has been told, which would else end what is asked next.

    Raises:
        OperationalError: The driver's: it took longer.
    """

    def __init__(
        self, backend: Backend, dialect: Dialect, connection: Any, seconds: float, stop: Callable[[], object]
    ) -> None:
        super().__init__(backend, connection, seconds + _GRACE + _TO_STOP)
        self._dialect = dialect
        self._stop = stop
        self._seconds_of_profile = seconds
        self._stopping: Future[object] | None = None
        self._call = call_after(seconds, self._begin_to_stop)

    def _begin_to_stop(self) -> None:
        with suppress(RuntimeError):  # there is no thread to be had; the connection is cut soon
            self._stopping = started(self._stop)

    def __enter__(self) -> None:
        super().__enter__()
        self._call.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._call.__exit__(None, None, None)
        if self._stopping:
            self._wait(self._stopping)
        super().__exit__(kind, error, at)
        if not self._stopping or not (error is None or isinstance(error, Exception)):
            return
        if problem := self._stopping.exception():
            _log.debug("%s: a statement could not be ended at its server: %s", self._backend.profile.called, problem)
        elif says := self._backend.overrun(error):
            over: Exception = self._dialect.loaded_dbapi.OperationalError(*says)
            note_statement_timeout(over, self._seconds_of_profile, self._backend.error_text(over))
            raise over from error

    def _wait(self, stopping: Future[object]) -> None:
        if self._dialect.is_async:
            import asyncio

            await_only(asyncio.gather(asyncio.wrap_future(stopping), return_exceptions=True))
        else:
            is_done(stopping)
