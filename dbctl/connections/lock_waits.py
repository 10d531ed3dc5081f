"""Who held the lock that a statement waited for in vain.

When the statement has failed nobody can tell any more. So shortly before its time is over it is asked on a second
connection; what is quicker than that pays for an entry in a table.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from dbctl.backends.origins import OVERDUE, driver_error
from dbctl.connections.lock_notices import named, noticed
from dbctl.connections.response_timeouts import bound_each
from dbctl.connections.statement_timeouts import timed
from dbctl.errors import Remedy
from dbctl.runtime.deadlines import call_after
from dbctl.runtime.waits import started

if TYPE_CHECKING:
    from types import TracebackType

    from sqlalchemy import Connection, Engine

    from dbctl.backends.base import Backend
    from dbctl.backends.locks import Holder

_AHEAD = 1.0
"""Seconds before the time is over at which is asked first, and no more than half of it."""

_BETWEEN = 0.2
"""Seconds from one answer to the next question: some servers look seldom whether the time is over."""

_log = logging.getLogger("dbctl")


def watch_lock_waits(engine: Engine, backend: Backend) -> None:
    """Have the errors of a new engine's statements say who held the lock, where a profile bounds the wait for one."""
    seconds = backend.lock_timeout
    if seconds:
        bound_each(engine, lambda connection: _LockWait(backend, connection, seconds))


@contextmanager
def watched(backend: Backend, connection: Connection) -> Iterator[None]:
    """Look at a statement that a driver runs past SQLAlchemy in the block as at one that SQLAlchemy runs."""
    driver_connection: Any = connection.connection.driver_connection
    seconds = backend.lock_timeout
    waiting = _LockWait(backend, driver_connection, seconds) if seconds else nullcontext()
    with noticed(connection), timed(backend), waiting:
        yield


class _LockWait:  # not a generator, since each statement pays for it
    """Ask who holds what a statement waits for when its time is about to be over, and tell it with its error.

    Args:
        backend: The connection's backend.
        connection: The driver's own connection, or SQLAlchemy's adapter of an async one.
        seconds: For how long the server lets it wait.
    """

    def __init__(self, backend: Backend, connection: Any, seconds: float) -> None:
        self._backend = backend
        self._connection = getattr(connection, "driver_connection", connection)
        self._seconds = seconds
        self._look: _Look | None = None
        self._call = call_after(seconds - min(_AHEAD, seconds / 2), self._begin_to_look)

    def _begin_to_look(self) -> None:
        self._look = _Look(self._backend, self._connection)
        with suppress(RuntimeError):  # there is no thread to be had: nothing will be known
            started(self._look.run)

    def __enter__(self) -> None:
        self._began = time.monotonic()
        self._call.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._call.__exit__(None, None, None)
        ended = time.monotonic()
        if self._look:
            self._look.over.set()
        if not isinstance(error, Exception) or ended - self._began < self._seconds:
            return  # what fails sooner was told not to wait
        original = driver_error(error)
        meaning = self._backend.meaning(original)
        if meaning is not None and meaning.lock:
            # A session waits for one lock at a time, and waited all the time for the one that it was not given.
            holders = self._look.seen_since(ended - self._seconds) if self._look else ()
            what = _told(holders) if holders else self._backend.error_text(original)
            vars(original)[OVERDUE] = f"lock_timeout {self._seconds:g} s: {what}", Remedy.WAIT_LONGER


class _Look:
    """Asks, again and again until its statement is over, who holds what that waits for."""

    def __init__(self, backend: Backend, connection: Any) -> None:
        self.over = threading.Event()
        self._backend = backend
        self._connection = connection
        self._seen: tuple[float, Sequence[Holder]] = (0.0, ())

    def run(self) -> None:
        """Ask until the statement is over, or has twice waited for nothing: once may be between two locks."""
        asking = self._backend.lock_holders(self._connection)
        if asking is None:
            return
        try:
            with asking as ask:
                idle = 0
                while idle < 2 and not self.over.is_set():
                    asked = time.monotonic()
                    if holders := ask():
                        self._seen = (asked, holders)
                    idle = 0 if holders else idle + 1
                    self.over.wait(_BETWEEN)
        except Exception as error:
            _log.debug("%s: who holds a lock can't be asked: %s", self._backend.profile.called, error)

    def seen_since(self, time_: float) -> Sequence[Holder]:
        """Return who was last seen to hold it, where that was asked since a time, on the monotonic clock."""
        asked, holders = self._seen
        return holders if asked >= time_ else ()


def _told(holders: Sequence[Holder]) -> str:
    return f"waiting for {named(holders)}"
