"""At most one run of a name at a time, on all machines: an advisory lock, beside the transaction that it guards.

A server's lock belongs to a session of its own, so that no transaction stands idle for its sake, and it is free as soon
as that session is gone, whatever became of this process. Where the machines of a cluster keep such locks to themselves
it is a row of a table, which they agree upon: its holder renews a lease on it. SQLite has no sessions: there it is a
lock on a file beside the database, which the system frees when the process is gone.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from dbctl.backends import backend_of
from dbctl.backends.base import Missing
from dbctl.backends.lock_statements import BEATS, row_name
from dbctl.connections.engines import build_engine
from dbctl.connections.response_timeouts import answering
from dbctl.connections.watching import watched_by
from dbctl.errors import ConnectError, Contention, DbctlError, LockHeld, MissingTable, Remedy, WorkRefused
from dbctl.profiles import Profile
from dbctl.profiles import select as profile_named
from dbctl.runtime.deadlines import shut_down
from dbctl.work.file_locks import FileLock

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.base import Backend
    from dbctl.work.supervision import Supervisor

_log = logging.getLogger("dbctl")

_PAUSES = (0.05, 0.5)
"""Seconds between two tries to take a lock: the first, and the longest of those that follow, each twice the last."""

_BEAT = 10.0
"""Seconds after which a lock's session is used, so that no proxy or server takes it for abandoned."""

_TO_RELEASE = 0.3
"""Seconds for a server to confirm that a lock is free again; if it does not, the session is cut, which frees it too."""

_TRIES = 3
"""How often a lock's row is tried for that another node was at in the same moment, before it counts as held."""


@contextmanager
def advisory_lock(
    name: str,
    profile: str | Profile | None = None,
    *,
    wait: float = 0.0,
    sleep: Callable[[float], Any] = time.sleep,
) -> Iterator[AdvisoryLock]:
    """Hold a lock for the block: `with dbctl.advisory_lock("nightly", "prod") as lock: …`.

    Give its `check` to `unit_of_work` as `before_commit`, and nothing is committed after the lock was lost.

    Args:
        name: The lock's name. Each database has names of its own.
        profile: The profile, its name, or None for the one that `dbctl` itself would take.
        wait: Seconds for which another holder is waited for.
        sleep: Called with the seconds of a pause.

    Raises:
        LockHeld: Another run holds it.
        WorkRefused: It would exclude nobody here: a pooler, a standby, a cluster, a database in memory.
        ConnectError: There is no connection for it.
    """
    lock, backend = _lock_on(name, profile)
    try:
        for pause in _tries(lock, name, backend.profile, wait):
            sleep(pause)
        yield lock
    finally:
        lock.release()


@contextmanager
def guarded_by_lock(profile: Profile, name: str | None, wait: float, supervisor: Supervisor) -> Iterator[None]:
    """Hold a lock for the block, if one is named, and have its supervisor ask before all is committed whether it does.

    Args:
        profile: Whose database.
        name: The lock's name, or None for none.
        wait: Seconds for which another holder of it is waited for.
        supervisor: Supervises the block.
    """
    if name is None:
        yield
        return
    with advisory_lock(name, profile, wait=wait, sleep=supervisor.pause) as lock:
        supervisor.guard = lock.check
        yield


@asynccontextmanager
async def async_advisory_lock(
    name: str, profile: str | Profile | None = None, *, wait: float = 0.0
) -> AsyncIterator[AdvisoryLock]:
    """Hold a lock for the block, as `advisory_lock` does; what the lock's own session waits for holds up no event loop.

    Its `check` waits for an answer: call it in a thread.
    """
    import asyncio

    lock, backend = _lock_on(name, profile)
    tries = _tries(lock, name, backend.profile, wait)
    try:
        while (pause := await asyncio.to_thread(next, tries, None)) is not None:
            await asyncio.sleep(pause)
        yield lock
    finally:
        await asyncio.shield(asyncio.to_thread(lock.release))


def _lock_on(name: str, profile: str | Profile | None) -> tuple[AdvisoryLock, Backend]:
    backend = backend_of(profile if isinstance(profile, Profile) else profile_named(profile))
    file = backend.lock_file(name)
    return (_SessionLock(backend, name) if file is None else FileLock(file)), backend


