"""SQLite's one lock, the file's, and which processes have it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dbctl.backends.base import Backend
from dbctl.backends.locks import Holder, LockWait


class SQLiteLocks(Backend):
    """Who has the file's lock."""

    @contextmanager
    def lock_waits(self, driver_connection: Any) -> Iterator[Callable[[], LockWait | None]]:
        """Look who writes, where this connection has still to begin, or who lets nobody read."""
        from dbctl.backends.sessions import State
        from dbctl.backends.sqlite.holders import path_of, processes_at

        database = self.profile.database
        # What the driver's `in_transaction` asks, newer SQLite (seen: 3.53) answers when the statement has ended, and
        # until then nothing of this process goes on.
        own = getattr(driver_connection, "_conn", driver_connection)  # aiosqlite has the driver's own in it

        def ask() -> LockWait | None:
            begins = own.watched and not own.begun
            if self.profile.in_memory or not database or not os.path.isdir("/proc/self/fd"):
                return None
            found, _ = processes_at(path_of(database))
            holding = [each for each in found if each.excludes or (not own.begun and each.state is State.WRITING)]
            return LockWait(_named(holding), "the file's lock") if begins or holding else None

        yield ask


def _named(processes: Sequence[Any]) -> Sequence[Holder]:
    return [Holder(each.pid, each.command, kind="process") for each in processes]
