"""Connecting ends in time: from the driver's first byte until the pool hands the connection out.

Drivers have whole seconds, or bounds for each address or each read, or none. And when a driver is done, SQLAlchemy asks
its first questions (for PostgreSQL's HSTORE, for the server's version), dbctl its own, and a service may have some. All
of that has one end, and so has the wait for another thread that asks the first questions first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.util import await_only

from dbctl.backends.hosts import search
from dbctl.backends.origins import Attempt, attempt_under_way, note_origin
from dbctl.connections.response_timeouts import cut_after, listeners_after, time_limit
from dbctl.connections.tunnels import tunnel_port
from dbctl.runtime.deadlines import connect_until, time_to_connect
from dbctl.runtime.waits import result_of, started

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Engine

    from dbctl.backends.base import Backend
    from dbctl.backends.hosts import Turn
    from dbctl.backends.logins import Answer

_ATTEMPT = "dbctl_attempt"
"""What a pool's record has in its `info` while its connection is on its way."""


def bound_connecting(engine: Engine, backend: Backend) -> None:
    """Make a new engine keep to `connect_timeout` in all that is done before it hands a connection out."""
    profile = backend.profile

    @event.listens_for(engine, "do_connect")
    def connect(dialect: Dialect, record: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
        attempt = _BoundAttempt(profile, time_to_connect(profile.connect_timeout))
        connect_until(0.0)  # what a pre-ping has left of its time is for the one connect that follows it
        attempt_under_way.set(attempt)
        try:
            connection = backend.logged_in(
                lambda login: connect_as(login, attempt, dialect, record, args, kwargs),
                lambda after: _ask_password(backend, dialect, attempt, after),
            )
        except Exception as error:
            note_origin(error, profile, connecting=True)
            attempt_under_way.set(None)
            raise
        attempt.begin_to_watch(backend, connection)
        record.info[_ATTEMPT] = attempt
        return connection

    def connect_as(
        login: dict[str, Any], attempt: Attempt, dialect: Dialect, record: Any, args: list[Any], kwargs: dict[str, Any]
    ) -> Any:
        kwargs = kwargs | login
        if backend.tunnel:
            port = tunnel_port(backend, id(engine), attempt.left, asynchronous=dialect.is_async)
            attempt.heard = backend.tunnel.heard
            kwargs |= backend.rerouted(port, asynchronous=dialect.is_async)
        # SQLAlchemy calls no listener after one that has connected.
        later = (each(dialect, record, args, kwargs) for each in listeners_after(connect, dialect, "do_connect"))
        made = next((connection for connection in later if connection is not None), None)
        return made or _connect(backend, dialect, args, kwargs, attempt)

    @event.listens_for(engine, "checkout")
    def hand_out(_connection: Any, record: Any, _proxy: Any) -> None:
        if attempt := record.info.pop(_ATTEMPT, None):
            attempt.succeed()
            attempt_under_way.set(None)


class _BoundAttempt(Attempt):
    """An attempt whose connection is cut at its end. One that fails before is cut then too, closed though it is."""

    def begin_to_watch(self, backend: Backend, connection: Any) -> None:
        self.connection = getattr(connection, "driver_connection", connection)
        self._limit = time_limit(backend, self.connection, self.left, closed_too=True)
        self._limit.__enter__()

    def succeed(self) -> None:
        self._limit.__exit__(None, None, None)


def _ask_password(backend: Backend, dialect: Dialect, attempt: Attempt, after: float) -> Answer:
    """Ask the password's source, in a thread where else an event loop would wait."""
    attempt.end_turns()  # of hosts that were tried with another password
    if not dialect.is_async:
        return backend.ask_password(attempt.left, after)
    import asyncio

    return await_only(asyncio.wrap_future(started(lambda: backend.ask_password(attempt.left, after))))


def _connect(backend: Backend, dialect: Dialect, args: list[Any], kwargs: dict[str, Any], attempt: Attempt) -> Any:
    """Connect to the host, or to the one of several that is what the profile wants."""
    if not backend.chooses:
        return _connect_once(dialect, args, kwargs, attempt)

    def connect(turn: Turn) -> Any:
        attempt.begin_turn(turn.place, turn.share)
        at = {} if backend.tunnel else turn.keywords
        return _connect_once(dialect, args, kwargs | at, attempt)

    def unfit(connection: Any) -> str:
        with cut_after(backend, connection, attempt.left):
            return backend.unfit(connection)

    connection = search(backend, connect, unfit, (dialect.loaded_dbapi.Error, *backend.driver_errors()))
    attempt.end_turns()
    return connection


def _connect_once(dialect: Dialect, args: list[Any], kwargs: dict[str, Any], attempt: Attempt) -> Any:
    """Connect by the driver, a sync one in a thread of its own: nothing else ends its wait in time."""
    if dialect.is_async:
        return dialect.connect(*args, **kwargs)  # bounded by the backend's `opening`
    connecting = started(lambda: dialect.connect(*args, **kwargs), lambda connection: connection.close())
    try:
        return result_of(connecting, attempt.left)
    except TimeoutError as error:
        # The driver's own class, which SQLAlchemy wraps as it does whatever a driver raises.
        raise dialect.loaded_dbapi.OperationalError(f"no answer within {attempt.seconds:.3g} s") from error
