"""Who wants to know of the connections in use: whoever may have to have a server end what runs on them.

SQLAlchemy is imported where it is used: commands that connect to nothing are supervised too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from dbctl.records import record
from dbctl.runtime.deadlines import shut_down
from dbctl.runtime.waits import is_done, started

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dbctl.backends.base import Backend

_USE = "dbctl_use"
"""What a pooled connection's `info` has: the `Use` that was made for it."""

_TO_CANCEL = 0.5
"""Seconds that a server has to hear that what was interrupted is to be ended."""


@record
class Use:
    """A driver's connection in use, or whatever else the work may wait for.

    Attributes:
        cancel: Has the server end what runs on it; it may be called again.
        cut: Cuts it, where that leads to a server, so that who waits for an answer waits no more.
        end_wait: Ends the wait of a COMMIT that is done on its server, and waits for others to have it too; or None.
    """

    cancel: Callable[[], Any]
    cut: Callable[[], Any]
    end_wait: Callable[[], Any] | None = None


class Watcher(Protocol):
    """What is told of the connections that are checked out."""

    def note(self, connection: Any, use: Use) -> None:
        """Take note that a driver's connection is in use."""

    def forget(self, connection: Any) -> None:
        """Take note that it is not any more: what runs on it from now on is somebody else's."""

    def check(self) -> None:
        """Raise what ends the work, where it was ended."""

    def before_commit(self, *, writes: bool = True) -> None:
        """Let the work commit, and nobody end it any more; raise what ends it where it was ended before."""

    def check_commit(self) -> None:
        """Raise what ends the work, or says that what it commits would not be under its lock any more."""

    def keep(self, tell: Callable[[], str] | None) -> None:
        """Take note of what tells what the work has committed by now, should it be ended and not answer."""

    def owe(self, tell: Callable[[], str]) -> None:
        """Take note that the work is to take something away after it, and of what tells that it stays."""

    def settle(self, tell: Callable[[], str]) -> None:
        """Take note that it is taken away."""


_watcher: ContextVar[Watcher | None] = ContextVar("dbctl_watcher", default=None)
_telling: ContextVar[Callable[[], str] | None] = ContextVar("dbctl_telling", default=None)


def is_ended() -> bool:
    """Tell whether whoever watches has ended the work: what it has by then is all that it gets."""
    return bool(getattr(_watcher.get(), "ended", False))


def current_watcher() -> Watcher | None:
    """Return whoever watches the work of this thread or task."""
    return _watcher.get()


def raise_if_ended() -> None:
    """Raise what ends the work where whoever watches has ended it: nothing is to begin that can't be rolled back."""
    if watcher := _watcher.get():
        watcher.check()


def may_commit() -> None:
    """Raise where whoever watches lets nothing more be committed; a unit of work within another asks before it ends."""
    if watcher := _watcher.get():
        watcher.check_commit()


def begin_what_is_not_divided() -> None:
    """Have whoever watches wait for the work's end from now on, as for that of a COMMIT: its half is nothing.

    Raise where the work was ended before.
    """
    if watcher := _watcher.get():
        watcher.before_commit()


@contextmanager
def told_if_ended(tell: Callable[[], str]) -> Iterator[None]:
    """Have whoever watches the block know what tells, as a sentence part or "", what it has committed by now.

    Within another such block what that one tells comes first.
    """
    watcher, outer = _watcher.get(), _telling.get()
    if watcher is None:
        yield
        return

    def tell_all() -> str:
        return "; ".join(filter(None, [outer and outer(), tell()]))

    _telling.set(tell_all)
    watcher.keep(tell_all)
    try:
        yield
    finally:
        if _telling.get() is tell_all:  # as in `watched_by`
            _telling.set(outer)
        watcher.keep(outer)


@contextmanager
def owing(tell: Callable[[], str]) -> Iterator[None]:
    """Have who ends the work wait a moment for the end of the block, which takes away there what it has made.

    Args:
        tell: Tells what stays where that takes longer, as a sentence; "" where nothing does.
    """
    watcher = _watcher.get()
    if watcher is None:
        yield
        return
    watcher.owe(tell)
    try:
        yield
    finally:
        watcher.settle(tell)


@contextmanager
def watched_by(watcher: Watcher | None) -> Iterator[None]:
    """Have each checkout in the block, and in what threads it starts, told to a watcher; to nobody for None."""
    outer = _watcher.get()
    _watcher.set(watcher)
    try:
        yield
    finally:
        # The end of a generator's block may be in another context, where a token of this one means nothing.
        if _watcher.get() is watcher:
            _watcher.set(outer)


def tell_watchers(engine: Engine, backend: Backend) -> None:
    """Have a new engine tell of its checkouts; an async one's work is ended by cancelling its task, but for a wait."""
    from sqlalchemy import event

    @event.listens_for(engine, "checkout")
    def note(connection: Any, record: Any, _proxy: Any) -> None:
        if watcher := _watcher.get():
            if _USE not in record.info:
                record.info[_USE] = _use(connection, record, backend)
            watcher.note(connection, record.info[_USE])

    @event.listens_for(engine, "checkin")
    def forget(connection: Any, _record: Any) -> None:
        if watcher := _watcher.get():
            watcher.forget(connection)

    if engine.dialect.is_async:
        return

    @event.listens_for(engine, "invalidate")
    def end(_connection: Any, record: Any, error: BaseException | None) -> None:
        use = record.info.get(_USE)
        if use and error and not isinstance(error, Exception):
            # An interrupt, on which a driver in Python leaves its server at work, and nobody waits for that any more.
            is_done(started(use.cancel), _TO_CANCEL)


def _use(connection: Any, record: Any, backend: Backend) -> Use:
    """Return the use of a connection, or of SQLAlchemy's adapter of an async one."""
    driver_connection = getattr(connection, "driver_connection", connection)
    end_wait = backend.standby_canceller(driver_connection, record.info)
    if driver_connection is not connection:
        return Use(lambda: None, lambda: None, end_wait)
    return Use(backend.canceller(connection), partial(_cut, backend, connection), end_wait)


def tell_watchers_of_tasks(engine: Engine, backend: Backend) -> None:
    """Have a new engine of an async driver tell of its checkouts too: what runs is ended with the task that awaits it.

    It is for an event loop that somebody else runs, whose tasks who watches does not know.
    """
    import asyncio

    from sqlalchemy import event

    @event.listens_for(engine, "checkout")
    def note(connection: Any, _record: Any, _proxy: Any) -> None:
        task = asyncio.current_task()
        if (watcher := _watcher.get()) and task is not None:
            end = partial(asyncio.get_running_loop().call_soon_threadsafe, task.cancel)
            at_server = backend.task_canceller(connection.driver_connection)
            watcher.note(connection, Use(at_server or end, end))

    @event.listens_for(engine, "checkin")
    def forget(connection: Any, _record: Any) -> None:
        if watcher := _watcher.get():
            watcher.forget(connection)


def end_with_tasks(engine: Engine, backend: Backend) -> None:
    """Have the server end what a new engine of an async driver runs for a task that is cancelled.

    The event loop waits until the server has heard: this is for one that serves nobody else.
    """
    from sqlalchemy import event

    @event.listens_for(engine, "invalidate")
    def end(connection: Any, _record: Any, error: BaseException | None) -> None:
        cancel = backend.task_canceller(connection.driver_connection)
        if cancel and error and not isinstance(error, Exception):
            is_done(started(cancel), _TO_CANCEL)


def _cut(backend: Backend, connection: Any) -> None:
    if backend.needs_host:
        shut_down(backend.descriptor(connection))
