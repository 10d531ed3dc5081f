"""MySQL's and MariaDB's backups, by mysqldump and mariadb-dump, and the rows that their statements have.

https://dev.mysql.com/doc/refman/8.4/en/mysqldump.html and https://mariadb.com/kb/en/mariadb-dump/
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dbctl.backends.backups import Extent, Loosened, Start, Stored, StoredTable, TableNames
from dbctl.backends.mysql.clients import told_by_file
from dbctl.backends.mysql.databases import MySQLDatabases
from dbctl.backends.mysql.dumps import DumpedRows, made_of
from dbctl.backends.mysql.moving import bring, loosened, move
from dbctl.backends.tools import Tool, Version, fitting, refuse_tool, tools_called, version_in

if TYPE_CHECKING:
    from sqlalchemy import Connection

_log = logging.getLogger("dbctl")

_LARGEST = "--max-allowed-packet=1G"
"""The largest row, and the largest statement, that the tools' side has room for: what counts is the server's own."""

# A moment of its own for all tables, and no locks. Names of nobody's database: USE would lead a restore elsewhere.
_DUMPING = (
    *("--single-transaction", "--quick", "--routines", "--triggers", "--events", "--hex-blob", "--no-tablespaces"),
    *("--default-character-set=utf8mb4", _LARGEST),
)
_MYSQLS = ("--set-gtid-purged=OFF", "--loose-column-statistics=0")
"""What MySQL's alone knows: with a GTID_PURGED a restore would be refused, or change what replicas know.

`loose`: one before 8.0 does not know statistics of columns."""

_LOST = "2002|2003|2006|2013|2026|2055|1053|1927"
"""The codes of a connection that is lost, or not to be had; a row's value or a line's number may be one of them too."""

_DENIED = "1044|1142|1227|1370|1419|1021|1114"
"""The codes of what a user may not do, and of a full disk."""

_TO_SWAP = 10.0
"""Seconds for which a table is waited for that others use as the swap begins, unless the profile says."""

_RIGHTS = """
SELECT privilege_type FROM information_schema.user_privileges WHERE grantee = %(grantee)s
UNION SELECT privilege_type FROM information_schema.schema_privileges
WHERE grantee = %(grantee)s AND database() LIKE table_schema
"""
_SEEN_BY = {
    "tables": ["SELECT"],
    "triggers": ["TRIGGER"],
    "events": ["EVENT"],
    "routines": ["EXECUTE", "CREATE ROUTINE", "ALTER ROUTINE", "SHOW_ROUTINE", "SHOW CREATE ROUTINE"],
}
"""By which rights, one of them, a user sees what a database has."""

_FOREIGN = """
SELECT constraint_name, table_name, referenced_table_schema, referenced_table_name,
       group_concat(column_name ORDER BY ordinal_position SEPARATOR '\\n'),
       group_concat(referenced_column_name ORDER BY ordinal_position SEPARATOR '\\n')
