"""At most one run of a name at a time, on all machines: an advisory lock, beside the transaction that it guards.

A server's lock belongs to a session of its own, so that no transaction stands idle for its sake, and it is free as soon
as that session is gone, whatever became of this process. Where the machines of a cluster keep such locks to themselves
it is a row of a table, which they agree upon: its holder renews a lease on it. SQLite has no sessions: there it is a
lock on a file beside the database, which the system frees when the process is gone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from dbctl.backends import backend_of
from dbctl.connections.asking import profile_named
from dbctl.errors import ConnectError, LockHeld, Remedy
from dbctl.profiles import Profile
from dbctl.work.file_locks import FileLock
from dbctl.work.forks import is_over, is_parents, stays_with_parent
from dbctl.work.session_locks import SessionLock

if TYPE_CHECKING:
    from dbctl.backends.base import Backend
    from dbctl.work.supervision import Supervisor

_log = logging.getLogger("dbctl")

_PAUSES = (0.05, 0.5)
"""Seconds between two tries to take a lock: the first, and the longest of those that follow, each twice the last."""


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
        is_over(lock)
        if not is_parents(lock):
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
        is_over(lock)
        if not is_parents(lock):
            await asyncio.shield(asyncio.to_thread(lock.release))


def _lock_on(name: str, profile: str | Profile | None) -> tuple[AdvisoryLock, Backend]:
    backend = backend_of(profile if isinstance(profile, Profile) else profile_named(profile))
    file = backend.lock_file(name)
    lock = SessionLock(backend, name) if file is None else FileLock(file)
    stays_with_parent(lock)
    return lock, backend


class AdvisoryLock(Protocol):
    """A lock that is held, or is about to be."""

    def take(self) -> bool:
        """Take it, and return True, unless somebody holds it."""

    def holder(self) -> str:
        """Say who holds it."""

    @property
    def settling(self) -> float:
        """For how many seconds to wait in any case: whether somebody has it, or is gone, is not known before that."""

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
    while not (taken := _taken(lock, end)):
        left = max(end - time.monotonic(), lock.settling)
        if left <= 0:
            waited = f" after {wait:g} s" if wait else ""
            message = f'{profile.called}: another run holds the lock "{name}"{waited}: {lock.holder()}'
            raise LockHeld(message, "" if wait else Remedy.WAIT_FOR_LOCK)
        if not told:
            holder = "a server that does not answer" if taken is None else lock.holder()
            seconds = max(wait, round(left, 1))
            waiting = {"event": "waiting", "facts": {"lock": name, "holder": holder, "seconds": seconds}}
            _log.info('waiting up to %g s for the lock "%s", which %s holds', seconds, name, holder, extra=waiting)
            told = True
        yield min(pause, left)
        pause = min(pause * 2, longest)
    if told:
        seconds = time.monotonic() - end + wait
        goes_on = {"event": "waited", "facts": {"lock": name, "seconds": seconds}}
        _log.info('the lock "%s" is free, and it goes on, after %.0f s', name, seconds, extra=goes_on)


def _taken(lock: AdvisoryLock, end: float) -> bool | None:
    """Try to take a lock; None where no answer came, as of a cluster that stalls for the length of a schema change."""
    try:
        return lock.take()
    except ConnectError as error:
        if error.stage != "lock" or not error.transient or time.monotonic() >= end:
            raise
        return None
