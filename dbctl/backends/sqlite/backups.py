"""SQLite's backups, by its own backup API, from a database in use.

https://sqlite.org/backup.html
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbctl.backends.backups import Version
from dbctl.backends.base import Backend
from dbctl.backends.inventory import Relation
from dbctl.errors import NoSpace, WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

_PAGES = 2048
"""Pages that are copied at a stretch."""


class SQLiteBackups(Backend):
    """How SQLite is backed up."""

    backup_by_tool = False
    backup_format = "file"
    backup_ending = ".db"

    def server_version(self, connection: Connection) -> Version:
        """Return the file format's: any SQLite 3 reads it."""
        return (sqlite3.sqlite_version_info[0],)

    def copy_database(self, connection: Connection, target: Path, tell: Callable[[int, int], None]) -> None:
        """Copy within one read transaction, so that what others write meanwhile does not begin it anew."""
        source: Any = connection.connection.driver_connection
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()
        try:
            with closing(sqlite3.connect(target, isolation_level=None)) as copy:
                source.backup(copy, pages=_PAGES, progress=lambda _, left, total: tell(total - left, total))
                copy.execute("PRAGMA journal_mode = DELETE")  # what is in a log beside it would not be in the file
        except sqlite3.Error as error:
            kind = NoSpace if error.sqlite_errorcode == sqlite3.SQLITE_FULL else WorkRefused
            raise kind(f"{self.profile.called}: it can't be copied: {error}; nothing is left of the copy") from error

    def stored(self, connection: Connection) -> Sequence[Relation]:
        """Look into the schema table; a virtual table's rows are in tables of their own."""
        query = (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
            " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        )
        return [Relation(None, name, "table") for name in connection.exec_driver_sql(query).scalars()]

    def broken_references(self, connection: Connection) -> Iterable[str]:
        """Ask for rows that refer to none."""
        for table, rowid, other, _ in connection.exec_driver_sql("PRAGMA foreign_key_check").all():
            yield f"{table}: row {rowid} refers to none in {other}"

    def broken_parts(self, connection: Connection) -> Iterable[str]:
        """Have all pages, indexes and constraints checked."""
        found = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        return [] if found == ["ok"] else found
