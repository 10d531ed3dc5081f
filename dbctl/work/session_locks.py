"""A lock on a server: of a session of its own, or a row of a table."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dbctl.backends.base import Missing
from dbctl.backends.lock_statements import BEATS, WATCH, row_name
from dbctl.connections.engines import engine_on
from dbctl.connections.response_timeouts import answering
from dbctl.connections.watching import is_ended, watched_by
from dbctl.errors import ConnectError, Contention, DbctlError, MissingTable, OutOfTime, WorkRefused
from dbctl.runtime.deadlines import shut_down

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend

_log = logging.getLogger("dbctl")

_BEAT = 10.0
"""Seconds after which a lock's session is used, so that no proxy or server takes it for abandoned."""

_CUT = f"whatever ends sessions that stand idle, such as a balancer, has to leave a lock's for longer than {_BEAT:g} s"

_TO_RELEASE = 0.3
"""Seconds for a server to confirm that a lock is free again; if it does not, the session is cut, which frees it too."""

_TO_GIVE_BACK = 3.0
"""Seconds for that where it is a row, which no cut frees, and nobody has ended the work."""

_LAST_LOOK = 0.05
"""Seconds to wait at least before a row is looked at again that is watched."""

_TRIES = 3
"""How often a lock's row is tried for that another node was at in the same moment, before it counts as held."""


