"""MySQL's and MariaDB's backups, by mysqldump and mariadb-dump, and the rows that their statements have.

https://dev.mysql.com/doc/refman/8.4/en/mysqldump.html and https://mariadb.com/kb/en/mariadb-dump/
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dbctl.backends.backups import Backups, Extent, Loosened, Start, Stored, StoredTable, TableNames
from dbctl.backends.mysql.clients import told_by_file
from dbctl.backends.mysql.dumps import DumpedRows, made_of, paused, without_place
from dbctl.backends.mysql.engine import MySQL
from dbctl.backends.mysql.lacks import history, tell_of_engines, unseen
from dbctl.backends.mysql.moving import bring, loosened, move, refuse_unmovable
from dbctl.backends.tools import Tool, Version, fitting, refuse_tool, tools_called, version_in

if TYPE_CHECKING:
    from sqlalchemy import Connection

_log = logging.getLogger("dbctl")

_LARGEST = "--max-allowed-packet=1G"
"""The largest row, and the largest statement, that the tools' side has room for: what counts is the server's own."""

# A moment of its own for all tables, and no locks. Names of nobody's database: USE would lead a restore elsewhere.
# No locks when it is loaded: what that fills is new, and a default may need a sequence that they don't name.
_DUMPING = (
    *("--single-transaction", "--quick", "--routines", "--triggers", "--events", "--hex-blob", "--no-tablespaces"),
    *("--skip-add-locks", "--default-character-set=utf8mb4", _LARGEST),
)
_MYSQLS = ("--set-gtid-purged=OFF", "--loose-column-statistics=0")
"""What MySQL's alone knows: with a GTID_PURGED a restore would be refused, or change what replicas know.

`loose`: one before 8.0 does not know statistics of columns."""

_ELSEWHERE = {"MRG_MYISAM", "MRG_ISAM", "FEDERATED", "CONNECT", "OQGRAPH", "SPIDER", "VP"}
"""The engines of which neither tool writes rows, for they are other tables' or another server's."""

_LOST = "2002|2003|2006|2013|2026|2055|1053|1927"
"""The codes of a connection that is lost, or not to be had; a row's value or a line's number may be one of them too."""

_DENIED = "1044|1142|1227|1370|1419|1021|1114"
"""The codes of what a user may not do, and of a full disk."""

_TO_SWAP = 10.0
"""Seconds for which a table is waited for that others use as the swap begins, unless the profile says."""

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


class MySQLBackups(MySQL, Backups):
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
        """Ask for the database's own tables, and for the engines of those whose rows no tool writes."""
        query = (
            "SELECT table_name, engine FROM information_schema.tables WHERE table_schema = database()"
            " AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY table_name"
        )
        found = connection.exec_driver_sql(query).all()
        return [StoredTable(None, name, elsewhere=(engine or "").upper() in _ELSEWHERE) for name, engine in found]

    def count_rows(self, connection: Connection, schema: str | None, name: str) -> int:
        """Count of a system-versioned table also what it once had."""
        query = (
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND table_name = %(name)s"
            " AND table_type = 'SYSTEM VERSIONED'"
        )
        if not connection.exec_driver_sql(query, {"name": name}).scalar():
            return super().count_rows(connection, schema, name)
        place = self.identifier(name).replace("%", "%%")
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {place} FOR SYSTEM_TIME ALL").scalar_one())

    def row_counter(self) -> DumpedRows:
        """Count in what is written: nobody else sees the moment that the tool sees."""
        return DumpedRows()

    def dumping(
        self, connection: Connection, extent: Extent, directory: Path, target: Path | None, snapshot: str | None
    ) -> Start:
        """Have the tool of the very server write to its standard output."""
        tool = self._tool(connection, "dump")
        self._wait_for_tables(connection)
        tell_of_engines(connection)
        mariadb, name = self.server_title(connection) == "MariaDB", self.profile.database or ""
        arguments, environment = told_by_file(cast(Any, self), tool.path, directory)
        words = [*arguments, *_DUMPING, *(() if mariadb else _MYSQLS)]
        lacks = list(unseen(connection, self.profile.database))
        if mariadb and extent.data:
            written, unwritten = history(connection, tool.version)
            words += ["--dump-history"] if written else []
            lacks += [f"the history of {table}" for table in unwritten]
        leave_out = f"--ignore-table{'-data' if mariadb else ''}={name}."
        without = [table for _, table in extent.without_rows]
        left_out = [f"{leave_out}{table}" for table in without]
        first = None
        if left_out and extent.schema and not mariadb:  # which leaves out a table's definition too, if its rows
            only = ["--no-data", "--skip-routines", "--skip-events", "--", name, *without]
            first = Start(tool, [*words, *only], environment)
        words += [] if extent.data else ["--no-data"]
        words += [] if extent.schema else ["--no-create-info", "--skip-triggers", "--skip-routines", "--skip-events"]
        return Start(tool, [*words, *left_out, "--", name], environment, first=first, lacks=lacks)

    def _wait_for_tables(self, connection: Connection) -> None:
        """Wait for a table that another session has locked no longer than the profile says: the tool has no bound."""
        if self.profile.lock_timeout:
            for one in self.stored(connection):
                place = self.identifier(one.name).replace("%", "%%")
                connection.exec_driver_sql(f"SELECT 1 FROM {place} LIMIT 0")

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

    def loading(self, connection: Connection, stored: Stored, name: str, directory: Path, source: Path) -> Start:
        """Have the client read the statements; it ends at its first error."""
        tool = self._tool(connection, "client")
        arguments, environment = told_by_file(cast(Any, self), tool.path, directory)
        words = [*arguments, _LARGEST, "--comments", "--batch", "--binary-mode", f"--database={name}"]
        return Start(tool, words, environment)

    def part_of(self, dump: Iterator[bytes], database: str, tables: TableNames) -> Iterator[bytes]:
        """Take the database's name out, and read whose each statement is in what the tool wrote between them.

        Events don't run before the swap: they would change the rows that are counted.
        """
        found = without_place(dump, self.identifier(database), sequences=not tables)
        return made_of(found, {name for _, name in tables}) if tables else paused(found, self._events)

    @cached_property
    def _events(self) -> set[str]:
        """The names of the events that are enabled when the database that was loaded gets its name."""
        return set()

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

    def refuse_unmovable(self, connection: Connection, name: str) -> None:
        """Look for foreign keys in other databases, and for a name that differs in case alone."""
        refuse_unmovable(connection, self.profile.called, name)

    def swap(self, connection: Connection, new: str, name: str, old: str | None, *, force: bool) -> bool:
        """Move the tables of both in one statement, and make anew what has no other way to move."""
        if old is not None and force:
            for user in self.users_of(connection, name):
                connection.exec_driver_sql(f"KILL {user.session}")
        self.limit_lock_waits(connection, self.profile.lock_timeout or _TO_SWAP)
        move(connection, self.identifier, new, name, old, self._events)
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
            query = (
                f"SELECT count(*) FROM {self.identifier(table)} c WHERE {filled} AND NOT EXISTS"
                f" (SELECT 1 FROM {self.identifier(schema)}.{self.identifier(other)} p WHERE {there})"
            )
            if count := connection.exec_driver_sql(query.replace("%", "%%")).scalar():
                yield f"{table}: {count} rows refer to none in {other} ({key})"


backend = MySQLBackups
