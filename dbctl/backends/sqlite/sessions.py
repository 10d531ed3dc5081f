"""SQLite's sessions: the processes of this machine that have the file open."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dbctl.backends.sessions import Sessions, SessionsThere, SessionThere
from dbctl.backends.sqlite.engine import SQLite
from dbctl.backends.sqlite.holders import path_of, processes_at
from dbctl.errors import Unsupported

if TYPE_CHECKING:
    from sqlalchemy import Connection


class SQLiteSessions(Sessions, SQLite):
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
            unseen = f"{whose} can't be looked into" + ("; root can" if os.geteuid() else "")
            untold.append(unseen)
        return SessionsThere(database, sessions, untold, unseen, lists_idle=True)

    def refuse_ending(self) -> None:
        """Refuse: a session here is a process, or a part of one."""
        raise Unsupported("SQLite has no sessions to end", "end the process that has the file open, by its own means")


backend = SQLiteSessions
