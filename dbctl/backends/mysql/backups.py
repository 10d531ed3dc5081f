"""MySQL's and MariaDB's backups, by mysqldump and mariadb-dump, and the rows that their statements have.

https://dev.mysql.com/doc/refman/8.4/en/mysqldump.html and https://mariadb.com/kb/en/mariadb-dump/
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dbctl.backends.backups import Extent, Start, Stored, Tool, Version, fitting, refuse_tool, tools_called, version_in
from dbctl.backends.inventory import Relation
from dbctl.backends.mysql.clients import told_by_file
from dbctl.backends.mysql.databases import MySQLDatabases
from dbctl.backends.mysql.moving import move
from dbctl.errors import Unsupported

if TYPE_CHECKING:
    from sqlalchemy import Connection

_log = logging.getLogger("dbctl")

# A moment of its own for all tables, and no locks. Names of nobody's database: USE would lead a restore elsewhere.
_DUMPING = (
    *("--single-transaction", "--quick", "--routines", "--triggers", "--events", "--hex-blob", "--no-tablespaces"),
    "--default-character-set=utf8mb4",
)
_MYSQLS = ("--set-gtid-purged=OFF", "--column-statistics=0")
"""What MySQL's alone knows: with a GTID_PURGED a restore would be refused, or change what replicas know."""

_HEAD = re.compile(rb"INSERT INTO (`(?:[^`]|``)*`)(?: \((?:`(?:[^`]|``)*`(?:, ?)?)+\))? VALUES ?")
_STRINGS = re.compile(rb"'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'", re.DOTALL)

_FOREIGN = """
SELECT constraint_name, table_name, referenced_table_schema, referenced_table_name,
       group_concat(column_name ORDER BY ordinal_position SEPARATOR '\\n'),
       group_concat(referenced_column_name ORDER BY ordinal_position SEPARATOR '\\n')
FROM information_schema.key_column_usage
WHERE table_schema = database() AND referenced_table_name IS NOT NULL
GROUP BY constraint_name, table_name, referenced_table_schema, referenced_table_name
"""


class DumpedRows:
    """Counts the rows of INSERT statements as a dump passes: no string in it has a line's end of its own."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self._rest: list[bytes] = []
        self._table: str | None = None
        self._in_body = False

    def feed(self, chunk: bytes) -> None:
        """Take note of the next part."""
        end = chunk.rfind(b"\n")
        if end < 0:
            self._rest.append(chunk)
            return
        whole = b"".join([*self._rest, chunk[:end]])
        self._rest = [chunk[end + 1 :]]
        for line in whole.split(b"\n"):
            if self._table is not None and line[:1] == b"(":  # MariaDB's has a line for each row
                self.rows[self._table] += 1
            elif line[:1] in {b"I", b"D"}:
                self._statement(line)

    def _statement(self, line: bytes) -> None:
        """Take note of a statement's beginning; what stands in a trigger's or a routine's body is no row."""
        self._table = None
        if line.startswith(b"DELIMITER "):
            self._in_body = line != b"DELIMITER ;"
        elif not self._in_body and (found := _HEAD.match(line)):
            table = found[1][1:-1].replace(b"``", b"`").decode()
            rows = _STRINGS.sub(b"", line[found.end() :]).count(b"(")
            self.rows[table] = self.rows.get(table, 0) + rows
            self._table = None if rows else table


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
    tool_lost = r"\b(2002|2003|2006|2013|2026|1053|1927)\b|Lost connection|gone away"

    def server_version(self, connection: Connection) -> Version:
        """Return the two numbers by which its features come."""
        return tuple(map(int, (connection.dialect.server_version_info or (0, 0))[:2]))

    def stored(self, connection: Connection) -> Sequence[Relation]:
        """Ask for the database's own tables."""
        query = (
            "SELECT table_name FROM information_schema.tables WHERE table_schema = database()"
            " AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY table_name"
        )
        return [Relation(None, name, "table") for name in connection.exec_driver_sql(query).scalars()]

    def row_counter(self) -> DumpedRows:
        """Count in what is written: nobody else sees the moment that the tool sees."""
        return DumpedRows()

    def dumping(
        self, connection: Connection, extent: Extent, directory: Path, target: Path | None, snapshot: str | None
    ) -> Start:
        """Have the tool of the very server write to its standard output."""
        tool = self._tool(connection, "dump")
        self._tell_of_engines(connection)
        arguments, environment = told_by_file(cast(Any, self), tool.path, directory)
        words = [*arguments, *_DUMPING, *(() if "MariaDB" in self.server_title(connection) else _MYSQLS)]
        words += [] if extent.data else ["--no-data"]
        words += [] if extent.schema else ["--no-create-info", "--skip-triggers", "--skip-routines", "--skip-events"]
        if extent.without_rows and self.server_title(connection) != "MariaDB":
            raise Unsupported("mysqldump leaves out a table with its definition, or not at all", "leave out none")
        words += [f"--ignore-table-data={self.profile.database}.{name}" for name in extent.without_rows]
        return Start(tool, [*words, "--", self.profile.database or ""], environment)

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

    def loading(self, connection: Connection, stored: Stored, name: str, directory: Path, source: Path) -> Start:
        """Have the client read the statements; it ends at its first error."""
        tool = self._tool(connection, "client")
        arguments, environment = told_by_file(cast(Any, self), tool.path, directory)
        return Start(tool, [*arguments, "--batch", "--binary-mode", f"--database={name}"], environment)

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
