"""A run: a function in a unit of work, with its lock, its deadline and its retries. Composed here, and nowhere else.

The command line runs its commands by `perform`; a service runs its own functions by `run`, or has a session for a
block.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar

from dbctl.connections.connector import async_connector, connector
from dbctl.errors import DbctlError
from dbctl.work.deadlines import Deadline
from dbctl.work.gate import Gate
from dbctl.work.locks import async_advisory_lock, guarded_by_lock
from dbctl.work.own_commits import OwnCommits
from dbctl.work.progress import Progress, reported_to
from dbctl.work.retries import Attempts, run_unit
from dbctl.work.sessions import async_unit_of_work, unit_of_work
from dbctl.work.supervision import Supervisor
from dbctl.work.terms import RETRIES, Terms

if TYPE_CHECKING:
    from sqlmodel import Session
    from sqlmodel.ext.asyncio.session import AsyncSession

    from dbctl.connections.connector import Connector
    from dbctl.profiles import Profile
    from dbctl.profiles.model import Isolation
    from dbctl.work.database import Database

T = TypeVar("T")


def run(
    work: Callable[[Session], T],
    profile: str | Profile | None = None,
    *,
    progress: Progress | None = None,
    writes: bool = True,
    dry_run: bool = False,
    retries: int = RETRIES,
    deadline: float | None = None,
    lock: str | None = None,
    lock_wait: float | None = None,
    isolation: Isolation | None = None,
) -> T:
    """Run a function in a unit of work, and again where a deadlock or the like ended it.

        dbctl.run(move, "prod", lock="nightly", deadline=60)

    It runs in a thread of its own, which sees the caller's context variables. An interrupt of the thread that waits
    for it ends it, at the server too; all of it is rolled back.

    Args:
        work: The function, which gets the session. It may be called several times, each time in a new transaction.
        profile: The profile, its name, or None for the one that `dbctl` itself would take.
        progress: What is told of `dbctl.report`ed progress.
        writes: Whether it means to write; on SQLite, a unit that does takes the write lock at its start.
        dry_run: Roll back at the end also where all went well.
        retries: How often it may be run again where other transactions got in its way.
        deadline: Seconds that all of it may take, or None for as long as it takes.
        lock: The name of the lock without which it is not run; the profile's own unless given.
        lock_wait: Seconds for which another holder of the lock is waited for; the profile's own unless given.
        isolation: The isolation level; the profile's, or else the server's, unless given. SQLite's is always the
            highest.

    Raises:
        Contention: Other transactions got in its way each time.
        LockHeld: Another run holds the lock.
        OutOfTime: The deadline is over; all is rolled back.
        DbctlError: What SQLAlchemy or the driver raised, translated; whatever else the function raises passes through.
        TypeError: The function is async: `async_run` runs such.
    """
    terms, supervisor = Terms(writes, dry_run, retries, deadline, lock, lock_wait, isolation), Supervisor()
    found = connector(profile)
    with reported_to(progress):
        return supervisor.run(lambda: perform(found, _refusing_coroutines(work), terms, supervisor), deadline)


def _refusing_coroutines(work: Callable[[Session], T]) -> Callable[[Database], T]:
    """Have a function work on a unit's session, and refuse one of which nothing would be run, as nobody awaits it."""

    def on_unit(unit: Database) -> T:
        result = work(unit.session)
        if isinstance(result, CoroutineType):
            result.close()
            raise TypeError(f"{getattr(work, '__qualname__', work)} is an async function: run it with dbctl.async_run")
        return result

    return on_unit


def perform(
    connector: Connector[Any],
    work: Callable[[Any], T],
    terms: Terms,
    supervisor: Supervisor,
    repeatable: Callable[[], bool] = lambda: True,
    unit: Callable[..., AbstractContextManager[Any]] = unit_of_work,
    commits: OwnCommits | None = None,
) -> T:
    """Run a function on these terms, supervised; the deadline is the supervisor's.

    Args:
        connector: Where to.
        work: The function.
        terms: The terms.
        supervisor: Who runs this.
        repeatable: Tells after a failure whether the function may still be run again.
        unit: What makes a unit of work as a block, with what the function gets.
        commits: What hears of the commits of a function that may commit by itself; then it is not run again.
    """
    before_commit = partial(supervisor.before_commit, writes=terms.writes)
    watched: Callable[[Any], T] = work if commits is None else commits.watching(work)
    if commits is not None:
        commits.watch(connector.sync_engine, connector.backend)
    with locked(connector, terms, supervisor):
        return run_unit(
            connector,
            watched,
            unit=unit,
            retries=terms.retries,
            repeatable=lambda: repeatable() and not (commits and commits.places),
            sleep=supervisor.pause,
            writes=terms.writes,
            dry_run=terms.dry_run,
            strict=True,
            before_commit=partial(commits.conclude, before_commit) if commits else before_commit,
            deadline=supervisor.deadline,
            commits=commits,
            isolation=terms.isolation,
        )


@contextmanager
def locked(connector: Connector[Any], terms: Terms, supervisor: Supervisor) -> Iterator[None]:
    """Hold the lock of these terms for the block, if they have one; what is committed is committed under it."""
    name, wait = _lock_of(connector.profile, terms)
    with guarded_by_lock(connector.profile, name, wait, supervisor):
        yield


