"""Standbys: what a server that takes no writes refuses says where to write, and its connection is not kept for that."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from dbctl.backends.origins import HINT
from dbctl.errors import DbctlError
from dbctl.runtime.waits import result_of, started

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import ExceptionContext

    from dbctl.backends.base import Backend

_TO_TELL = 2.0
"""Seconds that a standby has to say which its primary is."""

_log = logging.getLogger("dbctl")


def watch_standbys(engine: Engine, backend: Backend) -> None:
    """Have what a standby refuses on a new engine's connections name its primary; and where the profile wants a
    primary, have the pool replace the connection when it is back.

    An async engine's event loop waits for no such answer.
    """

    @event.listens_for(engine, "handle_error")
    def tell(context: ExceptionContext) -> None:
        error: Any = context.original_exception
        if hint := backend.hint_of(error):
            vars(error).setdefault(HINT, hint)
        connection = context.connection
        if backend.error_code(error) not in backend.not_writable or connection is None:
            return
        if connection.closed or connection.invalidated:
            return
        if not engine.dialect.is_async:
            hint = _primary_of(backend, connection.connection.dbapi_connection)
            vars(error).setdefault(HINT, hint)
        if backend.profile.target == "primary":
            connection.connection.invalidate(soft=True)


def _primary_of(backend: Backend, connection: Any) -> str:
    """Ask on a second connection, for the transaction on the first is over; "" where it is no standby."""

    def ask() -> str:
        with backend.second_connection(connection) as second:
            return backend.standby_hint(second)

    try:
        return result_of(started(ask), _TO_TELL)
    except (TimeoutError, DbctlError) as error:
        problem: BaseException = error
    except backend.driver_errors() as error:
        problem = error
    _log.debug("%s: which its primary is was not told: %s", backend.profile.called, problem)
    return ""
