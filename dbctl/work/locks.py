"""At most one run of a name at a time, on all machines: an advisory lock, beside the transaction that it guards.

A server's lock belongs to a session of its own, so that no transaction stands idle for its sake, and it is free as soon
as that session is gone, whatever became of this process. SQLite has no sessions: there it is a lock on a file beside
the database, which the system frees when the process is gone.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dbctl.backends import backend_of
from dbctl.backends.base import Missing
from dbctl.connections.asking import profile_named
from dbctl.connections.engines import build_engine
from dbctl.connections.response_timeouts import answering
from dbctl.connections.watching import watched_by
from dbctl.errors import ConnectError, DbctlError, LockHeld, Remedy, WorkRefused
from dbctl.profiles import Profile

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
    return (_SessionLock(backend, name) if file is None else _FileLock(file)), backend


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
    """A lock of a server's session, which is used now and then so that it stays."""

    def __init__(self, backend: Backend, name: str) -> None:
        self._backend = backend
        self._key = {"key": backend.lock_key(name)}
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
            taken = bool(self._ask(self._backend.lock_statement))
        if taken:
            threading.Thread(target=self._keep, name="dbctl-lock", daemon=True).start()
        return taken

    def _open(self) -> None:
        # Nobody who ends the work is to end what this session asks: it gives the lock back itself.
        with watched_by(None), self._backend.translating():
            self._session = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with self._backend.translating(), self._bounded():
            self._backend.refuse_lock(self._session)

    def holder(self) -> str:
        found = self._ask(self._backend.lock_holder_statement)
        return f"session {found}" if found else "one that has just ended"

    def check(self) -> None:
        try:
            mine = self._ask(self._backend.own_lock_statement)
        except DbctlError as error:
            reason = error.message.removeprefix(f"{self._backend.profile.called}: ")
            raise ConnectError(f"{self._lost}: {reason}", "lock") from error
        if not mine:
            raise ConnectError(f"{self._lost}: the session does not hold it any more", "lock")

    def release(self) -> None:
        self._over.set()
        with self._in_use:
            if self._session is None:
                return
            with suppress(DbctlError):
                self._ask(self._backend.unlock_statement, _TO_RELEASE)
            self._session.invalidate()  # which frees it too, and awaits no answer as a ROLLBACK would
            self._session.close()
            self._session = None
        self._engine.dispose()

    def _ask(self, statement: str, seconds: float | None = None) -> Any:
        from sqlalchemy import text

        assert self._session is not None
        with self._in_use, self._backend.translating():
            if self._session.invalidated:
                raise ConnectError(f"{self._called} has no session any more", "lock")  # and not: connect anew
            with self._bounded(seconds):
                return self._session.execute(text(statement), self._key).scalar()

    def _bounded(self, seconds: float | None = None) -> answering:
        assert self._session is not None
        limit = seconds or self._backend.profile.connect_timeout
        return answering(self._backend, self._session.connection.dbapi_connection, limit)

    def _keep(self) -> None:
        while not self._over.wait(_BEAT):
            with self._in_use:
                if self._over.is_set():
                    return
                try:
                    self.check()
                except DbctlError:
                    return  # the check before the commit will say so


class _FileLock:
    """A lock on a file, which stays when the lock is gone: to remove it would be to take it from who waits there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self) -> bool:
        import fcntl

        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise WorkRefused(f"the lock's file {self._path} can't be used: {error.strerror}") from error
        if not self._is_there():
            self.release()
            return self.take()
        os.truncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        return True

    def holder(self) -> str:
        assert self._descriptor is not None
        return os.pread(self._descriptor, 200, 0).decode(errors="replace") or "one that has just begun"

    def check(self) -> None:
        if not self._is_there():
            raise ConnectError(f"the lock was lost, and nothing more is committed: {self._path} was removed", "lock")

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_there(self) -> bool:
        """Tell whether the file that is locked is the one that others will find."""
        assert self._descriptor is not None
        own = os.fstat(self._descriptor)
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return False
        return (own.st_dev, own.st_ino) == (found.st_dev, found.st_ino)
