"""Locks: those that runs take, and those of other transactions that a statement waits for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.lock_statements import LockStatements
from dbctl.errors import Unsupported
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.profiles import Profile

_log = logging.getLogger(__name__)


@record
class Holder:
    """Who holds a lock: a session's number, None where none holds it any more, and the program's name where it has one.

    A transaction that was prepared for two-phase commit holds its locks without a session.
    """

    session: int | None
    program: str | None = None
    kind: str = "session"

    def __str__(self) -> str:
        if self.session is None:
            return "a prepared transaction"
        return f"{self.kind} {self.session}" + (f" ({self.program})" if self.program else "")


@record
class LockWait:
    """That a connection waits for a lock: who holds it, as far as that is told, and what it is."""

    holders: Sequence[Holder]
    what: str = "a lock"


class Locks:
    """The part of a backend that knows locks; what a database has of them is in its package."""

    title: ClassVar[str]
    profile: Profile

    # --- locks of other transactions ---

    @property
    def lock_timeout(self) -> float | None:
        """For how many seconds the server lets a statement wait for one, where the profile says; its own else."""
        return self.profile.lock_timeout

    def lock_holders(self, driver_connection: Any) -> AbstractContextManager[Callable[[], Sequence[Holder]]] | None:
        """Return what asks, from a second connection, who holds what a connection waits for; None where nobody tells.

        It is used in a thread of its own; what it returns asks anew each time, and returns nothing where the connection
        does not wait. What the driver raises, such as for a privilege that the user lacks, passes through.
        """
        return None

    def lock_waits(self, driver_connection: Any) -> AbstractContextManager[Callable[[], LockWait | None]] | None:
        """Return what asks, as `lock_holders` does, whether a connection waits, and for whom; None where nobody tells.

        What it returns returns None where the connection does not wait.
        """
        asking = self.lock_holders(driver_connection)
        return None if asking is None else _waits_by_holders(asking)

    # --- locks of runs ---

    session_lock: ClassVar[LockStatements] = LockStatements((), (), "", "")
    """How a session takes an advisory lock, which is free when the session is gone."""

    def lock_file(self, name: str) -> Path | None:
        """Return the file that stands for a lock of this name, or None where the server has locks.

        Raises:
            WorkRefused: There is nothing that other processes could see.
        """
        return None

    def lock_key(self, name: str) -> int | str:
        """Return what the server calls a lock of this name."""
        raise Unsupported(f"{self.title} has no advisory locks")

    def refuse_lock(self, connection: Connection) -> None:
        """Do nothing where a lock taken here excludes all others.

        Raises:
            WorkRefused: It would exclude nobody, or not all; the message says why.
        """

    @contextmanager
    def ddl_lock(self, connection: Connection) -> Iterator[None]:
        """Hold off every other run that creates or drops tables in this database for the length of the block."""
        yield

    def _tell_of_ddl_wait(self) -> None:
        what = "waiting for another run, which creates or drops tables in this database"
        _log.info(what, extra={"event": "waiting"})


@contextmanager
def _waits_by_holders(
    asking: AbstractContextManager[Callable[[], Sequence[Holder]]],
) -> Iterator[Callable[[], LockWait | None]]:
    with asking as ask:
        yield lambda: LockWait(holders) if (holders := ask()) else None