class SessionLock:
    """A lock of a server's session, or a row that it leases; the session is used now and then so that both stay."""

    def __init__(self, backend: Backend, name: str) -> None:
        self._backend = backend
        self._by = backend.session_lock
        self._values = {
            "key": backend.lock_key(name),
            "name": row_name(name),
            "token": secrets.token_hex(16),
            "holder": f"process {os.getpid()} on {socket.gethostname()}"[:255],
        }
        self._step = f'the lock "{name}"'
        self._called = f"{backend.profile.called}: {self._step}"
        self._lost = f"{self._called} was lost, and nothing more is committed"
        self._engine = engine_on(backend, Missing.REFUSE)
        self._session: Connection | None = None
        self._seen: tuple[Any, float] | None = None  # a row that is over, and since when it is seen so
        self._in_use = threading.RLock()
        self._over = threading.Event()

    def take(self) -> bool:
        """Take it, and return True, unless somebody holds it."""
        with self._in_use:
            if self._over.is_set():
                raise ConnectError(
                    f"{self._called} was given up already", "lock"
                )  # by a task that did not wait for its thread
            self._open()
            try:
                taken = bool(self._ask_all(self._by.take))
            except MissingTable:
                self._make_table()
                taken = bool(self._ask_all(self._by.take))
            if not taken and self._by.over:
                taken = self._take_over()
        if taken:
            threading.Thread(target=self._keep, name="dbctl-lock", daemon=True).start()
        return taken

    def _take_over(self) -> bool:
        """Take the row of a holder that is gone: it is over, and has not changed for as long as it is watched."""
        try:
            over = self._ask_all(self._by.over)
            if not over:
                self._seen = None
            elif self._seen is None or self._seen[0] != over:
                self._seen = over, time.monotonic() + WATCH
            elif time.monotonic() >= self._seen[1]:
                self._seen, self._values["over"] = None, over
                return bool(self._ask_all(self._by.take_over))
        except (ConnectError, OutOfTime) as error:  # the cluster stalls, and with it whoever would renew it
            _log.debug("%s: %s", self._called, error)
            self._seen = None
        return False

    @property
    def settling(self) -> float:
        """Return for how many seconds a row that is over is watched still; 0 where none is."""
        return max(_LAST_LOOK, self._seen[1] - time.monotonic()) if self._seen else 0.0

    def _make_table(self) -> None:
        try:
            self._ask(self._by.table)
        except WorkRefused as error:
            message = f"{self._called} is a row of a table that is not there, and can't be made: {error.message}"
            raise WorkRefused(message, "have it made, or grant CREATE: dbctl help locks") from error

    def _open(self) -> None:
        if self._session is not None and not (self._session.invalidated and self._by.lease):
            return
        self._close()
        # Nobody who ends the work is to end what this session asks: it gives the lock back itself.
        with watched_by(None), self._backend.translating():
            self._session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with self._backend.translating(), self._bounded():
            self._backend.refuse_lock(self._session)
            self._by = self._backend.row_lock(self._session) or self._by

    def holder(self) -> str:
        """Return the session, or the process and its machine, that holds it."""
        with self._in_use:
            self._open()
            return self._ask(self._by.holder) or "one that has just ended"

    def check(self) -> None:
        """Raise ConnectError where it is held no more."""
        try:
            mine = self._renew()
        except DbctlError as error:
            reason = error.message.removeprefix(f"{self._backend.profile.called}: ")
            raise ConnectError(f"{self._lost}: {reason}", "lock", "" if self._by.lease else _CUT) from error
        if not mine:
            raise ConnectError(f"{self._lost}: the session does not hold it any more", "lock")

    def _renew(self) -> Any:
        """Return whether it is still held. A row is, by whatever session that is seen; a lock goes with its own."""
        # A cluster that loses a node answers nobody for a while; within its lease a row is nobody else's.
        seconds = max(self._backend.profile.connect_timeout, self._by.lease)
        left = _TRIES if self._by.lease else 1
        with self._in_use:
            while True:
                left -= 1
                try:
                    self._open()
                    return self._ask_all(self._by.keep, seconds)
                except ConnectError as error:
                    if not left or self._over.is_set():
                        raise
                    _log.debug("%s: %s", self._called, error)
                    self._close()

    def _close(self) -> None:
        if self._session is not None:
            self._session.invalidate()  # which frees a lock too, and awaits no answer as a ROLLBACK would
            self._session.close()
            self._session = None

    def release(self) -> None:
        """Give it back, and close its session."""
        self._over.set()
        if not self._in_use.acquire(timeout=_TO_RELEASE):
            self._cut()  # what keeps it waits for a server that is silent
            self._in_use.acquire()
        try:
            if self._session is not None:
                with suppress(DbctlError):
                    in_haste = is_ended() or not self._by.lease
                    self._ask(self._by.give_back, _TO_RELEASE if in_haste else _TO_GIVE_BACK)
            self._close()
        finally:
            self._in_use.release()
        self._engine.dispose()

    def _cut(self) -> None:
        if self._session is not None and not self._session.invalidated:
            shut_down(self._backend.descriptor(self._session.connection.driver_connection))

    def _ask_all(self, statements: Sequence[str], seconds: float | None = None) -> Any:
        """Return the last one's answer; False where others were at the same row each time that it was tried."""
        for _ in range(_TRIES):
            try:
                return [self._ask(statement, seconds) for statement in statements][-1]
            except Contention as error:
                _log.debug("%s: %s", self._called, error)
        return False

    def _ask(self, statement: str, seconds: float | None = None) -> Any:
        from sqlalchemy import text

        assert self._session is not None
        with self._in_use, self._backend.translating():
            if self._session.invalidated:
                raise ConnectError(f"{self._called} has no session any more", "lock")  # and not: connect anew
            with self._bounded(seconds):
                result = self._session.execute(text(statement), self._values)
                return result.scalar() if result.returns_rows else None

    def _bounded(self, seconds: float | None = None) -> answering:
        assert self._session is not None
        limit = seconds or self._backend.profile.connect_timeout
        return answering(self._backend, self._session.connection.dbapi_connection, limit, self._step, "lock")

    def _keep(self) -> None:
        while not self._over.wait(min(_BEAT, self._by.lease / BEATS or _BEAT)):
            with self._in_use:
                if self._over.is_set():
                    return
                try:
                    self.check()
                except DbctlError:
                    if not self._by.lease:
                        return  # the check before the commit will say so
