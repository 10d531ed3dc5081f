"""Single statements on MySQL and MariaDB: what they warn of, and how they explain.

https://dev.mysql.com/doc/refman/8.4/en/show-warnings.html, https://mariadb.com/kb/en/analyze-statement/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.mysql.scripts import MySQLScripts
from dbctl.backends.queries import Queries

if TYPE_CHECKING:
    from sqlalchemy import Connection


class MySQLQueries(MySQLScripts, Queries):
    """How MySQL and MariaDB run single statements."""

    harmless_words: ClassVar[tuple[str, ...]] = ("NOTE:",)

    def keep_from_writing(self, connection: Connection) -> None:
        """Make the session READ ONLY: DDL ends a transaction that is, and is run after it.

        https://dev.mysql.com/doc/refman/8.4/en/set-transaction.html
        """
        connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")

    @contextmanager
    def kept_from_writing(self, connection: Connection) -> Iterator[None]:
        """Let the session write again after the block."""
        from sqlalchemy.exc import DBAPIError

        self.keep_from_writing(connection)
        try:
            yield
        finally:
            with suppress(DBAPIError):  # the connection is lost, and its session with it
                connection.exec_driver_sql("SET SESSION TRANSACTION READ WRITE")

    def said(self, connection: Connection) -> Sequence[str]:
        """Ask for the warnings of the statement before."""
        found = connection.exec_driver_sql("SHOW WARNINGS").all()
        return [f"{level.upper()}: {text} ({code})" for level, code, text in found]

    def explaining(self, connection: Connection, *, analyze: bool) -> str:
        """Take MariaDB's own word where it is run."""
        dialect: Any = connection.dialect
        return "ANALYZE " if analyze and dialect.is_mariadb else super().explaining(connection, analyze=analyze)
