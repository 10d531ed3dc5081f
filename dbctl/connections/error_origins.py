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

    @event.listens_for(engine, "set_connection_execution_options")
    def hear_all(_connection: Connection, options: dict[str, Any]) -> None:
        # By which MySQL's dialect looks at a table, and no error of the connection would be heard of from then on.
        options.pop("skip_user_error_events", None)

    @event.listens_for(engine, "handle_error")
    def note(context: ExceptionContext) -> None:
        note_origin(
            context.original_exception,
            profile,
            connection=_driver_connection(context.connection),
            connecting=context.connection is None,  # the pool could give none
        )

    @event.listens_for(engine, "set_connection_execution_options")
    def go_on(_connection: Connection, options: dict[str, Any]) -> None:
        """Hear of errors also after MySQL's dialect has looked at a table, which is to be heard of by nobody."""
        options.pop("skip_user_error_events", None)


def _driver_connection(connection: Connection | None) -> Any:
    if connection is None or connection.closed or connection.invalidated:
        return None
    return connection.connection.driver_connection
