"""Single statements on SQLite: https://www.sqlite.org/eqp.html."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbctl.backends.queries import Queries
from dbctl.backends.sqlite.scripts import SQLiteScripts
from dbctl.errors import Unsupported

if TYPE_CHECKING:
    from sqlalchemy import Connection


class SQLiteQueries(SQLiteScripts, Queries):
    """How SQLite runs single statements."""

    def is_read_only(self, connection: Connection) -> bool:
        """Look also whether a statement has switched off what refuses to write."""
        return super().is_read_only(connection) and bool(connection.exec_driver_sql("PRAGMA query_only").scalar())

    def explaining(self, connection: Connection, *, analyze: bool) -> str:
        """Ask for the plan; bare EXPLAIN would list the program's instructions."""
        if analyze:
            raise Unsupported("SQLite measures no statement: it explains the plan alone")
        return "EXPLAIN QUERY PLAN "
