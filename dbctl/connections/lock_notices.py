"""Saying that a statement waits for a lock, and for whom, while it does; and that it goes on.

Only work that somebody supervises is watched so: a service's own statements pay for no second connection. It is asked
on that, in a thread of its own, from when a statement has taken two seconds until it ends.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dbctl.connections.response_timeouts import bound_each
from dbctl.connections.watching import current_watcher
from dbctl.runtime.deadlines import call_after
from dbctl.runtime.waits import started

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from sqlalchemy import Engine

    from dbctl.backends.base import Backend
    from dbctl.backends.locks import Holder, LockWait

_PATIENCE = 2.0
"""Seconds that a statement may take before it is asked whether it waits."""

_BETWEEN = 1.0
"""Seconds from one answer to the next question."""

_SHOWN = 3
"""Holders that are named; the rest is counted."""

_log = logging.getLogger("dbctl")


class _Nothing:  # nullcontext would be made anew for each statement
    def __enter__(self) -> None:
        pass

    def __exit__(self, *_reason: object) -> None:
        pass


_NOTHING = _Nothing()


def tell_of_lock_waits(engine: Engine, backend: Backend) -> None:
    """Have a new engine's statements say on the log that they wait for a lock, where a watcher is told of them."""

    def bound(connection: Any) -> AbstractContextManager[None]:
        return _NOTHING if current_watcher() is None else _Noticed(backend, connection)

    bound_each(engine, bound)


def named(holders: Sequence[Holder]) -> str:
    """Return the holders of a lock as a part of a sentence."""
    words = [str(holder) for holder in holders[:_SHOWN]]
    if len(holders) > _SHOWN:
        words.append(f"{len(holders) - _SHOWN} more")
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


class _Noticed:  # not a generator, since each statement pays for it
    """Look whether the block waits for a lock, when it takes long, and say so."""

    def __init__(self, backend: Backend, connection: Any) -> None:
        self._backend = backend
        self._connection = getattr(connection, "driver_connection", connection)
        self._over = threading.Event()
        self._waiting_since: float | None = None
        self._speaking = threading.Lock()
        self._call = call_after(_PATIENCE, self._begin_to_look)

    def __enter__(self) -> None:
        self._began = time.monotonic()
        self._call.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._call.__exit__(None, None, None)
        self._over.set()
        with self._speaking:
            self._tell_of_end(failed=error is not None)

    def _begin_to_look(self) -> None:
        with suppress(RuntimeError):  # there is no thread to be had: nothing will be said
            started(self._look)

    def _look(self) -> None:
        try:
            asking = self._backend.lock_waits(self._connection)
            if asking is None:
                return
            with asking as ask:
                while not self._over.is_set():
                    self._take(ask())
                    self._over.wait(_BETWEEN)
        except Exception as error:
            _log.debug("%s: whether a lock is waited for can't be asked: %s", self._backend.profile.called, error)

    def _take(self, wait: LockWait | None) -> None:
        with self._speaking:
            if self._over.is_set():
                return
            if wait is None:
                self._tell_of_end(failed=False)
            elif self._waiting_since is None:
                self._waiting_since = self._began
                who = f"which {named(wait.holders)} holds" if wait.holders else "whose holder is not told"
                facts = {"lock": wait.what, "holder": named(wait.holders) if wait.holders else None}
                _log.info("waiting for %s, %s", wait.what, who, extra={"event": "waiting", "facts": facts})

    def _tell_of_end(self, *, failed: bool) -> None:
        if self._waiting_since is not None and not failed:
            waited = time.monotonic() - self._waiting_since
            facts = {"seconds": waited}
            _log.info("it goes on, after %.0f s", waited, extra={"event": "waited", "facts": facts})
        self._waiting_since = None
