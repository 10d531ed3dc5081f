"""MySQL's and MariaDB's databases: CREATE and DROP DATABASE, and who is connected to one.

https://dev.mysql.com/doc/refman/8.4/en/create-database.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbctl.backends.databases import Wanted
from dbctl.backends.locks import Holder
from dbctl.backends.mysql.roles import MySQLRoles
from dbctl.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

_USERS = "SELECT id, user FROM information_schema.processlist WHERE db = %(name)s AND id <> connection_id() ORDER BY id"


class MySQLDatabases(MySQLRoles):
    """How databases are made and dropped."""

    maintenance = (None,)
    wishes = ("encoding", "collation")
    system_databases = ("information_schema", "mysql", "performance_schema", "sys")
    database_exists = (1007,)
    database_missing = (1008,)
    session_missing = (1094,)

    def refuse_name(self, name: str) -> None:
        """Refuse also what is beyond Unicode's first 65,536 characters: no name has those.

        https://dev.mysql.com/doc/refman/8.4/en/identifiers.html

        Raises:
            UsageError: None can be called so.
        """
        super().refuse_name(name)
        if beyond := [one for one in name if one > "\uffff"]:
            raise UsageError(f"{name}: no name in {self.title} or MariaDB has {beyond[0]} in it", "take another")

    def has_database(self, connection: Connection, name: str) -> bool:
        """Ask for those that this role may see."""
        query = "SELECT count(*) FROM information_schema.schemata WHERE schema_name = %(name)s"
        return bool(connection.exec_driver_sql(query, {"name": name}).scalar())

    def creating(self, name: str, wanted: Wanted) -> str:
        """Have it store all of Unicode, which older servers do not unless they are told."""
        encoding = wanted.encoding or (None if wanted.collation else "utf8mb4")
        parts = {
            "CHARACTER SET": encoding and self.text_literal(encoding),
            "COLLATE": wanted.collation and self.text_literal(wanted.collation),
        }
        return " ".join(
            [f"CREATE DATABASE {self.identifier(name)}", *(f"{key} {said}" for key, said in parts.items() if said)]
        )

    def create_right(self, name: str, role: str) -> str:
        """Return what an administrator says."""
        return f"GRANT ALL ON {self.granted_on(name)} TO {self.text_literal(role)}"

    def users_of(self, connection: Connection, name: str) -> Sequence[Holder]:
        """Ask for its sessions: without the privilege PROCESS a user sees only its own."""
        return [Holder(session, user) for session, user in connection.exec_driver_sql(_USERS, {"name": name})]

    def dropping(self, connection: Connection, name: str, users: Sequence[Holder], *, force: bool) -> Sequence[str]:
        """End its sessions first, one by one: DROP itself would pass them over, and wait for their transactions."""
        kills = [f"KILL {user.session}" for user in users] if force else []
        return [*kills, f"DROP DATABASE {self.identifier(name)}"]
