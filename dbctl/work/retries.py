"""Running a whole unit of work again, in a new transaction, where other transactions got in its way.

PostgreSQL and MySQL both say that a program has to be ready for that:
https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html and
https://dev.mysql.com/doc/refman/8.4/en/innodb-deadlocks-handling.html. What is run again must do all its work in the
database, so that a rollback leaves nothing of it; who hands it over vouches for that.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from dbctl.connections.engines import backend_and_async_engine, backend_and_engine
from dbctl.errors import DbctlError, OutOfTime
from dbctl.work.sessions import async_unit_of_work, unit_of_work

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlmodel import Session
    from sqlmodel.ext.asyncio.session import AsyncSession

    from dbctl.backends.base import Backend
    from dbctl.profiles import Profile
    from dbctl.work.database import Database

T = TypeVar("T")

RETRIES = 3
_FIRST_PAUSE = 0.05
"""Seconds; each pause is twice the one before, and each up to a half shorter, so that those who met do not again."""

_log = logging.getLogger("dbctl")


def run(
    work: Callable[[Session], T],
    profile: str | Profile | None = None,
    *,
    writes: bool = True,
    retries: int = RETRIES,
) -> T:
    """Run a function in a unit of work, and again where a deadlock or the like ended it: `dbctl.run(move, "prod")`.

    Args:
        work: The function, which gets the session. It may be called several times, each time in a new transaction.
        profile: The profile, its name, or None for the one that `dbctl` itself would take.
        writes: Whether it means to write.
        retries: How often it may be run again.

    Raises:
        Contention: Other transactions got in its way each time.
        DbctlError: What SQLAlchemy or the driver raised, translated; whatever else the function raises passes through.
    """
    backend, engine = backend_and_engine(profile)
    return run_unit(engine, backend, lambda unit: work(unit.session), retries=retries, writes=writes, strict=True)


async def async_run(
    work: Callable[[AsyncSession], Awaitable[T]],
    profile: str | Profile | None = None,
    *,
    writes: bool = True,
    retries: int = RETRIES,
) -> T:
    """Run an async function in an async unit of work, as `run` does."""
    import asyncio

    backend, engine = backend_and_async_engine(profile)
    attempts = Attempts(backend, retries)
    while True:
        try:
            async with async_unit_of_work(engine, backend, writes=writes, strict=True) as unit:
                result = await work(unit.session)
        except DbctlError as error:
            pause = attempts.pause_after(error)
        else:
            return result
        await asyncio.sleep(pause)


def run_unit(
    engine: Engine,
    backend: Backend,
    work: Callable[[Database], T],
    *,
    retries: int,
    sleep: Callable[[float], Any] = time.sleep,
    **terms: Any,
) -> T:
    """Run a command's function in a unit of work, and again where a deadlock or the like ended it.

    Args:
        engine: Where to connect.
        backend: The engine's backend.
        work: The function.
        retries: How often it may be run again.
        sleep: Called with the seconds of a pause.
        terms: What `unit_of_work` takes besides.
    """
    attempts = Attempts(backend, retries)
    while True:
        try:
            with unit_of_work(engine, backend, **terms) as database:
                result = work(database)
        except DbctlError as error:
            pause = attempts.pause_after(error)
        else:
            return result
        sleep(pause)


class Attempts:
    """How often something has been run, and whether it is run again. Nothing here waits.

    Args:
        backend: The backend, which knows how long a lock may be waited for.
        retries: How often it may be run again.
    """

    def __init__(self, backend: Backend, retries: int) -> None:
        self._backend = backend
        self._retries = retries
        self._made = 0
        self._began = time.monotonic()

    def pause_after(self, error: DbctlError) -> float:
        """Return for how many seconds to pause before the next run, and say what it is for.

        Raises:
            DbctlError: The error itself: no further run would heal it, or may be made.
        """
        waited = time.monotonic() - self._began
        if not error.heals or (isinstance(error, OutOfTime) and waited >= self._backend.lock_patience):
            raise error
        if self._made == self._retries:
            if self._made:
                error.message += f", {self._made + 1} times in a row"
            raise error
        self._made += 1
        pause: float = _FIRST_PAUSE * 2**self._made * random.uniform(0.5, 1)
        _log.info("%s; retry %d of %d in %.2f s", error.message, self._made, self._retries, pause)
        return pause
