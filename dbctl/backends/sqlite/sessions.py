"""SQLite's sessions: the processes of this machine that have the file open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbctl.backends.base import Backend
from dbctl.backends.locks import Holder, LockWait
from dbctl.backends.sessions import SessionsThere, SessionThere, State
from dbctl.backends.sqlite.holders import path_of, processes_at
from dbctl.errors import Unsupported

if TYPE_CHECKING:
    from sqlalchemy import Connection


class SQLiteSessions(Backend):
    """Who has the file open."""

    def sessions_there(self, connection: Connection) -> SessionsThere:
        """Look at the system's processes and locks; of who waits the system knows nothing."""
        database = self.profile.database
        if self.profile.in_memory or not database:
            return SessionsThere(database, (), ("a database in memory is this process's own",))
        if not os.path.isdir("/proc/self/fd"):
            return SessionsThere(database, (), ("this system does not tell which processes have a file open",))
        found, hidden = processes_at(path_of(database))
        sessions = [
            SessionThere(each.pid, each.state, user=each.user, database=database, application=each.command)
            for each in found
        ]
        untold = ["SQLite does not tell who waits; who writes keeps all others from writing"]
        unseen = None
        if hidden:
            whose = "1 process of another user" if hidden == 1 else f"{hidden} processes of other users"
            unseen = f"{whose} can't be looked into; root can"
            untold.append(unseen)
        return SessionsThere(database, sessions, untold, unseen, lists_idle=True)

    def refuse_ending(self) -> None:
        """Refuse: a session here is a process, or a part of one."""
        raise Unsupported("SQLite has no sessions to end", "end the process that has the file open, by its own means")

    @contextmanager
    def lock_waits(self, driver_connection: Any) -> Iterator[Callable[[], LockWait | None]]:
        """Look who writes, where this connection has still to begin, or who lets nobody read."""
        database = self.profile.database

        def ask() -> LockWait | None:
            begins = not driver_connection.in_transaction
            if self.profile.in_memory or not database or not os.path.isdir("/proc/self/fd"):
                return None
            found, _ = processes_at(path_of(database))
            holding = [each for each in found if each.excludes or (begins and each.state is State.WRITING)]
            return LockWait(_named(holding), "the file's lock") if begins or holding else None

        yield ask


def _named(processes: Sequence[Any]) -> Sequence[Holder]:
    return [Holder(each.pid, each.command, kind="process") for each in processes]
