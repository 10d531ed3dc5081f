"""How long a server may take to answer what an engine asks of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError

from dbctl.backends.origins import SILENCE, driver_error
from dbctl.errors import ConnectError
from dbctl.runtime.deadlines import abort_after, connect_until, shut_down_after, shut_down_used_after

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Engine, PoolResetState

    from dbctl.backends.base import Backend

_TO_TAKE_LEAVE = 0.5
"""Seconds that a server has to close a connection from its side too."""


def bound_questions(engine: Engine, backend: Backend) -> None:
    """Cut the connections of a new engine on which a short question of dbctl's own has no answer in `connect_timeout`.

    That bounds all but a file's; what is asked by raw cursors `answering` bounds.
    """
    seconds = backend.profile.connect_timeout
    bound_each(engine, lambda connection: cut_after(backend, connection, seconds))
    bound_ends(engine, backend, seconds)


def bound_each(engine: Engine, bound: Callable[[Any], AbstractContextManager[None]]) -> None:
    """Have each statement of a new engine run in what is returned for its connection."""
    dialect = engine.dialect

    def bound_event(name: str) -> None:
        execute: Callable[..., Any] = getattr(dialect, name)

        def listen(cursor: Any, *arguments: Any) -> bool:
            with bound(arguments[-1].root_connection.connection.dbapi_connection):
                # SQLAlchemy calls no listener after one that has executed.
                if not any(each(cursor, *arguments) for each in listeners_after(listen, dialect, name)):
                    execute(cursor, *arguments)
            return True

        event.listen(engine, name, listen)

    for name in ("do_execute", "do_executemany", "do_execute_no_params"):
        bound_event(name)


def bound_ends(engine: Engine, backend: Backend, seconds: float) -> None:
    """Cut the connections of a new engine on which a COMMIT or a ROLLBACK takes longer."""
    dialect = engine.dialect

    def bound_method(name: str) -> None:
        end: Callable[[Any], None] = getattr(dialect, name)

        def end_in_time(connection: Any) -> None:
            with cut_after(backend, getattr(connection, "dbapi_connection", connection), seconds):
                end(connection)

        vars(dialect)[name] = end_in_time

    for name in ("do_commit", "do_rollback"):
        bound_method(name)


def bound_pings(engine: Engine, backend: Backend) -> None:
    """Give up a pre-ping without an answer after half of `connect_timeout`, of which the next connect has the rest.

    No idle connection is trusted any more then. SQLAlchemy has no event for it: it stands on the engine's own dialect.
    """
    dialect, seconds, chooses = engine.dialect, backend.profile.connect_timeout, backend.chooses
    ping, half, is_async = dialect.do_ping, seconds / 2, dialect.is_async

    def ping_in_time(connection: Any) -> bool:
        limit: AbstractContextManager[None] = (
            time_limit(backend, connection, half)
            if is_async
            else shut_down_used_after(half, partial(backend.descriptor, connection))
        )
        began = time.monotonic()
        limit.__enter__()  # each checkout pays for it, and less so than for a block
        try:
            # One that is not what the profile wants any more, after a fail-over, is replaced like one that is lost.
            return ping(connection) and not (chooses and backend.unfit(connection))
        except Exception as error:
            if isinstance(error, ConnectError):
                reason: Exception = error
            elif time.monotonic() >= began + half:
                reason = unanswered(backend, half)
            else:
                raise
            connect_until(began + seconds)
            raise InvalidatePoolError from reason
        finally:
            limit.__exit__(None, None, None)

    vars(dialect)["do_ping"] = ping_in_time


def bound_resets(engine: Engine, backend: Backend) -> None:
    """Roll back in `connect_timeout` what a new engine's pool takes back, which does not do so by itself.

    https://docs.sqlalchemy.org/en/20/core/pooling.html#custom-reset-on-return-schemes
    """
    seconds = backend.profile.connect_timeout

    @event.listens_for(engine, "reset")
    def roll_back(connection: Any, _record: Any, state: PoolResetState) -> None:
        if state.transaction_was_reset or not state.asyncio_safe:
            return
        driver_connection = getattr(connection, "driver_connection", connection)
        if backend.asks_to_roll_back(driver_connection):
            with time_limit(backend, connection, seconds):
                engine.dialect.do_rollback(connection)


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


def time_limit(
    backend: Backend, connection: Any, seconds: float, *, closed_too: bool = False
) -> AbstractContextManager[None]:
    """Return what cuts a connection where the block takes longer; a file is not bounded.

    Args:
        backend: The connection's backend.
        connection: The driver's own connection, or SQLAlchemy's adapter of an async one.
        seconds: How long the block may take.
        closed_too: Whether it is cut even where the driver has closed it in the block; to see to that costs more.
    """
    driver_connection = getattr(connection, "driver_connection", connection)
    if transport := backend.transport(driver_connection):
        return abort_after(seconds, transport)
    if not backend.needs_host:
        return nullcontext()
    if not closed_too:
        return shut_down_used_after(seconds, partial(backend.descriptor, driver_connection))
    descriptor = backend.descriptor(driver_connection)
    # Of a connection that is closed already the driver says so at once.
    return shut_down_after(seconds, descriptor) if descriptor >= 0 else nullcontext()


class cut_after:  # not a generator, since each statement or pre-ping pays for it
    """Cut a connection where the server does not answer what the block asks in time; a file is not bounded.

    Whatever the driver raises then passes through, with a note for the backend how long the server was waited for.

    Args:
        backend: The connection's backend.
        connection: The driver's own connection, or SQLAlchemy's adapter of an async one.
        seconds: How long the block may take.
    """

    def __init__(self, backend: Backend, connection: Any, seconds: float) -> None:
        self._backend = backend
        self._seconds = seconds
        self._bound = time_limit(backend, connection, seconds)

    def __enter__(self) -> None:
        self._end = time.monotonic() + self._seconds
        self._bound.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bound.__exit__(None, None, None)
        if isinstance(error, Exception):
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if time.monotonic() >= self._end:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        vars(driver_error(error))[SILENCE] = f"no answer within {self._seconds:.3g} s"


class answering(cut_after):
    """The same, of what is no unit of work's: a pre-ping, or a question of dbctl's own.

    Args:
        backend: The connection's backend.
        connection: The driver's own connection, or SQLAlchemy's adapter of an async one.
        seconds: How long the block may take.
        step: What the error says that has failed.
        stage: The error's stage; the step unless given.

    Raises:
        ConnectError: It took longer.
    """

    def __init__(
        self, backend: Backend, connection: Any, seconds: float, step: str = "SELECT 1", stage: str = ""
    ) -> None:
        super().__init__(backend, connection, seconds)
        self._step, self._stage = step, stage or step

    def _tell(self, error: Exception) -> None:
        raise unanswered(self._backend, self._seconds, self._step, self._stage) from error


def unanswered(backend: Backend, seconds: float, step: str = "SELECT 1", stage: str = "SELECT 1") -> ConnectError:
    """Return the error that says of a question of dbctl's own that it has no answer in so many seconds."""
    said = f"{backend.profile.called}: {step} failed: no answer within {seconds:.3g} s"
    return ConnectError(said, stage, transient=True)
