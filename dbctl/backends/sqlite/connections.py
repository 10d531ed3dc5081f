"""The driver's connections, made to mark what they raise, and to notice a transaction that has ended behind our back.

SQLite itself rolls all back for some errors (OR ROLLBACK, a full disk, an interrupted write), and a statement of one's
own may end the transaction too. Nothing tells, and each statement that followed would be committed by itself.
https://www.sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from dbctl.backends.cursors import marking
from dbctl.backends.origins import note_statement_timeout

if TYPE_CHECKING:
    from dbctl.profiles import Profile

BEGIN = "BEGIN"
"""What the statement begins with by which each transaction of dbctl's engines begins."""

ENDED = "the transaction was ended before its time, by a statement or for an error that was passed over"

_numbers = count()
"""Of this process's databases in memory; those of another one are its own."""

_ASKING = ("execute", "executemany", "executescript", "fetchone", "fetchmany", "fetchall", "__next__")
"""What sqlite3's cursors read or write the database by."""


class Deadline:
    """A progress handler that ends a statement which takes too long, and knows whether it did.

    Args:
        seconds: How long it may take from now on.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.over = seconds, False
        self._end = time.monotonic() + seconds

    def __call__(self) -> bool:
        """Tell SQLite whether to interrupt the statement."""
        self.over = time.monotonic() > self._end
        return self.over


class TransactionConnection(sqlite3.Connection):
    """A connection that runs and commits nothing more in a transaction that has ended."""

    deadline: Any = None
    """The progress handler."""

    watched = True
    """Whether its transactions are dbctl's, of which the end is looked for, and not those of a script."""
    begun = False
    """Whether a transaction has been begun, and neither committed nor rolled back by its connection."""

    def refuse_ended(self) -> None:
        """Do nothing where the transaction that was begun is still there, or none was.

        Raises:
            sqlite3.OperationalError: It has ended.
        """
        if self.begun and not self.in_transaction:
            raise sqlite3.OperationalError(ENDED)

    def set_progress_handler(self, handler: Any, /, *steps: int) -> None:
        """Keep it beside having it called."""
        self.deadline = handler
        super().set_progress_handler(handler, *steps)

    # The driver's own of these three make a cursor past `cursor`.

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        """Run a statement by a new cursor."""
        return self.cursor().execute(*statement)

    def executemany(self, *statement: Any) -> sqlite3.Cursor:
        """Run a statement many times by a new cursor."""
        return self.cursor().executemany(*statement)

    def executescript(self, *script: Any) -> sqlite3.Cursor:
        """Run a script by a new cursor."""
        return self.cursor().executescript(*script)

    def commit(self) -> None:
        """Commit the transaction."""
        self.refuse_ended()
        super().commit()
        self.begun = False

    def rollback(self) -> None:
        """Roll it back, if it is still there."""
        self.begun = False
        super().rollback()


class _Cursor(sqlite3.Cursor):
    connection: TransactionConnection

    def execute(self, sql: str, *parameters: Any) -> Self:
        connection = self.connection
        connection.refuse_ended()
        super().execute(sql, *parameters)
        if sql.startswith(BEGIN):
            connection.begun = connection.watched
        return self

    def executemany(self, *statement: Any) -> Self:
        self.connection.refuse_ended()
        super().executemany(*statement)
        return self

    def executescript(self, script: str) -> sqlite3.Cursor:
        self.connection.refuse_ended()
        if self.connection.begun:
            raise sqlite3.OperationalError("executescript would first commit what was done; run statement by statement")
        return super().executescript(script)


def sharing_memory() -> Callable[..., None]:
    """Return what names a database in memory that has no name, and would be each connection's own, when it connects.

    https://www.sqlite.org/inmemorydb.html#sharedmemdb
    """
    name = f"file:dbctl-{next(_numbers)}?mode=memory&cache=shared"

    def share(_dialect: Any, _record: Any, args: Any, kwargs: Any) -> None:
        if args[0] == ":memory:":
            args[0] = name
            kwargs["uri"] = True

    return share


def _tell_of_time(connection: TransactionConnection, error: BaseException) -> None:
    deadline, code = connection.deadline, getattr(error, "sqlite_errorcode", 0)
    if isinstance(deadline, Deadline) and deadline.over and code == sqlite3.SQLITE_INTERRUPT:
        note_statement_timeout(error, deadline.seconds, str(error))


def marking_connection(profile: Profile) -> type[sqlite3.Connection]:
    """Return a class of connections whose cursors mark what they raise, as the connections themselves do."""
    cursors = marking(_Cursor, _ASKING, profile, tell=_tell_of_time)

    class Connection(TransactionConnection):
        def cursor(self, factory: Any = cursors) -> Any:
            return super().cursor(factory)

    return marking(Connection, ("commit",), profile)
