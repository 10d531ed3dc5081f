"""PostgreSQL's backups, by pg_dump and pg_restore, at one snapshot that is counted in meanwhile.

https://www.postgresql.org/docs/current/app-pgdump.html
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.backends.backups import Extent, Start, Stored, StoredTable
from dbctl.backends.postgresql.contents import Picked, entries, naming_roles
from dbctl.backends.postgresql.properties import PostgreSQLProperties
from dbctl.backends.postgresql.rights import give
from dbctl.backends.tools import Tool, Version, fitting, refuse_tool, tools_called, version_in
from dbctl.errors import UsageError, WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

_log = logging.getLogger("dbctl")

_KNOWS_ZSTD = (16,)
"""The first major version whose pg_dump compresses by zstd."""

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
"""Where Debian's packages and PostgreSQL's own of Red Hat have each version's programs."""

# What belongs to an extension is made by that. A materialized view that was never refreshed can't be read.
_STORED = """
SELECT n.nspname, c.relname, (SELECT pn.nspname || '.' || p.relname FROM pg_class p JOIN pg_namespace pn
                               ON pn.oid = p.relnamespace WHERE c.relispartition AND p.oid = pg_partition_root(c.oid)),
       NOT c.relispopulated, c.relkind = 'm'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                  AND d.deptype = 'e')
ORDER BY 1, 2
"""

_BY_HAND = (
    "--no-owner does without roles that are not there; what else can't be made anew is left out by hand: pg_restore"
    " --list, and --use-list without its line"
)


def _version(text: str) -> Version | None:
    return version_in(text, r"\(PostgreSQL\) (\d+)")


class PostgreSQLBackups(PostgreSQLProperties):
    """How PostgreSQL is backed up."""

    backup_format = "custom"
    backup_options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    backup_ending = ".dump"
    backup_compressed = True
    backup_jobs = True
    loads_beside = True
    backup_lacks = ("roles", "other databases", "tablespaces")
    # The detail has values of rows in it, and the context is long; the command names the object, and may hold a secret.
    tool_reasons = r".*(error|FATAL): .*|^HINT: .*|^Command was: [^'$;]*"
    tool_overdue = r"canceling statement due to (statement|lock) timeout"
    tool_lost = (
        r"connection to server|closed the connection|terminating connection|could not connect|no connection to"
        r"|SSL error: |SSL SYSCALL error: |could not (receive data from|send data to) server"
    )
    tool_denied = r"permission denied|must be (owner|superuser|member|able to SET ROLE)|No space left on device"

    def server_version(self, connection: Connection) -> Version:
        """Return the major number: a tool of the same one reads all that there is."""
        return tuple(map(int, connection.dialect.server_version_info or (0,)))[:1]

    def stored(self, connection: Connection) -> Sequence[StoredTable]:
        """Ask the catalogue alone, which nobody's lock on a table keeps waiting."""
        return [StoredTable(*row) for row in connection.exec_driver_sql(_STORED).all()]

    def count_rows(self, connection: Connection, schema: str | None, name: str) -> int:
        """Count no rows of the tables that inherit from it: one of those may be another server's."""
        from sqlalchemy import func, select, table

        place = table(name, schema=schema)
        query = select(func.count()).select_from(place).with_hint(place, "ONLY", "postgresql")
        return connection.scalar(query) or 0

    def let_take_time(self, connection: Connection) -> None:
        """Lift what a role or a database has set too."""
        for setting in ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {setting} = 0")

    def hold_snapshot(self, connection: Connection) -> str:
        """Export the transaction's snapshot, which is there as long as the transaction is."""
        self.let_take_time(connection)
        name: str = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        return name

    def dumping(
        self, connection: Connection, extent: Extent, directory: Path, target: Path | None, snapshot: str | None
    ) -> Start:
        """Have pg_dump write the custom format, or a directory where it has several jobs."""
        version = self.server_version(connection)
        tool = self._tool("pg_dump", version)
        words = ["--no-password", f"--format={'directory' if extent.jobs > 1 else 'custom'}"]
        words += [f"--file={target}"] if target else []
        words += [f"--snapshot={snapshot}"] if snapshot else []
        words += [f"--jobs={extent.jobs}"] if extent.jobs > 1 else []
        words += _compressing(tool, extent.compression)
        words += [] if extent.data else ["--schema-only"]
        words += [] if extent.schema else ["--data-only"]
        words += [f"--exclude-table-data={_pattern(*table)}" for table in extent.without_rows]
        if self.profile.lock_timeout:
            words.append(f"--lock-wait-timeout={round(self.profile.lock_timeout * 1000)}")
        return Start(tool, words, self.client_environment(directory), writes_itself=target is not None)

    def dumping_globals(self, connection: Connection, directory: Path, target: Path) -> Start:
        """Have pg_dumpall write roles and tablespaces; it is run by its path, for it looks for pg_dump beside it."""
        tool = self._tool("pg_dumpall", self.server_version(connection))
        words = ["--no-password", "--globals-only", f"--file={target}"]
        database = [f"--database={self.profile.database}"] if self.profile.database else []
        return Start(replace(tool, name=tool.path), [*words, *database], self.client_environment(directory), True)

    def _tool(self, name: str, version: Version) -> Tool:
        tools = list(tools_called([name], _PLACES, _version))
        if (tool := fitting(tools, version)) is None:
            raise refuse_tool(self.title, version, tools, name, f"postgresql-client-{version[0]}")
        return tool

    def loading(self, connection: Connection, stored: Stored, name: str, directory: Path, source: Path) -> Start:
        """Have pg_restore read it; as all or nothing it ends at its first error."""
        tool = self._tool("pg_restore", max(self.server_version(connection), stored.tool[:1]))
        quoted = name.replace("\\", "\\\\").replace("'", "\\'")
        words = ["--no-password", "--exit-on-error", f"--dbname=dbname='{quoted}'"]
        words += [f"--jobs={stored.jobs}"] if stored.jobs > 1 else []
        words += [] if stored.owners else ["--no-owner", "--no-privileges"]
        if stored.proved:  # on another server its tablespaces are not needed, and nothing is to come by a subscription
            words += ["--no-subscriptions", "--no-tablespaces"]
        if stored.tables or not stored.owners:
            words.append(f"--use-list={_written(_listed(tool, source, stored), directory)}")
        words += ["--single-transaction"] if stored.beside else []
        return Start(tool, [*words, str(source)], self.client_environment(directory), True, hint=_BY_HAND)

    def give_rights(self, connection: Connection, stored: Stored, directory: Path, source: Path) -> None:
        """Have pg_restore write it, for what an object grants to all roles is one entry that it can do as a whole."""
        tool = self._tool("pg_restore", max(self.server_version(connection), stored.tool[:1]))
        if numbers := _listed(tool, source, stored, of_roles=True):
            words = ["--no-owner", "--file=-", f"--use-list={_written(numbers, directory)}", str(source)]
            give(self, connection, _said(tool, words, source))

    def swap(self, connection: Connection, new: str, name: str, old: str | None, *, force: bool) -> bool:
        """Have one transaction do both, as several statements in one message are; the old one is no template then."""
        statements = [f"ALTER DATABASE {self.identifier(new)} RENAME TO {self.identifier(name)}"]
        remarks = list(self.remarks_on_swap(connection, new, name, old))
        if old is not None:
            statements.insert(0, f"ALTER DATABASE {self.identifier(name)} RENAME TO {self.identifier(old)}")
            if self.is_template(connection, name):
                statements.append(f"ALTER DATABASE {self.identifier(old)} IS_TEMPLATE false")
            if force:
                for user in self.users_of(connection, name):
                    connection.exec_driver_sql(f"SELECT pg_terminate_backend({user.session})")
        connection.exec_driver_sql("; ".join(statements))
        for remark in remarks:
            _log.warning("%s", remark)
        return True

    def databases_like(self, connection: Connection, beginning: str) -> Sequence[str]:
        """Ask the catalogue."""
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, %(beginning)s) ORDER BY datname"
        return list(connection.exec_driver_sql(query, {"beginning": beginning}).scalars())