FROM information_schema.key_column_usage
WHERE table_schema = database() AND referenced_table_name IS NOT NULL
GROUP BY constraint_name, table_name, referenced_table_schema, referenced_table_name
"""


def _version(text: str, *, mariadb: bool) -> Version | None:
    if ("MariaDB" in text) != mariadb:
        return None
    return version_in(text, r"(\d+)\.(\d+)\.\d+-MariaDB" if mariadb else r"Ver (\d+)\.(\d+)")


class MySQLBackups(MySQLDatabases):
    """How MySQL and MariaDB are backed up."""

    backup_kinds = ("MySQL", "MariaDB")
    backup_format = "sql"
    backup_options = {"isolation_level": "AUTOCOMMIT"}
    backup_ending = ".sql"
    backup_lacks = ("users and their grants", "other databases")
    tool_quotes = b"--------------"
    tool_lost = rf"(?i:error):? ({_LOST})\b|\(({_LOST})\)(;|$)|Lost connection to|server has gone away"
    tool_denied = rf"(?i:error):? ({_DENIED})\b|\(({_DENIED})\)(;|$)|insufficient privileges"

    def server_version(self, connection: Connection) -> Version:
        """Return the two numbers by which its features come."""
        return tuple(map(int, (connection.dialect.server_version_info or (0, 0))[:2]))

    def stored(self, connection: Connection) -> Sequence[StoredTable]:
        """Ask for the database's own tables."""
        query = (
            "SELECT table_name FROM information_schema.tables WHERE table_schema = database()"
            " AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY table_name"
        )
        return [StoredTable(None, name) for name in connection.exec_driver_sql(query).scalars()]

    def row_counter(self) -> DumpedRows:
        """Count in what is written: nobody else sees the moment that the tool sees."""
        return DumpedRows()

    def dumping(
        self, connection: Connection, extent: Extent, directory: Path, target: Path | None, snapshot: str | None
    ) -> Start:
        """Have the tool of the very server write to its standard output."""
        tool = self._tool(connection, "dump")
        self._tell_of_engines(connection)
        self._tell_of_rights(connection)
        mariadb, name = self.server_title(connection) == "MariaDB", self.profile.database or ""
        arguments, environment = told_by_file(cast(Any, self), tool.path, directory)
        words = [*arguments, *_DUMPING, *(() if mariadb else _MYSQLS)]
        leave_out = f"--ignore-table{'-data' if mariadb else ''}={name}."
        without = [table for _, table in extent.without_rows]
        left_out = [f"{leave_out}{table}" for table in without]
        first = None
        if left_out and extent.schema and not mariadb:  # which leaves out a table's definition too, if its rows
            only = ["--no-data", "--skip-routines", "--skip-events", "--", name, *without]
            first = Start(tool, [*words, *only], environment)
        words += [] if extent.data else ["--no-data"]
        words += [] if extent.schema else ["--no-create-info", "--skip-triggers", "--skip-routines", "--skip-events"]
        return Start(tool, [*words, *left_out, "--", name], environment, first=first)

    def _tool(self, connection: Connection, which: str) -> Tool:
        mariadb = self.server_title(connection) == "MariaDB"
        names = {"dump": ("mariadb-dump", "mysqldump"), "client": ("mariadb", "mysql")}[which]
        tools = list(tools_called(names, (), lambda text: _version(text, mariadb=mariadb)))
        version, title = self.server_version(connection), "MariaDB" if mariadb else "MySQL"
        if tool := fitting(tools, version):
            return tool
        if not tools:
            package = "mariadb-client" if mariadb else "mysql-client (MySQL's own: MariaDB's leaves out what it lacks)"
            raise refuse_tool(title, version, tools, names[mariadb is False], package)
        newest = max(tools, key=lambda tool: tool.version)
        _log.warning(
            "%s is older than its server, %s %s: what only the newer one has may be left out",
            newest, title, ".".join(map(str, version)),
        )  # fmt: skip
        return newest

    def _tell_of_engines(self, connection: Connection) -> None:
        query = (
            "SELECT table_name FROM information_schema.tables t JOIN information_schema.engines e USING (engine)"
            " WHERE t.table_schema = database() AND t.table_type = 'BASE TABLE' AND e.transactions <> 'YES'"
        )
        if names := list(connection.exec_driver_sql(query).scalars()):
            _log.warning(
                "no transaction holds a moment of %s, whose engine has none: writes meanwhile are seen in part",
                ", ".join(names),
            )

    def _tell_of_rights(self, connection: Connection) -> None:
        """Warn where a user lacks a right by which the tool sees what there is: it leaves that out without a word."""
        grantee, role = connection.exec_driver_sql("SELECT current_user(), current_role()").one()
        if role not in {None, "NONE"}:
            return  # what is granted to a role stands elsewhere
        user, _, host = grantee.rpartition("@")
        found = connection.exec_driver_sql(_RIGHTS, {"grantee": f"'{user}'@'{host}'"}).scalars()
        granted = {right.upper() for right in found}
        if unseen := [f"{what} ({rights[0]})" for what, rights in _SEEN_BY.items() if not granted & {*rights}]:
            _log.warning(
                "this user may not see all of %s, and what it does not see is not in the backup: %s",
                self.profile.database, ", ".join(unseen),
            )  # fmt: skip

    def loading(self, connection: Connection, stored: Stored, name: str, directory: Path, source: Path) -> Start:
        """Have the client read the statements; it ends at its first error."""
        tool = self._tool(connection, "client")
        arguments, environment = told_by_file(cast(Any, self), tool.path, directory)
        return Start(
            tool,
            [*arguments, "--batch", "--binary-mode", _LARGEST, f"--database={name}"],
            environment,
        )

    def part_of(self, dump: Iterator[bytes], tables: TableNames) -> Iterator[bytes]:
        """Read whose each statement is in what the tool wrote between them."""
        return made_of(dump, {name for _, name in tables})

    def loosen(self, connection: Connection, name: str) -> Sequence[Loosened]:
        """Drop those by ALTER TABLE: they would go on to refer to the database in which the tables were new."""
        return list(loosened(connection, self.identifier, name))

    def bring(
        self, connection: Connection, source: str, target: str, tables: TableNames, keys: Sequence[Loosened]
    ) -> None:
        """Move the tables in one statement, make their triggers anew, and have the server check the keys."""
        self.limit_lock_waits(connection, self.profile.lock_timeout or _TO_SWAP)
        bring(connection, self.identifier, source, target, keys)

    def properties(self, connection: Connection) -> Mapping[str, Any]:
        """Ask how it stores and sorts text."""
        query = (
            "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata"
            " WHERE schema_name = database()"
        )
        return dict(zip(("encoding", "collate"), connection.exec_driver_sql(query).one(), strict=True))

    def with_properties(self, name: str, found: Mapping[str, Any], *, owner: bool) -> tuple[str, Sequence[str]]:
        """Have it store and sort text as the other does; grants are on the database's name, and stay."""
        create = f"CREATE DATABASE {self.identifier(name)}"
        named = {"CHARACTER SET": "encoding", "COLLATE": "collate"}
        parts = [f"{word} {self.text_literal(found[key])}" for word, key in named.items() if key in found]
        return " ".join([create, *parts]), ()

    def swap(self, connection: Connection, new: str, name: str, old: str | None, *, force: bool) -> bool:
        """Move the tables of both in one statement, and make anew what has no other way to move."""
        if old is not None and force:
            for user in self.users_of(connection, name):
                connection.exec_driver_sql(f"KILL {user.session}")
        self.limit_lock_waits(connection, self.profile.lock_timeout or _TO_SWAP)
        move(connection, self.identifier, new, name, old)
        return False

    def databases_like(self, connection: Connection, beginning: str) -> Sequence[str]:
        """Ask for those that this role may see."""
        query = (
            "SELECT schema_name FROM information_schema.schemata WHERE left(schema_name, length(%(beginning)s)) ="
            " %(beginning)s ORDER BY schema_name"
        )
        return list(connection.exec_driver_sql(query, {"beginning": beginning}).scalars())

    def broken_references(self, connection: Connection) -> Iterable[str]:
        """Look for rows without the one that they refer to: loading has the checks off."""
        for key, table, schema, other, columns, referred in connection.exec_driver_sql(_FOREIGN).all():
            pairs = list(zip(columns.split("\n"), referred.split("\n"), strict=True))
            there = " AND ".join(f"p.{self.identifier(there)} = c.{self.identifier(here)}" for here, there in pairs)
            filled = " AND ".join(f"c.{self.identifier(here)} IS NOT NULL" for here, _ in pairs)
            count = connection.exec_driver_sql(
                f"SELECT count(*) FROM {self.identifier(table)} c WHERE {filled} AND NOT EXISTS"
                f" (SELECT 1 FROM {self.identifier(schema)}.{self.identifier(other)} p WHERE {there})"
            ).scalar()
            if count:
                yield f"{table}: {count} rows refer to none in {other} ({key})"
