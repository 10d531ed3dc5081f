"""How long a server may take to answer what an engine asks of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError

from dbctl.backends.origins import SILENCE
from dbctl.errors import ConnectError
from dbctl.runtime.deadlines import abort_after, connect_until, shut_down_after

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Engine
    from sqlalchemy.pool import PoolResetState

    from dbctl.backends.base import Backend


_GRACE = 0.3
"""Seconds that a server has beyond the statement timeout to say itself that it is over."""

_RESET = "dbctl_reset"
"""What a pool's record has in its `info` while the pool takes its connection back: what cuts it."""

_TO_TAKE_LEAVE = 0.5
"""Seconds that a server has to close a connection from its side too."""


def bound_statements(engine: Engine, backend: Backend) -> None:
    """Cut the connections of a new engine on which a statement, a COMMIT or a ROLLBACK is not answered in time.

    What can't be a listener's, since SQLAlchemy has no such event, stands on the engine's own dialect.
    """
    if not backend.profile.statement_timeout:
        return
    dialect, seconds = engine.dialect, backend.profile.statement_timeout + _GRACE

    def bound_event(name: str) -> None:
        execute: Callable[..., Any] = getattr(dialect, name)

        def listen(cursor: Any, *arguments: Any) -> bool:
            context = arguments[-1]
            with cut_after(backend, context.root_connection.connection.dbapi_connection, seconds):
                # SQLAlchemy calls no listener after one that has executed.
                if not any(each(cursor, *arguments) for each in listeners_after(listen, dialect, name)):
                    execute(cursor, *arguments)
            return True

        event.listen(engine, name, listen)

    def bound_method(name: str) -> None:
        end: Callable[[Any], None] = getattr(dialect, name)

        def end_in_time(connection: Any) -> None:
            with cut_after(backend, getattr(connection, "dbapi_connection", connection), seconds):
                end(connection)

        vars(dialect)[name] = end_in_time

    for name in ("do_execute", "do_executemany", "do_execute_no_params"):
        bound_event(name)
    for name in ("do_commit", "do_rollback"):
        bound_method(name)


def bound_pings(engine: Engine, backend: Backend) -> None:
    """Give up a pre-ping without an answer after half of `connect_timeout`, of which the next connect has the rest.

    No idle connection is trusted any more then. SQLAlchemy has no event for it: it stands on the engine's own dialect.
    """
    dialect, seconds = engine.dialect, backend.profile.connect_timeout
    ping = dialect.do_ping

    def ping_in_time(connection: Any) -> bool:
        end = time.monotonic() + seconds
        try:
            with answering(backend, connection, seconds / 2):
                return ping(connection)
        except ConnectError as error:
            connect_until(end)
            raise InvalidatePoolError from error

    vars(dialect)["do_ping"] = ping_in_time


def bound_resets(engine: Engine, backend: Backend) -> None:
    """Cut a connection of a new engine that its pool takes back, where the pool's ROLLBACK is not answered in time."""

    @event.listens_for(engine, "reset")
    def begin(connection: Any, record: Any, state: PoolResetState) -> None:
        if record is not None and state.asyncio_safe and not state.transaction_was_reset:
            limit = time_limit(backend, connection, backend.profile.connect_timeout)
            limit.__enter__()
            record.info[_RESET] = limit

    @event.listens_for(engine, "checkin")
    def end(_connection: Any, record: Any) -> None:
        if limit := record.info.pop(_RESET, None):
            limit.__exit__(None, None, None)


def bound_closing(engine: Engine, backend: Backend) -> None:
    """Have a new engine not wait for a server that does not take leave: an async driver's close would, for ever."""

    @event.listens_for(engine, "close")
    def close_soon(connection: Any, _record: Any) -> None:
        if transport := backend.transport(getattr(connection, "driver_connection", connection)):
            abort_after(_TO_TAKE_LEAVE, transport).__enter__()


def listeners_after(own: Callable[..., Any], dialect: Dialect, name: str) -> Sequence[Callable[..., Any]]:
    """Return the listeners to a dialect's event that were added after one of dbctl's own, such as a service's."""
    listeners = list(getattr(dialect.dispatch, name))
    return listeners[listeners.index(own) + 1 :]


def time_limit(backend: Backend, connection: Any, seconds: float) -> AbstractContextManager[None]:
    """Return what cuts a connection where the block takes longer; a file is not bounded."""
    driver_connection = getattr(connection, "driver_connection", connection)
    if transport := backend.transport(driver_connection):
        return abort_after(seconds, transport)
    if backend.needs_host:
        return shut_down_after(seconds, backend.descriptor(driver_connection))
    return nullcontext()


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
        self._bound = time_limit(backend, connection, seconds)

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
