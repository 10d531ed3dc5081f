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
from dbctl.backends.cursors import marking
from dbctl.backends.sqlite import audit
from dbctl.backends.sqlite.errors import SQLiteErrors
from dbctl.errors import ConnectError, Remedy, WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from dbctl.profiles import Profile

_READ_ONLY = "dbctl_read_only"
"""What a connection's `info` has where the last transaction on it was not to write."""

_LONGEST_LOCK = 64
"""Characters of a lock's name in its file's name, which has room for 255 bytes."""

_ASKING = ("execute", "executemany", "executescript", "fetchone", "fetchmany", "fetchall", "__next__")
"""What sqlite3's cursors read or write the database by."""

_STEPS_BETWEEN_CHECKS = 10_000
"""Virtual machine instructions between two looks at a statement's deadline: well under a millisecond's worth."""


def _is_missing(args: Any, kwargs: Any) -> bool:
    return not kwargs.get("uri") and not Path(str(args[0])).exists()


def marking_connection(profile: Profile) -> type[sqlite3.Connection]:
    """Return a class of connections whose cursors mark what they raise."""
    cursors = marking(sqlite3.Cursor, _ASKING, profile)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = cursors) -> Any:
            return super().cursor(factory)

    return Connection


class SQLite(SQLiteErrors, Backend):
    """SQLite, in a file or in memory."""

    title = "SQLite"
    drivers = ("sqlite", "sqlite+pysqlite", "sqlite+aiosqlite")
    sync_driver = "sqlite+pysqlite"
    async_driver = "sqlite+aiosqlite"
    needs_host = False
    locks_to_write = True

    def isolation_options(self) -> dict[str, Any]:
        """Return none: every transaction is serializable here, which is more than any other level asks for."""
        return {}

    def connect_args(self) -> dict[str, Any]:
        """Return sqlite3's keywords."""
        args: dict[str, Any] = {"timeout": self.lock_patience, "factory": marking_connection(self.profile)}
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
                f"{self.profile.called}: there is no database file {self.profile.database}",
                "database",
                Remedy.CREATE_DATABASE,
            )

    def _pretend(self, _dialect: Any, _record: Any, args: Any, kwargs: Any) -> Any:
        return sqlite3.connect(":memory:", factory=kwargs["factory"]) if _is_missing(args, kwargs) else None

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


backend = SQLite
