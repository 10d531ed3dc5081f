"""SQLite, by Python's own sqlite3."""

from __future__ import annotations

import hashlib
import os
import string
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dbctl.backends.base import Backend, Identity, Missing
from dbctl.backends.sqlite.connections import BEGIN, Deadline, marking_connection, sharing_memory
from dbctl.backends.sqlite.databases import SQLiteDatabases
from dbctl.backends.sqlite.errors import SQLiteErrors
from dbctl.backends.sqlite.files import is_missing, missing_directory, refuse_missing
from dbctl.backends.sqlite.locks import SQLiteLocks
from dbctl.backends.sqlite.options import OPTIONS, URI, uri_problems
from dbctl.backends.sqlite.queries import SQLiteQueries
from dbctl.errors import ConnectError, WorkRefused
from dbctl.profiles.files import absolute
from dbctl.profiles.query import as_list

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL, ExceptionContext

    from dbctl.backends.audit import Facts
    from dbctl.profiles.model import Isolation

_READ_ONLY = "dbctl_read_only"
"""What a connection's `info` has where the last transaction on it was not to write."""

_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

_LONGEST_LOCK = 64
"""Characters of a lock's name in its file's name, which has room for 255 bytes."""

_STEPS_BETWEEN_CHECKS = 10_000
"""Virtual machine instructions between two looks at a statement's deadline: well under a millisecond's worth."""

_BETWEEN_INTERRUPTS = 0.05
"""Seconds; an interrupt that comes before a statement has begun does not end it, and so is sent again."""


def _end_what_nobody_awaits(context: ExceptionContext) -> None:
    """Have aiosqlite's thread end what it runs for a task that was cancelled; whatever came next would wait for it."""
    if context.connection is not None and not isinstance(context.original_exception, Exception):
        from sqlalchemy.util import await_only

        await_only(_interrupt(context.connection.connection.driver_connection))


async def _interrupt(driver_connection: Any) -> None:
    import asyncio

    idle = asyncio.ensure_future(driver_connection.set_progress_handler(None, 0))  # in turn, after what is under way
    while not idle.done():
        await driver_connection.interrupt()
        await asyncio.wait([idle], timeout=_BETWEEN_INTERRUPTS)
    # SQLAlchemy closes it, which alone would free no lock while a cursor has a statement, as the traceback's has.
    await driver_connection.rollback()


def _opens_missing(args: Any, kwargs: Any) -> bool:
    """Tell whether a connect would be to a path where no file is; a URI says itself what is to be done."""
    return not kwargs.get("uri") and is_missing(str(args[0]))


