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
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from dbctl.errors import DbctlError, OutOfTime
from dbctl.work.sessions import unit_of_work

if TYPE_CHECKING:
    from dbctl.backends.base import Backend
    from dbctl.connections.connector import Connector

T = TypeVar("T")

_FIRST_PAUSE = 0.05
"""Seconds; each pause is twice the one before, and each up to a half shorter, so that those who met do not again."""

_log = logging.getLogger("dbctl")


def run_unit(
    connector: Connector[Any],
    work: Callable[[Any], T],
    *,
    unit: Callable[..., AbstractContextManager[Any]] = unit_of_work,
    retries: int,
    repeatable: Callable[[], bool] = lambda: True,
    sleep: Callable[[float], Any] = time.sleep,
    **terms: Any,
) -> T:
    """Run a command's function in a unit of work, and again where a deadlock or the like ended it.

    Args:
        connector: Where to connect.
        work: The function.
        unit: What makes a unit of work as a block, with what the function gets.
        retries: How often it may be run again.
        repeatable: Tells after a failure whether it still may: not where something of it was shown already.
        sleep: Called with the seconds of a pause.
        terms: What `unit_of_work` takes besides.
    """
    attempts = Attempts(connector.backend, retries)
    while True:
        try:
            with unit(connector, **terms) as database:
                result = work(database)
        except DbctlError as error:
            if not repeatable():
                raise
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
        again = {"event": "retry", "facts": {"retry": self._made, "retries": self._retries, "seconds": pause}}
        _log.info("%s; retry %d of %d in %.2f s", error.message, self._made, self._retries, pause, extra=again)
        return pause
