"""Who wants to know of the connections in use: whoever may have to have a server end what runs on them.

SQLAlchemy is imported where it is used: commands that connect to nothing are supervised too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dbctl.backends.base import Backend

Cancel = Callable[[], Any]

_CANCEL = "dbctl_cancel"
"""What a pooled connection's `info` has: the canceller that was made for it."""


class Watcher(Protocol):
    """What is told of the connections that are checked out."""

    def note(self, connection: Any, cancel: Cancel) -> None:
        """Take note that a driver's connection is in use; `cancel` has the server end what runs on it."""

    def forget(self, connection: Any) -> None:
        """Take note that it is not any more: what runs on it from now on is somebody else's."""


_watcher: ContextVar[Watcher | None] = ContextVar("dbctl_watcher", default=None)


def is_ended() -> bool:
    """Tell whether whoever watches has ended the work: what it has by then is all that it gets."""
    return bool(getattr(_watcher.get(), "ended", False))


@contextmanager
def watched_by(watcher: Watcher | None) -> Iterator[None]:
    """Have each checkout in the block, and in what threads it starts, told to a watcher; to nobody for None."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def tell_watchers(engine: Engine, backend: Backend) -> None:
    """Have a new engine of a sync driver tell of its checkouts; an async one's work is ended by cancelling its task."""
    if engine.dialect.is_async:
        return
    from sqlalchemy import event

    @event.listens_for(engine, "checkout")
    def note(connection: Any, record: Any, _proxy: Any) -> None:
        if watcher := _watcher.get():
            if _CANCEL not in record.info:
                record.info[_CANCEL] = backend.canceller(connection)
            watcher.note(connection, record.info[_CANCEL])

    @event.listens_for(engine, "checkin")
    def forget(connection: Any, _record: Any) -> None:
        if watcher := _watcher.get():
            watcher.forget(connection)
