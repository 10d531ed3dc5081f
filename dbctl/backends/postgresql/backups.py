"""PostgreSQL's backups, by pg_dump and pg_restore, at one snapshot that is counted in meanwhile.

https://www.postgresql.org/docs/current/app-pgdump.html
"""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbctl.backends.backups import Extent, Start, Stored, StoredTable
from dbctl.backends.postgresql.contents import Picked
from dbctl.backends.postgresql.databases import PostgreSQLDatabases
from dbctl.backends.tools import Tool, Version, fitting, refuse_tool, tools_called, version_in
from dbctl.errors import WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

_log = logging.getLogger("dbctl")

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
"""Where Debian's packages and PostgreSQL's own of Red Hat have each version's programs."""

# The owner's own rights are left out: they are the default, and the owner may be another where it is restored.
_PROPERTIES = """
SELECT json_build_object(
    'owner', pg_get_userbyid(d.datdba), 'encoding', pg_encoding_to_char(d.encoding),
    'collate', d.datcollate, 'ctype', d.datctype, 'provider', CAST(to_json(d) ->> 'datlocprovider' AS text),
    'locale', coalesce(to_json(d) ->> 'datlocale', to_json(d) ->> 'daticulocale'),
    'connections', d.datconnlimit, 'comment', shobj_description(d.oid, 'pg_database'),
    'public', (SELECT json_agg(privilege_type) FROM aclexplode(d.datacl) WHERE grantee = 0),
    'has_acl', d.datacl IS NOT NULL,
    'grants', (SELECT json_agg(json_build_array(pg_get_userbyid(grantee), privilege_type, is_grantable)
                               ORDER BY grantee, privilege_type)
               FROM aclexplode(d.datacl) WHERE grantee <> 0 AND grantee <> d.datdba),
    'settings', (SELECT json_agg(json_build_array(CASE WHEN setrole <> 0 THEN pg_get_userbyid(setrole) END, one)
                                 ORDER BY setrole, one)
                 FROM pg_db_role_setting, unnest(setconfig) one WHERE setdatabase = d.oid))
FROM pg_database d WHERE d.datname = current_database()
"""

# What belongs to an extension is made by that. A materialized view is refreshed by a restore, which gives it other rows
# than it had since the last time.
_STORED = """
SELECT n.nspname, c.relname, (SELECT pn.nspname || '.' || p.relname FROM pg_class p JOIN pg_namespace pn
                               ON pn.oid = p.relnamespace WHERE c.relispartition AND p.oid = pg_partition_root(c.oid)),
       c.relkind = 'm'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                  AND d.deptype = 'e')
ORDER BY 1, 2
"""

_LISTS = {"datestyle", "search_path", "local_preload_libraries", "session_preload_libraries", "temp_tablespaces"}
"""Settings that are lists of names: the server has them quoted as they are to be said."""


def _version(text: str) -> Version | None:
    return version_in(text, r"\(PostgreSQL\) (\d+)")


