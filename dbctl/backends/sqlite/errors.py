"""What SQLite's errors mean, by Python's own sqlite3."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from dbctl.backends.errors import Diagnosis, Meaning, place_told
from dbctl.backends.sqlite.files import is_missing
from dbctl.errors import (
    BrokenReference,
    Conflict,
    ConnectError,
    DbctlError,
    Duplicate,
    MissingTable,
    NoSpace,
    OutOfTime,
    Remedy,
    WorkRefused,
)

_OF_THE_FILE = (14, 26)
"""The codes that say that the file can't be opened, or is no database."""

_LOCK_TIMEOUT = 5.0
"""Seconds for which a lock of another session is waited for, unless the profile says; sqlite3's own default."""

# https://www.sqlite.org/rescode.html: an extended code's low byte is its primary code, which stands for the rest
MEANINGS: Mapping[int | str, Meaning] = {
    "no such table": Meaning(MissingTable),
    "FOREIGN KEY constraint": Meaning(BrokenReference),
    5: Meaning(OutOfTime, heals=True),  # SQLITE_BUSY
    6: Meaning(OutOfTime, heals=True),  # SQLITE_LOCKED
    8: Meaning(WorkRefused),  # SQLITE_READONLY
    9: Meaning(OutOfTime),  # SQLITE_INTERRUPT: the progress handler said stop
    13: Meaning(NoSpace),  # SQLITE_FULL
    14: Meaning(ConnectError),  # SQLITE_CANTOPEN
    18: Meaning(Conflict),  # SQLITE_TOOBIG
    19: Meaning(Conflict),  # SQLITE_CONSTRAINT
    20: Meaning(Conflict),  # SQLITE_MISMATCH
    26: Meaning(ConnectError),  # SQLITE_NOTADB
    1555: Meaning(Duplicate),  # SQLITE_CONSTRAINT_PRIMARYKEY
    2067: Meaning(Duplicate),  # SQLITE_CONSTRAINT_UNIQUE
}


class SQLiteErrors(Diagnosis):
    """How sqlite3's errors are read."""

    meanings = MEANINGS
    column_patterns = (r"(?:UNIQUE|NOT NULL) constraint failed: (.+)",)

    @property
    def lock_patience(self) -> float:
        """What SQLite itself waits, and no longer than a statement may take."""
        bounds = (self.profile.lock_timeout or _LOCK_TIMEOUT, self.profile.statement_timeout)
        return min(bound for bound in bounds if bound)

    def driver_errors(self) -> tuple[type[BaseException], ...]:
        """Return sqlite3's base."""
        return (sqlite3.Error,)

    def error_code(self, error: BaseException) -> Any:
        """Return the result code, the primary one unless the table tells the extended one from it.

        A missing table and a foreign key are told by their words: the one has no code of its own, the other several.
        """
        words = next((key for key in self.meanings if isinstance(key, str) and key in str(error)), None)
        code = getattr(error, "sqlite_errorcode", 0)
        return words or (code if code in self.meanings else code & 0xFF)

    def error_text(self, error: BaseException) -> str:
        """Return SQLite's words, and with them the file that is the trouble, and why the system refuses it."""
        text, file, code = super().error_text(error), self.profile.database, self.error_code(error)
        if code not in {*_OF_THE_FILE, sqlite3.SQLITE_READONLY} or not file or file.startswith("file:") or file in text:
            return text
        return f"{text}: {file}{_reason(file)}"

    def lost_error(self, error: BaseException) -> ConnectError:
        """Say that it could not be opened, which SQLite finds out with the first statement."""
        return self.connect_error(error) if self.error_code(error) in _OF_THE_FILE else super().lost_error(error)

    def connect_error(self, error: BaseException) -> ConnectError:
        """Do not advise to create what is there, and is another kind of file."""
        said = super().connect_error(error)
        if self.error_code(error) == sqlite3.SQLITE_NOTADB:
            said.hint = "name a file of SQLite's"
        elif not is_missing(file := self.profile.database or ""):
            said.hint = _way_to_read(file) if _is_in_wal(file) else ""
        return said

    def failed_stage(self, error: BaseException) -> str:
        """Name the only step there is."""
        return "database"

    def refused_value(self, error: BaseException) -> DbctlError | None:
        """Translate what sqlite3 refuses before SQLite sees it."""
        if isinstance(error, OverflowError):
            return Conflict(f"a number is out of SQLite's range of 64 bits{place_told(error)}")
        return None

    def translate(self, error: BaseException, *, committing: bool = False) -> DbctlError | None:
        """Say also for how long a lock was waited for, of whoever's, here or in another process; in memory none is."""
        translated = super().translate(error, committing=committing)
        if isinstance(translated, OutOfTime) and translated.heals and not self.profile.in_memory:
            translated.message += f" by another session or process (lock timeout: {self.lock_patience:g} s)"
            translated.hint = Remedy.WAIT_LONGER
        return translated


def _way_to_read(file: str) -> str:
    """Return how a file in WAL mode is read beside which nothing can be made; what its log has is no part of it.

    https://www.sqlite.org/wal.html#read_only_databases
    """
    in_wal = "it is in WAL mode, in which also who reads makes files beside it: copy it to where that can be done"
    try:
        if os.path.getsize(f"{file}-wal"):
            return f"{in_wal}, together with {file}-wal"
    except FileNotFoundError:
        pass
    except OSError:
        return in_wal
    return f"{in_wal}, or read it as it stands, at sqlite:///file:{quote(file)}?immutable=1&uri=true"


def _is_in_wal(file: str) -> bool:
    """Tell by the header whether a file can be read, and is in WAL mode: https://www.sqlite.org/fileformat.html."""
    try:
        with open(file, "rb") as opened:
            return opened.read(20)[18:] == b"\2\2"
    except OSError:
        return False


def _reason(file: str) -> str:
    """Return why the operating system does not let a file be opened, or made, with a colon; "" where it tells none."""
    directory = os.path.dirname(file) or "."
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        if not os.path.isdir(directory):
            return f": there is no directory {directory}"
        return "" if os.access(directory, os.W_OK | os.X_OK) else f": nothing can be made in {directory}"
    except OSError as error:
        return f": {error.strerror}"
    # SQLite makes its journal beside the file.
    return "" if os.access(directory, os.W_OK | os.X_OK) else f": nothing can be made in {directory}"
