"""Sessions: who is connected to a database, what each does and whom it waits for, and how one is ended."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from dbctl.backends.base import Backend
from dbctl.errors import Unsupported
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection


class State(StrEnum):
    """What a session does."""

    ACTIVE = "active"
    WAITING = "waiting"
    IDLE = "idle"
    IDLE_IN_TRANSACTION = "idle in transaction"
    IDLE_IN_FAILED_TRANSACTION = "idle in failed transaction"
    PREPARED = "prepared"
    READING = "reading"
    WRITING = "writing"
    NOT_TOLD = "not told"


IN_TRANSACTION = frozenset({State.IDLE_IN_TRANSACTION, State.IDLE_IN_FAILED_TRANSACTION})
"""What a session does that holds a transaction, and its locks, for a client that asks nothing."""


@record
class SessionThere:
    """A session, as its server tells of it; None is what the server, or the file, does not tell.

    Args:
        id: Its number; of a transaction that is prepared, and has no session, a text that names it.
        state: What it does.
        seconds: For how long it has done that.
        transaction_seconds: How old its transaction is.
        user: As whom it is logged in.
        database: Which database it is in.
        application: The program, as it names itself.
        client: Where it comes from.
        statement: What it runs, or ran last.
        waits_for: What it waits for, in the server's words.
        blocked_by: Whose locks it waits for.
        suspects: Who may hold what it waits for, where nobody tells who does.
        is_own: Whether it is the session that asks.
        is_superuser: Whether it is a superuser's, or one of the server's own.
        is_client: Whether it is a client's.
        born: When it began, as the server writes it; one who comes later may have the same number.
    """

    id: int | str
    state: State
    seconds: float | None = None
    transaction_seconds: float | None = None
    user: str | None = None
    database: str | None = None
    application: str | None = None
    client: str | None = None
    statement: str | None = None
    waits_for: str | None = None
    blocked_by: Sequence[int | str] = ()
    suspects: Sequence[int | str] = ()
    is_own: bool = False
    is_superuser: bool = False
    is_client: bool = True
    born: str = ""

    @property
    def who(self) -> str:
        """Who it is: the user, the program, where it comes from."""
        return ", ".join(filter(None, (self.user, self.application, self.client)))


@record
class SessionsThere:
    """All sessions of a server that it tells of.

    Args:
        database: The database that was asked in.
        sessions: The sessions.
        untold: What it does not tell, and what would have it tell that: a sentence each.
        unseen: Of that, what says that there may be other sessions than these; None where there are none.
        lists_idle: Whether those that are idle are of interest too: they are few, and have the file open.
    """

    database: str | None
    sessions: Sequence[SessionThere]
    untold: Sequence[str] = ()
    unseen: str | None = None
    lists_idle: bool = False


class Sessions(Backend):
    """The part of a backend that knows sessions; what a database tells of them is in its package."""

    def sessions_there(self, connection: Connection) -> SessionsThere:
        """Ask for all sessions; what the user may not see is said in words."""
        raise Unsupported(f"{self.title} does not tell of its sessions")

    def is_gone(self, error: BaseException) -> bool:
        """Tell whether the driver's error says that there is no such session to end any more."""
        return False

    def refuse_ending(self) -> None:
        """Do nothing where sessions can be ended.

        Raises:
            Unsupported: There is none to end.
        """

    def end_session(self, connection: Connection, session: SessionThere, *, terminate: bool) -> None:
        """Have the server cancel what a session runs, or end the session itself; nobody waits for that here.

        Args:
            connection: Another connection than the session's.
            session: The session.
            terminate: Whether to end the session, and not only what it runs.

        Raises:
            DBAPIError: The user may not.
        """
        raise Unsupported(f"{self.title} has no sessions to end")
