"""How long a server may take to send the next rows of a result that is fetched by the batch."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from dbctl.connections.statement_timeouts import ended_after

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from dbctl.backends.base import Backend

_BACKEND = "dbctl_backend"
"""What a pooled connection's `info` has, where its statements are bounded."""


def bound_fetches(engine: Engine, backend: Backend) -> None:
    """Have a new engine's connections know by what their fetches are bounded; SQLAlchemy has no event for a fetch."""
    if not backend.profile.statement_timeout:
        return

    @event.listens_for(engine, "connect")
    def note(_connection: Any, record: Any) -> None:
        record.info[_BACKEND] = backend


def time_to_fetch(connection: Connection) -> AbstractContextManager[None]:
    """Return what cuts a connection where a fetch in the block is not answered within the statement timeout."""
    backend: Backend | None = connection.info.get(_BACKEND)
    if backend is None:
        return nullcontext()
    seconds = backend.profile.statement_timeout or 0
    return ended_after(backend, connection.connection.dbapi_connection, seconds)
