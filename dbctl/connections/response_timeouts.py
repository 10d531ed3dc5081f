"""How long a server may take to answer what an engine asks of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import InvalidatePoolError

from dbctl.backends.errors import SILENCE
from dbctl.errors import ConnectError
from dbctl.runtime.deadlines import abort_after, connect_until, shut_down_after, time_to_connect
from dbctl.runtime.waits import result_of, started

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from dbctl.backends.base import Backend


_GRACE = 0.3
"""Seconds that a server has beyond the statement timeout to say itself that it is over."""


def bound(engine: Engine, backend: Backend) -> None:
    """Bound the answers to all that an engine asks its server."""
    _bound_connecting(engine, backend)
    if timeout := backend.profile.statement_timeout:
        _bound_statements(engine, backend, timeout + _GRACE)


def _bound_statements(engine: Engine, backend: Backend, seconds: float) -> None:
    """Cut the connections of a new engine on which a statement, a COMMIT or a ROLLBACK is not answered in time."""
    dialect = engine.dialect

    def bounded(call: Callable[..., Any], connection_of: Callable[[Any], Any]) -> Callable[..., Any]:
        def wait(on: Any, *args: Any, **kwargs: Any) -> Any:
            with cut_after(backend, connection_of(on), seconds):
                return call(on, *args, **kwargs)

        return wait

    def of_cursor(cursor: Any) -> Any:
        return cursor._adapt_connection if dialect.is_async else cursor.connection

    def of_proxy(connection: Any) -> Any:
        return getattr(connection, "dbapi_connection", connection)

    for name in ("do_execute", "do_executemany", "do_execute_no_params"):
        vars(dialect)[name] = bounded(getattr(dialect, name), of_cursor)
    for name in ("do_commit", "do_rollback"):
        vars(dialect)[name] = bounded(getattr(dialect, name), of_proxy)


def _bound_connecting(engine: Engine, backend: Backend) -> None:
    """Make a new engine keep to `connect_timeout` in all that SQLAlchemy does before it hands a connection out.

    Drivers have whole seconds, or bounds for each address or each read, or none. Connecting, the first questions to a
    server and the pre-ping are bounded here, each for itself; but a pre-ping without an answer takes one half of the
    time, after which no idle connection is trusted any more, and the connect that follows the other half.
    """
    dialect, seconds = engine.dialect, backend.profile.connect_timeout
    connect, initialize, ping = dialect.connect, dialect.initialize, dialect.do_ping

    def bounded_connect(*args: Any, **kwargs: Any) -> Any:
        connecting = started(lambda: connect(*args, **kwargs), lambda connection: connection.close())
        allowed = time_to_connect(seconds)
        try:
            return result_of(connecting, allowed)
        except TimeoutError as error:
            # The driver's own class, which SQLAlchemy wraps as it does whatever a driver raises.
            raise dialect.loaded_dbapi.OperationalError(f"no answer within {allowed:g} s") from error

    def timed_connect(*args: Any, **kwargs: Any) -> Any:
        try:
            # An async driver's connect is bounded by the backend's `opening`.
            return (connect if dialect.is_async else bounded_connect)(*args, **kwargs)
        finally:
            connect_until(0.0)  # what a pre-ping has left of its time is for the one connect that follows it

    def bounded_initialize(connection: Connection) -> None:
        with answering(backend, connection.connection.dbapi_connection, seconds):
            initialize(connection)

    def bounded_ping(connection: Any) -> bool:
        end = time.monotonic() + seconds
        try:
            with answering(backend, connection, seconds / 2):
                return ping(connection)
        except ConnectError as error:
            connect_until(end)
            raise InvalidatePoolError from error

    vars(dialect).update(connect=timed_connect, initialize=bounded_initialize, do_ping=bounded_ping)


class cut_after:  # not a generator, since each statement or pre-ping pays for it
    """Cut a connection where the server does not answer what the block asks in time; a file is not bounded.

    Whatever the driver raises then passes through, with a note for the backend how long the server was waited for.

    Args:
        backend: The connection's backend.
        connection: The driver's own connection, or SQLAlchemy's adapter of an async one.
        seconds: How long the block may take.
    """

    def __init__(self, backend: Backend, connection: Any, seconds: float) -> None:
        self._name = backend.profile.name
        self._seconds = seconds
        driver_connection = getattr(connection, "driver_connection", connection)
        self._bound: AbstractContextManager[None] = nullcontext()
        if transport := getattr(driver_connection, "_transport", None):
            self._bound = abort_after(seconds, transport)
        elif backend.needs_host:
            self._bound = shut_down_after(seconds, backend.descriptor(driver_connection))

    def __enter__(self) -> None:
        self._end = time.monotonic() + self._seconds
        self._bound.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bound.__exit__(None, None, None)
        if isinstance(error, Exception) and time.monotonic() >= self._end:
            self._tell(error, f"no answer within {self._seconds:g} s")

    def _tell(self, error: Exception, reason: str) -> None:
        vars(error)[SILENCE] = reason


class answering(cut_after):
    """The same, of what is no unit of work's: a pre-ping, or a question of dbctl's own.

    Raises:
        ConnectError: It took longer.
    """

    def _tell(self, error: Exception, reason: str) -> None:
        raise ConnectError(f"profile {self._name}: SELECT 1 failed: {reason}", "SELECT 1", transient=True) from error
