"""Single statements on SQLite: https://www.sqlite.org/eqp.html."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from dbctl.backends.queries import Queries
from dbctl.backends.sqlite.scripts import SQLiteScripts
from dbctl.errors import Unsupported, WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ATTACH = re.compile(r"\s*ATTACH\b", re.IGNORECASE)
_ATTACHED = re.compile(r"\s*ATTACH\s+(?:DATABASE\s+)?'(?P<file>[^']*)'\s+AS\s", re.IGNORECASE)


class SQLiteQueries(SQLiteScripts, Queries):
    """How SQLite runs single statements."""

    def is_read_only(self, connection: Connection) -> bool:
        """Look also whether a statement has switched off what refuses to write."""
        return super().is_read_only(connection) and bool(connection.exec_driver_sql("PRAGMA query_only").scalar())

    def refuse_writing(self, statement: str) -> None:
        """Refuse to attach what is no file yet: query_only lets ATTACH make it (https://sqlite.org/lang_attach.html)."""
        if not _ATTACH.match(self.code(statement)):
            return
        found = _ATTACHED.match(statement)
        if found is None or not (found["file"] in ("", ":memory:") or os.path.exists(found["file"])):
            raise WorkRefused("what only reads may attach a file that is there, named in quotes, and makes none")

    def explaining(self, connection: Connection, *, analyze: bool) -> str:
        """Ask for the plan; bare EXPLAIN would list the program's instructions."""
        if analyze:
            raise Unsupported("SQLite measures no statement: it explains the plan alone")
        return "EXPLAIN QUERY PLAN "