class AdvisoryLock(Protocol):
    """A lock that is held, or is about to be."""

    def take(self) -> bool:
        """Take it, and return True, unless somebody holds it."""

    def holder(self) -> str:
        """Say who holds it."""

    def check(self) -> None:
        """Do nothing as long as it is held.

        Raises:
            ConnectError: It was lost.
        """

    def release(self) -> None:
        """Let others take it; do nothing where it is not held."""


def _tries(lock: AdvisoryLock, name: str, profile: Profile, wait: float) -> Iterator[float]:
    """Try to take a lock, until it is taken; after each try in vain, yield the seconds to pause before the next."""
    end = time.monotonic() + wait
    pause, longest = _PAUSES
    told = False
    while not lock.take():
        left = end - time.monotonic()
        if left <= 0:
            waited = f" after {wait:g} s" if wait else ""
            message = f'{profile.called}: another run holds the lock "{name}"{waited}: {lock.holder()}'
            raise LockHeld(message, "" if wait else Remedy.WAIT_FOR_LOCK)
        if not told:
            holder = lock.holder()
            waiting = {"event": "waiting", "facts": {"lock": name, "holder": holder, "seconds": wait}}
            _log.info('waiting up to %g s for the lock "%s", which %s holds', wait, name, holder, extra=waiting)
            told = True
        yield min(pause, left)
        pause = min(pause * 2, longest)
    if told:
        seconds = time.monotonic() - end + wait
        goes_on = {"event": "waited", "facts": {"lock": name, "seconds": seconds}}
        _log.info('the lock "%s" is free, and it goes on, after %.0f s', name, seconds, extra=goes_on)


class _SessionLock:
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
        self._called = f'{backend.profile.called}: the lock "{name}"'
        self._lost = f"{self._called} was lost, and nothing more is committed"
        self._engine = build_engine(backend.profile, Missing.REFUSE)
        self._session: Connection | None = None
        self._in_use = threading.RLock()
        self._over = threading.Event()

    def take(self) -> bool:
        with self._in_use:
            if self._over.is_set():
                raise ConnectError(
                    f"{self._called} was given up already", "lock"
                )  # by a task that did not wait for its thread
            if self._session is None:
                self._open()
            try:
                taken = bool(self._ask_all(self._by.take))
            except MissingTable:
                self._make_table()
                taken = bool(self._ask_all(self._by.take))
        if taken:
            threading.Thread(target=self._keep, name="dbctl-lock", daemon=True).start()
        return taken

    def _make_table(self) -> None:
        try:
            self._ask(self._by.table)
        except WorkRefused as error:
            message = f"{self._called} is a row of a table that is not there, and can't be made: {error.message}"
            raise WorkRefused(message, "have it made, or grant CREATE: dbctl help locks") from error

    def _open(self) -> None:
        # Nobody who ends the work is to end what this session asks: it gives the lock back itself.
        with watched_by(None), self._backend.translating():
            self._session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with self._backend.translating(), self._bounded():
            self._backend.refuse_lock(self._session)
            self._by = self._backend.row_lock(self._session) or self._by

    def holder(self) -> str:
        return self._ask(self._by.holder) or "one that has just ended"

    def check(self) -> None:
        try:
            # A cluster that loses a node answers nobody for a while; within its lease a row is nobody else's.
            mine = self._ask_all(self._by.keep, max(self._backend.profile.connect_timeout, self._by.lease))
        except DbctlError as error:
            reason = error.message.removeprefix(f"{self._backend.profile.called}: ")
            raise ConnectError(f"{self._lost}: {reason}", "lock") from error
        if not mine:
            raise ConnectError(f"{self._lost}: the session does not hold it any more", "lock")

    def release(self) -> None:
        self._over.set()
        if not self._in_use.acquire(timeout=_TO_RELEASE):
            self._cut()  # what keeps it waits for a server that is silent
            self._in_use.acquire()
        try:
            if self._session is None:
                return
            with suppress(DbctlError):
                self._ask(self._by.give_back, _TO_RELEASE)
            self._session.invalidate()  # which frees it too, and awaits no answer as a ROLLBACK would
            self._session.close()
            self._session = None
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
        return answering(self._backend, self._session.connection.dbapi_connection, limit)

    def _keep(self) -> None:
        while not self._over.wait(min(_BEAT, self._by.lease / BEATS or _BEAT)):
            with self._in_use:
                if self._over.is_set():
                    return
                try:
                    self.check()
                except DbctlError:
                    return  # the check before the commit will say so