class PostgreSQLBackups(PostgreSQLDatabases):
    """How PostgreSQL is backed up."""

    backup_format = "custom"
    backup_options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    backup_ending = ".dump"
    backup_compressed = True
    backup_jobs = True
    loads_beside = True
    backup_lacks = ("roles", "other databases", "tablespaces")
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

    def hold_snapshot(self, connection: Connection) -> str:
        """Export the transaction's snapshot, which is there as long as the transaction is."""
        for setting in ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout"):
            connection.exec_driver_sql(f"SET LOCAL {setting} = 0")
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
        if stored.tables:
            words.append(f"--use-list={_listed(tool, source, stored, directory)}")
            words += ["--single-transaction"] if stored.beside else []
        return Start(tool, [*words, str(source)], self.client_environment(directory), writes_itself=True)

    def properties(self, connection: Connection) -> Mapping[str, Any]:
        """Ask the catalogue; a server knows some of it by other names, or not yet."""
        found = connection.exec_driver_sql(_PROPERTIES).scalar_one()
        properties: Mapping[str, Any] = json.loads(found) if isinstance(found, str) else found
        return {key: value for key, value in properties.items() if value is not None}

    def with_properties(self, name: str, found: Mapping[str, Any], *, owner: bool) -> tuple[str, Sequence[str]]:
        """Create it of template0, which alone lets it sort otherwise than the others."""
        database = self.identifier(name)
        parts = [f"CREATE DATABASE {database} TEMPLATE template0"]
        named = {"ENCODING": "encoding", "LC_COLLATE": "collate", "LC_CTYPE": "ctype"}
        parts += [f"{word} {self.text_literal(found[key])}" for word, key in named.items() if key in found]
        if (provider := {"i": "icu", "b": "builtin"}.get(found.get("provider", ""))) and "locale" in found:
            locale = self.text_literal(found["locale"])
            parts.append(f"LOCALE_PROVIDER {provider} {'ICU' if provider == 'icu' else 'BUILTIN'}_LOCALE {locale}")
        if found.get("connections", -1) >= 0:
            parts.append(f"CONNECTION LIMIT {int(found['connections'])}")
        return " ".join(parts), list(self._afterwards(database, found) if owner else ())

    def _afterwards(self, database: str, found: Mapping[str, Any]) -> Sequence[str]:
        statements = []
        if "comment" in found:
            statements.append(f"COMMENT ON DATABASE {database} IS {self.text_literal(found['comment'])}")
        if found.get("has_acl"):
            statements.append(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
            statements += [f"GRANT {right} ON DATABASE {database} TO PUBLIC" for right in found.get("public", ())]
        for role, right, grantable in found.get("grants", ()):
            option = " WITH GRANT OPTION" if grantable else ""
            statements.append(f"GRANT {right} ON DATABASE {database} TO {self.identifier(role)}{option}")
        for role, setting in found.get("settings", ()):
            key, _, value = setting.partition("=")
            said = value if key.lower() in _LISTS and value else self.text_literal(value)
            of = f"ROLE {self.identifier(role)} IN DATABASE {database}" if role else f"DATABASE {database}"
            statements.append(f"ALTER {of} SET {_setting(self, key)} TO {said}")
        if "owner" in found:
            statements.append(f"ALTER DATABASE {database} OWNER TO {self.identifier(found['owner'])}")
        return statements

    def swap(self, connection: Connection, new: str, name: str, old: str | None, *, force: bool) -> bool:
        """Have one transaction do both, which several statements in one message are."""
        statements = [f"ALTER DATABASE {self.identifier(new)} RENAME TO {self.identifier(name)}"]
        if old is not None:
            statements.insert(0, f"ALTER DATABASE {self.identifier(name)} RENAME TO {self.identifier(old)}")
            if force:
                for user in self.users_of(connection, name):
                    connection.exec_driver_sql(f"SELECT pg_terminate_backend({user.session})")
        connection.exec_driver_sql("; ".join(statements))
        return True

    def databases_like(self, connection: Connection, beginning: str) -> Sequence[str]:
        """Ask the catalogue."""
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, %(beginning)s) ORDER BY datname"
        return list(connection.exec_driver_sql(query, {"beginning": beginning}).scalars())


def _listed(tool: Tool, source: Path, stored: Stored, directory: Path) -> Path:
    """Write the list of what some tables are made of, and tell what they do without."""
    listing = subprocess.run([tool.path, "--list", "--verbose", source], check=False, capture_output=True, text=True)
    if listing.returncode:
        raise WorkRefused(f"{source}: {tool} can't list it: {listing.stderr.strip()}")
    picked = Picked(listing.stdout, stored.tables, beside=stored.beside)
    for text in picked.left_out:
        _log.warning("without %s: what it needs besides is not restored", text)
    path = directory / "list"
    path.write_text("".join(f"{number};\n" for number in picked.numbers), encoding="utf-8")
    return path


def _setting(backend: PostgreSQLBackups, key: str) -> str:
    return ".".join(backend.identifier(part) for part in key.split("."))


def _pattern(schema: str | None, name: str) -> str:
    """Return a table's name as the pattern that matches nothing else."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in (schema or "public", name))
