"""Each error of an engine's connections is marked as its own, so that nobody else's is taken for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from dbctl.backends.origins import note_engine, note_origin

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import ExceptionContext

    from dbctl.profiles import Profile


def mark_errors(engine: Engine, profile: Profile) -> None:
    """Mark what a new engine's connections raise; what comes past SQLAlchemy its cursors mark (`backends.cursors`)."""
    note_engine(engine, profile)

    @event.listens_for(engine, "handle_error")
    def note(context: ExceptionContext) -> None:
        note_origin(
            context.original_exception,
            profile,
            connection=_driver_connection(context.connection),
            connecting=context.connection is None,  # the pool could give none
        )


def _driver_connection(connection: Connection | None) -> Any:
    if connection is None or connection.closed or connection.invalidated:
        return None
    return connection.connection.driver_connection
