"""SQLite, by Python's own sqlite3."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dbctl.backends.audit import Facts
from dbctl.backends.base import Backend, Identity, Missing
from dbctl.backends.errors import place_told
from dbctl.backends.sqlite import audit
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

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_LOCK_TIMEOUT = 5.0
"""Seconds for which a lock of another process is waited for, unless the profile says; sqlite3's own default."""

_READ_ONLY = "dbctl_read_only"
"""What a connection's `info` has where the last transaction on it was not to write."""

_LONGEST_LOCK = 64
"""Characters of a lock's name in its file's name, which has room for 255 bytes."""

_STEPS_BETWEEN_CHECKS = 10_000
"""Virtual machine instructions between two looks at a statement's deadline: well under a millisecond's worth."""


def _is_missing(args: Any, kwargs: Any) -> bool:
    return not kwargs.get("uri") and not Path(str(args[0])).exists()


class SQLite(Backend):
    """SQLite, in a file or in memory."""

    title = "SQLite"
    drivers = ("sqlite", "sqlite+pysqlite", "sqlite+aiosqlite")
    sync_driver = "sqlite+pysqlite"
    async_driver = "sqlite+aiosqlite"
    needs_host = False
    locks_to_write = True
    # https://www.sqlite.org/rescode.html: an extended code's low byte is its primary code, which stands for the rest
    errors = {
        "no such table": MissingTable,
        "FOREIGN KEY constraint": BrokenReference,
        5: OutOfTime,  # SQLITE_BUSY
        6: OutOfTime,  # SQLITE_LOCKED
        9: OutOfTime,  # SQLITE_INTERRUPT: the progress handler said stop
        13: NoSpace,  # SQLITE_FULL
        14: ConnectError,  # SQLITE_CANTOPEN
        26: ConnectError,  # SQLITE_NOTADB
        18: Conflict,  # SQLITE_TOOBIG
        19: Conflict,  # SQLITE_CONSTRAINT
        20: Conflict,  # SQLITE_MISMATCH
        8: WorkRefused,  # SQLITE_READONLY
        1555: Duplicate,  # SQLITE_CONSTRAINT_PRIMARYKEY
        2067: Duplicate,  # SQLITE_CONSTRAINT_UNIQUE
    }

    heals = (5, 6)
    column_patterns = (r"(?:UNIQUE|NOT NULL) constraint failed: (.+)",)

    @property
    def lock_patience(self) -> float:
        """What SQLite itself waits, and no longer than a statement may take."""
        bounds = (self.profile.lock_timeout or _LOCK_TIMEOUT, self.profile.statement_timeout)
        return min(bound for bound in bounds if bound)

    def isolation_options(self) -> dict[str, Any]:
        """Return none: every transaction is serializable here, which is more than any other level asks for."""
        return {}

    def connect_args(self) -> dict[str, Any]:
        """Return sqlite3's keywords."""
        args: dict[str, Any] = {"timeout": self.lock_patience}
        if self.profile.in_memory:
            args["check_same_thread"] = False
        return args

    def async_connect_args(self) -> dict[str, Any]:
        """Return sqlite3's keywords, which aiosqlite hands on."""
        return self.connect_args()

    def pool_options(self) -> dict[str, Any]:
        """Return those options that mean something here: in memory there is just one connection, and all share it."""
        if not self.profile.in_memory:
            return super().pool_options()
        from sqlalchemy.pool import StaticPool

        return {"poolclass": StaticPool}

    def async_pool_options(self) -> dict[str, Any]:
        """Name the pool that a file's database gets too: SQLAlchemy 2.0 would take none for aiosqlite."""
        if self.profile.in_memory:
            return self.pool_options()
        from sqlalchemy.pool import AsyncAdaptedQueuePool

        return self.pool_options() | {"poolclass": AsyncAdaptedQueuePool}

    def prepare(self, engine: Engine, missing: Missing) -> None:
        """Refuse to create a file unasked, switch foreign keys on, and leave transactions to us.

        In its legacy mode pysqlite begins a transaction only before some statements, so that a CREATE TABLE survives
        ROLLBACK. The cure that SQLAlchemy documents is no isolation level and a BEGIN of our own
        (https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#pysqlite-serializable).
        """
        from sqlalchemy import event

        if missing is not Missing.CREATE and not self.profile.in_memory:
            event.listen(engine, "do_connect", self._refuse if missing is Missing.REFUSE else self._pretend)

        @event.listens_for(engine, "connect")
        def set_up(driver_connection: Any, _record: Any) -> None:
            driver_connection.isolation_level = None
            cursor = driver_connection.cursor()
            cursor.execute("PRAGMA foreign_keys = ON")
            cursor.close()

        @event.listens_for(engine, "begin", insert=True)
        def let_write(connection: Connection) -> None:
            if connection.info.pop(_READ_ONLY, False):
                connection.exec_driver_sql("PRAGMA query_only = OFF")

        if self.profile.statement_timeout:
            event.listen(engine, "before_cursor_execute", self._set_deadline)

    def _refuse(self, _dialect: Any, _record: Any, args: Any, kwargs: Any) -> None:
        if _is_missing(args, kwargs):
            raise ConnectError(
                f"profile {self.profile.name}: there is no database file {self.profile.database}",
                "database",
                Remedy.CREATE_DATABASE,
            )

    def _pretend(self, _dialect: Any, _record: Any, args: Any, kwargs: Any) -> Any:
        return sqlite3.connect(":memory:") if _is_missing(args, kwargs) else None

    def _set_deadline(self, connection: Connection, *_statement: Any) -> None:
        import time

        from sqlalchemy.util import await_only

        driver_connection: Any = connection.connection.driver_connection
        deadline = time.monotonic() + (self.profile.statement_timeout or 0)
        setting = driver_connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_CHECKS)
        if connection.dialect.is_async:
            await_only(setting)

    def begin_statement(self, *, writes: bool) -> str | None:
        """Take the write lock at once to write: a transaction that reads first can't wait for it later."""
        return "BEGIN IMMEDIATE" if writes else "BEGIN"

    def begin_strictly(self, connection: Connection, *, writes: bool) -> None:
        """Have SQLite refuse to write, until the connection's next transaction."""
        if not writes:
            connection.info[_READ_ONLY] = True
            connection.exec_driver_sql("PRAGMA query_only = ON")

    def canceller(self, driver_connection: Any) -> Callable[[], Any]:
        """Interrupt the statement."""
        return driver_connection.interrupt  # type: ignore[no-any-return]

    def identity(self, connection: Connection) -> Identity:
        """Return the library's version and the file; there are no users."""
        # Counting the tables reads the file: SQLite opens anything, and sees only then whether it is a database.
        version, _ = connection.exec_driver_sql("SELECT sqlite_version(), count(*) FROM sqlite_master").one()
        return Identity(self.title, version, None, self.profile.database or ":memory:")

    def facts(self, connection: Connection, *, deep: bool = False) -> Facts:
        """Look at settings and files; with `deep`, check the integrity of all that is in the file."""
        return audit.facts(self, connection, deep=deep)

    def lock_file(self, name: str) -> Path | None:
        """Return a file beside the database."""
        database = self.profile.database
        if self.profile.in_memory or not database or database.startswith("file:"):
            raise WorkRefused(f"a lock would exclude nobody: {database or 'a database in memory'} is no file's path")
        plain = quote(name, safe="")
        short = plain if len(plain) <= _LONGEST_LOCK else hashlib.sha256(name.encode()).hexdigest()
        return Path(f"{Path(database).resolve()}.{short}.lock")

    @contextmanager
    def ddl_lock(self, connection: Connection) -> Iterator[None]:
        """Do nothing more: BEGIN IMMEDIATE holds the one write lock there is."""
        yield

    def driver_errors(self) -> tuple[type[BaseException], ...]:
        """Return sqlite3's base."""
        return (sqlite3.Error,)

    def error_code(self, error: BaseException) -> Any:
        """Return the result code, the primary one unless `errors` tells the extended one from it.

        A missing table and a foreign key are told by their words: the one has no code of its own, the other several.
        """
        words = next((key for key in self.errors if isinstance(key, str) and key in str(error)), None)
        code = getattr(error, "sqlite_errorcode", 0)
        return words or (code if code in self.errors else code & 0xFF)

    def failed_stage(self, error: BaseException) -> str:
        """Name the only step there is."""
        return "database"

    def translate(self, error: BaseException, *, committing: bool = False) -> DbctlError | None:
        """Translate also what sqlite3 refuses before SQLite sees it."""
        if isinstance(error, OverflowError):
            return Conflict(f"a number is out of SQLite's range of 64 bits{place_told(error)}")
        translated = super().translate(error, committing=committing)
        if isinstance(translated, OutOfTime) and translated.heals:
            translated.message += f" by another process (lock timeout: {self.lock_patience:g} s)"
            translated.hint = Remedy.WAIT_LONGER
        return translated


backend = SQLite
