"""PostgreSQL's databases: CREATE and DROP DATABASE, and who is connected to one.

https://www.postgresql.org/docs/current/manage-ag-createdb.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.databases import Wanted
from dbctl.backends.locks import Holder
from dbctl.backends.postgresql.roles import PostgreSQLRoles
from dbctl.errors import WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

_USERS = (
    "SELECT pid, application_name FROM pg_stat_activity"
    " WHERE datname = %(name)s AND pid <> pg_backend_pid() ORDER BY pid"
)
_TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {} AND pid <> pg_backend_pid()"


class PostgreSQLDatabases(PostgreSQLRoles):
    """How databases are made and dropped."""

    maintenance = ("postgres", "template1")
    # `postgres` is a database as any other: it is there to be used, and only the templates are needed.
    system_databases = ("template0", "template1")
    longest_name = 63  # https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
    wishes = ("encoding", "collation", "owner", "template")
    # duplicate_database; and where another run is about to commit its own, unique_violation of the catalog's index
    database_exists = ("42P04", "23505")
    database_missing = ("3D000",)
    template_busy = ("55006",)

    def refuse_pooler(self, connection: Connection) -> None:
        """Refuse what shows its client another process id than the server's."""
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        driver_connection: Any = connection.connection.driver_connection
        if pid != driver_connection.info.backend_pid:
            raise WorkRefused(
                "a pooler such as PgBouncer answers here, by which no database is created or dropped: it holds "
                "connections that nobody uses",
                "connect to the server itself",
            )

    def has_database(self, connection: Connection, name: str) -> bool:
        """Ask the catalog, which all may read."""
        query = "SELECT count(*) FROM pg_database WHERE datname = %(name)s"
        return bool(connection.exec_driver_sql(query, {"name": name}).scalar())

    def creating(self, name: str, wanted: Wanted) -> str:
        """Copy template0 where text is to be stored or sorted otherwise than in template1: only that one allows it."""
        template = wanted.template or ("template0" if wanted.encoding or wanted.collation else None)
        parts = {
            "OWNER": wanted.owner and self.identifier(wanted.owner),
            "TEMPLATE": template and self.identifier(template),
            "ENCODING": wanted.encoding and self.text_literal(wanted.encoding),
            "LC_COLLATE": wanted.collation and self.text_literal(wanted.collation),
            "LC_CTYPE": wanted.collation and self.text_literal(wanted.collation),
        }
        return " ".join(
            [f"CREATE DATABASE {self.identifier(name)}", *(f"{key} {said}" for key, said in parts.items() if said)]
        )

    def create_right(self, name: str, role: str) -> str:
        """Return what a superuser says."""
        return f"ALTER ROLE {self.identifier(role)} CREATEDB"

    def users_of(self, connection: Connection, name: str) -> Sequence[Holder]:
        """Ask for its sessions, whose numbers all may see."""
        return [Holder(pid, program or None) for pid, program in connection.exec_driver_sql(_USERS, {"name": name})]

    def dropping(self, connection: Connection, name: str, users: Sequence[Holder], *, force: bool) -> Sequence[str]:
        """Have the server end its sessions, from PostgreSQL 13 on with DROP itself, so that no other comes between."""
        drop = f"DROP DATABASE {self.identifier(name)}"
        if not force:
            return [drop]
        if (connection.dialect.server_version_info or (0,)) >= (13,):
            return [f"{drop} WITH (FORCE)"]
        return [_TERMINATE.format(self.text_literal(name)), drop]
