"""Saying that a statement waits for a lock, and for whom, while it does; and that it goes on.

Only work that somebody supervises is watched so: a service's own statements pay for no second connection. It is asked
on that, in a thread of its own, from when a statement has taken two seconds until it ends.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from dbctl.connections.watching import current_watcher
from dbctl.runtime.deadlines import call_after
from dbctl.runtime.waits import started

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import ExceptionContext

    from dbctl.backends.base import Backend
    from dbctl.backends.locks import Holder, LockWait

_PATIENCE = 2.0
"""Seconds that a statement may take before it is asked whether it waits."""

_BETWEEN = 1.0
"""Seconds from one answer to the next question."""

_SHOWN = 3
"""Holders that are named; the rest is counted."""

_NOTICED = "dbctl_noticed"
"""What a pool's record has in its `record_info`: the checkout as it is looked at."""

_wanted: ContextVar[bool] = ContextVar("dbctl_lock_notices", default=True)

_log = logging.getLogger("dbctl")


@contextmanager
def without_lock_notices() -> Iterator[None]:
    """Have no engine that is built in the block give notice: each long statement would open connections of its own."""
    token = _wanted.set(False)
    try:
        yield
    finally:
        _wanted.reset(token)


def tell_of_lock_waits(engine: Engine, backend: Backend) -> None:
    """Have a new engine's statements say on the log that they wait for a lock, where a watcher is told of them.

    A statement pays for no more than the time at which it began: a checkout looks at that now and then.
    """
    from sqlalchemy import event

    if not _wanted.get():
        return

    @event.listens_for(engine, "checkout")
    def watch(connection: Any, record: Any, _proxy: Any) -> None:
        if current_watcher() is not None:
            record.record_info[_NOTICED] = _Noticed(backend, connection)

    def forget(_connection: Any, record: Any, *_reason: Any) -> None:
        if noticed := record.record_info.pop(_NOTICED, None):
            noticed.leave()

    event.listen(engine, "checkin", forget)
    event.listen(engine, "invalidate", forget)

    @event.listens_for(engine, "before_cursor_execute")
    def begin(connection: Connection, *_statement: Any) -> None:
        if noticed := _noticed(connection):
            noticed.began = time.monotonic()

    @event.listens_for(engine, "after_cursor_execute")
    def end(connection: Connection, *_statement: Any) -> None:
        if noticed := _noticed(connection):
            noticed.end(failed=False)

    @event.listens_for(engine, "handle_error")
    def fail(context: ExceptionContext) -> None:
        connection = context.connection
        if connection is None or connection.closed or connection.invalidated:
            return
        if noticed := _noticed(connection):
            noticed.end(failed=True)


@contextmanager
def noticed(connection: Connection) -> Iterator[None]:
    """Take what a driver runs past SQLAlchemy in the block for a statement."""
    checkout = _noticed(connection)
    if checkout is None:
        yield
        return
    checkout.began = time.monotonic()
    failed = True
    try:
        yield
        failed = False
    finally:
        checkout.end(failed=failed)


def _noticed(connection: Connection) -> _Noticed | None:
    # Not `info`: the connection by which a dialect gets to know its server has none.
    return (connection.connection.record_info or {}).get(_NOTICED)


def named(holders: Sequence[Holder]) -> str:
    """Return the holders of a lock as a part of a sentence."""
    words = [str(holder) for holder in holders[:_SHOWN]]
    if len(holders) > _SHOWN:
        words.append(f"{len(holders) - _SHOWN} more")
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


class _Noticed:
    """A checkout whose statements are looked at when they take long: whether they wait for a lock, and for whose.

    Attributes:
        began: When the statement did that runs; None between two.
    """

    def __init__(self, backend: Backend, connection: Any) -> None:
        self.began: float | None = None
        self._backend = backend
        self._connection = getattr(connection, "driver_connection", connection)
        self._over = threading.Event()
        self._waiting_since: float | None = None
        self._speaking = threading.Lock()
        self._looked_at: float | None = None
        self._call = call_after(_PATIENCE, self._glance)
        self._call.__enter__()

    def end(self, *, failed: bool) -> None:
        """Have the statement ended, and say so where it was told to wait."""
        with self._speaking:  # or who looks would say that it waits when it does no more
            self.began = None
            self._tell_of_end(failed=failed)

    def leave(self) -> None:
        """Look no more."""
        self._over.set()
        self._call.__exit__(None, None, None)

    def _glance(self) -> float | None:
        """Begin to look where a statement takes long by now, and return the seconds to the next glance."""
        began = self.began
        if self._over.is_set():
            return None
        if began is None:
            return _PATIENCE
        if (left := began + _PATIENCE - time.monotonic()) > 0:
            return left
        if began != self._looked_at:
            self._looked_at = began
            with suppress(RuntimeError):  # there is no thread to be had: nothing will be said
                started(partial(self._look, began))
        return _PATIENCE

    def _look(self, began: float) -> None:
        try:
            asking = self._backend.lock_waits(self._connection)
            if asking is None:
                return
            with asking as ask:
                while self.began == began and not self._over.is_set():
                    self._take(ask(), began)
                    self._over.wait(_BETWEEN)
        except Exception as error:
            _log.debug("%s: whether a lock is waited for can't be asked: %s", self._backend.profile.called, error)

    def _take(self, wait: LockWait | None, began: float) -> None:
        with self._speaking:
            if self.began != began or self._over.is_set():
                return
            if wait is None:
                self._tell_of_end(failed=False)
            elif self._waiting_since is None:
                self._waiting_since = began
                who = f"which {named(wait.holders)} holds" if wait.holders else "whose holder is not told"
                facts = {"lock": wait.what, "holder": named(wait.holders) if wait.holders else None}
                _log.info("waiting for %s, %s", wait.what, who, extra={"event": "waiting", "facts": facts})

    def _tell_of_end(self, *, failed: bool) -> None:
        if self._waiting_since is not None and not failed:
            waited = time.monotonic() - self._waiting_since
            facts = {"seconds": waited}
            _log.info("it goes on, after %.0f s", waited, extra={"event": "waited", "facts": facts})
        self._waiting_since = None