def _listed(tool: Tool, source: Path, stored: Stored, *, of_roles: bool = False) -> Sequence[int]:
    """Return the entries that are read; or those that it leaves out because they name roles.

    It tells what some tables do without.
    """
    listing = _said(tool, ["--list", "--verbose", str(source)], source)
    left = frozenset() if stored.owners else naming_roles(listing)
    if not stored.tables:
        return [entry.number for entry in entries(listing) if (entry.number in left) is of_roles]
    picked = Picked(listing, stored.tables, beside=stored.beside)
    for text in () if of_roles else picked.left_out:
        _log.warning("without %s: what it needs besides is not restored", text)
    return [number for number in picked.numbers if (number in left) is of_roles]


def _said(tool: Tool, words: Sequence[str], source: Path) -> str:
    done = subprocess.run([tool.path, *words], check=False, capture_output=True)
    if done.returncode:
        raise WorkRefused(f"{source}: {tool} can't list it: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace")


def _written(numbers: Sequence[int], directory: Path) -> Path:
    path = directory / "list"
    path.write_text("".join(f"{number};\n" for number in numbers), encoding="utf-8")
    return path


def _compressing(tool: Tool, how: str) -> Sequence[str]:
    """Return how a tool is told to compress otherwise than by gzip's way, which is its own."""
    if how == "zstd" and tool.version < _KNOWS_ZSTD:
        raise UsageError(f"{tool} does not know zstd", "install postgresql-client-16 or newer, or take gzip")
    return {"none": ["--compress=0"], "zstd": ["--compress=zstd"]}.get(how, [])


def _pattern(schema: str | None, name: str) -> str:
    """Return a table's name as the pattern that matches nothing else."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema or "public", name))


backend = PostgreSQLBackups