class SQLite(SQLiteErrors, SQLiteQueries, SQLiteDatabases, SQLiteLocks, Backend):
    """SQLite, in a file or in memory."""

    title = "SQLite"
    drivers = ("sqlite", "sqlite+pysqlite", "sqlite+aiosqlite")
    sync_driver = "sqlite+pysqlite"
    async_driver = "sqlite+aiosqlite"
    other_drivers = ("sqlite3",)
    schemes = ("sqlite",)
    needs_host = False
    adds_constraints = False
    locks_to_write = True
    options = OPTIONS

    def engine_url(self, driver: str | None = None) -> URL:
        """Return what `Backend.engine_url` does, where the file can be found: SQLAlchemy makes its path absolute."""
        database = self.profile.database
        if database and not self.profile.in_memory and not database.startswith("file:"):
            absolute(database)
        return super().engine_url(driver)

    @cached_property
    def _sharing_memory(self) -> Callable[..., None]:
        return sharing_memory()  # among all engines of this backend

    def isolation_options(self, level: Isolation | None) -> dict[str, Any]:
        """Return none: every transaction is serializable here, which is more than any other level asks for."""
        return {}

    def problems(self) -> Iterator[str]:
        """Yield also what a file's URL has no place for, which is its path where it follows two slashes only."""
        profile = self.profile
        if place := next((key for key in ("host", "port", "user", "password") if getattr(profile, key)), None):
            where = profile.origins.get(place, profile.called)
            example = "/".join(filter(None, (profile.host, profile.database))) if place == "host" else "data/app.db"
            yield (
                f"{where}: {place}: SQLite has no server; a path follows three slashes where it is relative"
                f" (sqlite:///{example}), four where it begins at the root (sqlite:////{example})"
            )
            return
        yield from super().problems()
        yield from uri_problems(profile)

    def url_query(self) -> Mapping[str, str]:
        """Return what SQLAlchemy makes a URI of, for SQLite itself."""
        return {key: as_list(value)[-1] for key, value in self.profile.query.items() if key in {*URI, "uri"}}

    def connect_args(self) -> dict[str, Any]:
        """Return sqlite3's keywords."""
        args: dict[str, Any] = self.told() | {
            "timeout": self.lock_patience,
            "factory": marking_connection(self.profile),
        }
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

        if self.profile.in_memory:
            event.listen(engine, "do_connect", self._sharing_memory)
        else:
            event.listen(engine, "do_connect", self._refuse_directory)
            if missing is not Missing.CREATE:
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

        if engine.dialect.is_async:
            event.listen(engine, "handle_error", _end_what_nobody_awaits)
        if self.profile.statement_timeout:
            event.listen(engine, "before_cursor_execute", self._set_deadline)

    def _refuse_directory(self, _dialect: Any, _record: Any, _args: Any, kwargs: Any) -> None:
        path = self.profile.database or ""
        if not kwargs.get("uri") and (directory := missing_directory(path)):
            raise ConnectError(
                f"{self.profile.called}: there is no directory {directory} for the database file {path}",
                "database",
                "create the directory, or correct the path",
            )

    def _refuse(self, _dialect: Any, _record: Any, args: Any, kwargs: Any) -> None:
        if _opens_missing(args, kwargs):
            refuse_missing(self.profile)

    def _pretend(self, _dialect: Any, _record: Any, args: Any, kwargs: Any) -> None:
        if _opens_missing(args, kwargs):
            args[0] = ":memory:"

    def _set_deadline(self, connection: Connection, *_statement: Any) -> None:
        from sqlalchemy.util import await_only

        driver_connection: Any = connection.connection.driver_connection
        deadline = Deadline(self.profile.statement_timeout or 0)
        setting = driver_connection.set_progress_handler(deadline, _STEPS_BETWEEN_CHECKS)
        if connection.dialect.is_async:
            await_only(setting)

    def begin_statement(self, *, writes: bool) -> str | None:
        """Take the write lock at once to write: a transaction that reads first can't wait for it later."""
        return f"{BEGIN} IMMEDIATE" if writes else BEGIN

    def has_ended(self, connection: Connection) -> bool:
        """Ask the driver, sqlite3 or aiosqlite, which asks SQLite itself."""
        return not connection.connection.driver_connection.in_transaction  # type: ignore[union-attr]

    def prepare_migrations(self, engine: Engine) -> None:
        """Leave foreign keys off, as SQLite itself does: to alter a table is to drop it, which would cascade.

        https://sqlite.org/lang_altertable.html#otheralter
        """
        from sqlalchemy import event

        @event.listens_for(engine, "connect")
        def switch_off(driver_connection: Any, _record: Any) -> None:
            cursor = driver_connection.cursor()
            cursor.execute("PRAGMA foreign_keys = OFF")
            cursor.close()

    def leads_here(self, connection: Connection, other: Connection) -> bool:
        """Compare the files."""
        if other.dialect.name != connection.dialect.name:
            return False
        query = "SELECT file FROM pragma_database_list WHERE name = 'main'"
        own, theirs = (one.exec_driver_sql(query).scalar() for one in (connection, other))
        return bool(own and theirs and os.path.samefile(own, theirs))

    def in_transaction(self, driver_connection: Any) -> bool:
        """Ask the driver, sqlite3 or aiosqlite."""
        return bool(driver_connection.in_transaction)

    def limit_lock_waits(self, connection: Connection, seconds: float | None) -> None:
        """Do nothing: what waits here is a transaction that begins to write, and that is bounded when it connects."""

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

    def name_folder(self, connection: Connection) -> Callable[[str], str]:
        """Fold ASCII's letters, and no others."""
        return lambda name: name.translate(_ASCII_LOWER)

    def before_drops(self, connection: Connection) -> None:
        """Look at foreign keys at the end alone: until the transaction's next COMMIT or ROLLBACK."""
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")

    def facts(self, connection: Connection, *, deep: bool = False) -> Facts:
        """Look at settings and files; with `deep`, check the integrity of all that is in the file."""
        from dbctl.backends.sqlite import audit

        return audit.facts(self, connection, deep=deep)

    def lock_file(self, name: str) -> Path | None:
        """Return a file beside the database."""
        database = self.profile.database
        if self.profile.in_memory or not database or database.startswith("file:"):
            raise WorkRefused(f"a lock would exclude nobody: {database or 'a database in memory'} is no file's path")
        plain = quote(name, safe="")
        short = plain if len(plain) <= _LONGEST_LOCK else hashlib.sha256(name.encode()).hexdigest()
        try:
            return Path(f"{absolute(database).resolve()}.{short}.lock")
        except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself, up to Python 3.12
            raise WorkRefused(
                f"a lock would exclude nobody: {database}: {getattr(error, 'strerror', error)}"
            ) from error

    @contextmanager
    def ddl_lock(self, connection: Connection) -> Iterator[None]:
        """Do nothing more: BEGIN IMMEDIATE holds the one write lock there is."""
        yield


backend = SQLite