@contextmanager
def session(
    profile: str | Profile | None = None,
    *,
    writes: bool = True,
    deadline: float | None = None,
    lock: str | None = None,
    lock_wait: float | None = None,
    isolation: Isolation | None = None,
) -> Iterator[Session]:
    """Open a session on a profile for one unit of work: `with dbctl.session("prod") as session: …`.

    It is committed when the block ends, and rolled back when the block raises.

    Args:
        profile: The profile, its name, or None for the one that `dbctl` itself would take.
        writes: Whether the unit means to write; on SQLite, one that does takes the write lock at its start.
        deadline: Seconds that all of it may take. What the server runs is ended then; what the block computes by
            itself goes on, and is not committed.
        lock: The name of the lock to hold meanwhile; the profile's own unless given.
        lock_wait: Seconds for which another holder of it is waited for; the profile's own unless given.
        isolation: The isolation level; the profile's, or else the server's, unless given. SQLite's is always the
            highest.

    Raises:
        LockHeld: Another run holds the lock.
        OutOfTime: The deadline is over; all is rolled back.
        DbctlError: What SQLAlchemy or the driver raised, translated; whatever else the block raises passes through.
    """
    found, supervisor = connector(profile), Supervisor()
    terms = Terms(writes=writes, deadline=deadline, lock=lock, lock_wait=lock_wait)
    with (
        supervisor.within(deadline),
        locked(found, terms, supervisor),
        unit_of_work(
            found,
            writes=writes,
            strict=True,
            before_commit=partial(supervisor.before_commit, writes=writes),
            deadline=supervisor.deadline,
            isolation=isolation,
        ) as database,
    ):
        yield database.session


# --- asyncio ----------------------------------------------------------------------------------------------------------


async def async_run(
    work: Callable[[AsyncSession], Awaitable[T]],
    profile: str | Profile | None = None,
    *,
    progress: Progress | None = None,
    writes: bool = True,
    dry_run: bool = False,
    retries: int = RETRIES,
    deadline: float | None = None,
    lock: str | None = None,
    lock_wait: float | None = None,
    isolation: Isolation | None = None,
) -> T:
    """Run an async function in an async unit of work, as `run` does; cancelling the task ends it.

    The parameters are those of `run`.
    """
    import asyncio

    terms, found = Terms(writes, dry_run, retries, deadline, lock, lock_wait, isolation), async_connector(profile)
    with reported_to(progress):
        async with _in_time(found.profile, terms) as gate:
            attempts = Attempts(found.backend, retries)
            while True:
                try:
                    async with async_unit_of_work(
                        found,
                        writes=writes,
                        dry_run=dry_run,
                        strict=True,
                        isolation=isolation,
                        **gate.terms,
                    ) as unit:
                        result = await work(unit.session)
                except DbctlError as error:
                    pause = attempts.pause_after(error)
                else:
                    return result
                gate.reopen()
                await asyncio.sleep(pause)


@asynccontextmanager
async def async_session(
    profile: str | Profile | None = None,
    *,
    writes: bool = True,
    deadline: float | None = None,
    lock: str | None = None,
    lock_wait: float | None = None,
    isolation: Isolation | None = None,
) -> AsyncIterator[AsyncSession]:
    """Open an async session on a profile for one unit of work: `async with dbctl.async_session("prod") as session: …`.

    It ends as `session` does; a task that is cancelled in the block rolls it back, and so does the deadline.

    Args:
        profile: The profile, its name, or None for the one that `dbctl` itself would take.
        writes: Whether the unit means to write.
        deadline: Seconds that all of it may take.
        lock: The name of the lock to hold meanwhile; the profile's own unless given.
        lock_wait: Seconds for which another holder of it is waited for; the profile's own unless given.
        isolation: The isolation level; the profile's, or else the server's, unless given. SQLite's is always the
            highest.

    Raises:
        LockHeld: Another run holds the lock.
        OutOfTime: The deadline is over; all is rolled back.
        DbctlError: What SQLAlchemy or the driver raised, translated; whatever else the block raises passes through.
    """
    found, terms = async_connector(profile), Terms(writes=writes, deadline=deadline, lock=lock, lock_wait=lock_wait)
    async with (
        _in_time(found.profile, terms) as gate,
        async_unit_of_work(found, writes=writes, strict=True, isolation=isolation, **gate.terms) as unit,
    ):
        yield unit.session


@asynccontextmanager
async def _in_time(profile: Profile, terms: Terms) -> AsyncIterator[Gate]:
    """Run the block under the lock and within the deadline of these terms."""
    import asyncio

    name, wait = _lock_of(profile, terms)
    deadline = None if terms.deadline is None else Deadline(terms.deadline)
    timeout = asyncio.timeout(terms.deadline)
    try:
        async with timeout:
            if name is None:
                yield Gate(timeout, deadline)
                return
            async with async_advisory_lock(name, profile, wait=wait) as lock:
                yield Gate(timeout, deadline, lock)
    except TimeoutError as error:
        if deadline is None or not timeout.expired():
            raise
        raise deadline.error() from error


def _lock_of(profile: Profile, terms: Terms) -> tuple[str | None, float]:
    wait = profile.lock_wait if terms.lock_wait is None else terms.lock_wait
    return terms.lock if terms.lock is not None else profile.lock, wait
