"""SQLite's databases, which are files, and who has one open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbctl.backends.base import Backend
from dbctl.errors import WorkRefused
from dbctl.profiles.files import absolute

_BROKEN = (11, 26)
"""SQLITE_CORRUPT and SQLITE_NOTADB: https://sqlite.org/rescode.html."""


class SQLiteDatabases(Backend):
    """Where the file is, and whether others use it."""

    beside = ("-wal", "-shm", "-journal")  # https://sqlite.org/tempfiles.html

    def be_alone(self, driver_connection: Any) -> None:
        """Leave the write-ahead log, which only who is alone can do; then take the exclusive lock for a moment."""
        driver_connection.execute("PRAGMA journal_mode = DELETE")
        driver_connection.execute("BEGIN EXCLUSIVE")
        driver_connection.execute("ROLLBACK")

    def is_broken(self, error: BaseException | None) -> bool:
        """Look for SQLite's code in what an error came from."""
        while error is not None:
            if getattr(getattr(error, "orig", error), "sqlite_errorcode", 0) & 0xFF in _BROKEN:
                return True
            error = error.__cause__
        return False

    def database_file(self) -> Path | None:
        """Return the file that the profile names."""
        database = self.profile.database
        if self.profile.in_memory or not database or database.startswith("file:"):
            place = database or "a database in memory"
            raise WorkRefused(f"{place} is no file's path: it is neither created nor dropped", "name a file")
        return absolute(database)
