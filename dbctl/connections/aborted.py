"""Transactions in which an error came after which nothing of them may be committed, though somebody passed it over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import event

from dbctl.errors import ConnectError, DbctlError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import ExceptionContext

    from dbctl.backends.base import Backend

_DOOMED = "dbctl_doomed"
"""What a connection's `info` has: the last doomed transaction on it, and the error."""


def watch(engine: Engine, backend: Backend) -> None:
    """Note each error of an engine's transactions that dooms one, and leave a server that says it is no use now."""

    @event.listens_for(engine, "handle_error")
    def note(context: ExceptionContext) -> None:
        connection, error = context.connection, context.sqlalchemy_exception
        meaning = backend.meaning(context.original_exception)
        if meaning is not None and meaning.disconnects:
            context.is_disconnect = True
        if connection is None or error is None or connection.invalidated:
            return  # while connecting, or with a connection that can commit nothing more
        transaction = connection.get_transaction()
        translated = backend.translate(error)
        if transaction is None or translated is None or doom_of(connection, backend):
            return
        in_savepoint = connection.in_nested_transaction()
        ended = not in_savepoint and backend.has_ended(connection)
        if ended or backend.dooms(translated, in_savepoint=in_savepoint):
            translated.__cause__ = error  # whoever raises it later has no other
            connection.info[_DOOMED] = (transaction, translated)


def doom_of(connection: Connection, backend: Backend) -> DbctlError | None:
    """Return the error that dooms the transaction that a connection of a backend's engine is in, or None."""
    if connection.invalidated:
        return ConnectError(f"{backend.profile.called}: the connection was lost")
    transaction, error = connection.info.get(_DOOMED, (None, None))
    return error if transaction is not None and transaction is connection.get_transaction() else None
