"""SQLite's backups, by its own backup API, from a database in use.

https://sqlite.org/backup.html
"""

from __future__ import annotations

import logging
import re
import sqlite3
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbctl.backends.backups import Backups, Loosened, StoredTable, TableNames
from dbctl.backends.sqlite.engine import SQLite
from dbctl.backends.tools import Version
from dbctl.errors import NoSpace, WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

# The table first, and triggers last, which are not to see its rows come.
_MADE_OF = """
SELECT type, sql FROM taken.sqlite_master
WHERE tbl_name = ? AND sql IS NOT NULL AND type IN ('table', 'index', 'trigger')
ORDER BY type = 'trigger', type = 'index', rowid
"""
_NUMBERING = (
    "DELETE FROM main.sqlite_sequence WHERE name = ?",
    "INSERT INTO main.sqlite_sequence SELECT name, seq FROM taken.sqlite_sequence WHERE name = ?",
)

_log = logging.getLogger("dbctl")

_APPLICATIONS = "no such (collation sequence|function|module)"
"""What SQLite says where a schema uses what an application has defined for its own connections."""

_PAGES = 2048
"""Pages that are copied at a stretch."""


class SQLiteBackups(SQLite, Backups):
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

    def stored(self, connection: Connection) -> Sequence[StoredTable]:
        """Look into the schema table; a virtual table's rows are in tables of their own."""
        query = (
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
            " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        )
        return [StoredTable(None, name) for name in connection.exec_driver_sql(query).scalars()]

    def properties(self, connection: Connection) -> Mapping[str, Any]:
        """Return how it keeps its journal, and who may read it."""
        file = connection.exec_driver_sql("PRAGMA database_list").one()[2]  # none of a database in memory
        mode = {"mode": f"{stat.S_IMODE(Path(file).stat().st_mode):o}"} if file else {}
        return {"journal": connection.exec_driver_sql("PRAGMA journal_mode").scalar_one(), **mode}

    def give_properties(self, file: Path, found: Mapping[str, Any]) -> None:
        """Set WAL, which stays in the file, and the mode."""
        if found.get("journal") == "wal":
            with closing(sqlite3.connect(file)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
        file.chmod(int(found.get("mode", "600"), 8) & 0o777)

    def bring(
        self, connection: Connection, source: str, target: str, tables: TableNames, keys: Sequence[Loosened]
    ) -> None:
        """Copy the tables from the other file, with their indexes and triggers, in a transaction."""
        connection.exec_driver_sql("ATTACH DATABASE ? AS taken", (source,))
        for statement in ("PRAGMA foreign_keys = OFF", "BEGIN IMMEDIATE"):  # the keys are checked at the end
            connection.exec_driver_sql(statement)
        try:
            alone = connection.exec_driver_sql("SELECT 1 FROM main.sqlite_master").first() is None
            for _, name in tables:
                self._bring(connection, name)
            for _, name in () if alone else tables:
                if broken := connection.exec_driver_sql(f"PRAGMA foreign_key_check({_quoted(name)})").all():
                    said = f"{name}: {len(broken)} rows refer to none in {broken[0][2]}: nothing is restored"
                    raise WorkRefused(said, "restore it into a new database")
            connection.exec_driver_sql("COMMIT")
        finally:
            if self.in_transaction(connection.connection.driver_connection):  # and SQLite has not ended it itself
                connection.exec_driver_sql("ROLLBACK")

    def _bring(self, connection: Connection, name: str) -> None:
        quoted = _quoted(name)
        for kind, statement in connection.exec_driver_sql(_MADE_OF, (name,)).all():
            connection.exec_driver_sql(statement)
            if kind == "table":
                plain = [row[1] for row in connection.exec_driver_sql(f"PRAGMA table_xinfo({quoted})") if row[6] == 0]
                columns = ", ".join(map(_quoted, plain))
                connection.exec_driver_sql(
                    f"INSERT INTO main.{quoted} ({columns}) SELECT {columns} FROM taken.{quoted}"
                )
        numbered = "SELECT 1 FROM {}.sqlite_master WHERE name = 'sqlite_sequence'"
        if all(connection.exec_driver_sql(numbered.format(place)).first() for place in ("taken", "main")):
            for statement in _NUMBERING:
                connection.exec_driver_sql(statement, (name,))

    def broken_references(self, connection: Connection) -> Iterable[str]:
        """Ask for rows that refer to none."""
        for table, rowid, other, _ in self._checked(connection, "foreign_key_check"):
            yield f"{table}: row {rowid} refers to none in {other}"

    def broken_parts(self, connection: Connection) -> Iterable[str]:
        """Have all pages, indexes and constraints checked."""
        found = [one for (one,) in self._checked(connection, "integrity_check")]
        return [] if found == ["ok"] else found

    def _checked(self, connection: Connection, check: str) -> Sequence[Any]:
        """Return what a check finds; where it needs what only the application has nobody else can make it."""
        from sqlalchemy.exc import DBAPIError

        try:
            return connection.exec_driver_sql(f"PRAGMA {check}").all()
        except DBAPIError as error:
            if not re.search(_APPLICATIONS, str(error.orig)):
                raise
            _log.warning("%s: %s can't be made here: %s", self.profile.called, check, error.orig)
            return []


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


backend = SQLiteBackups
