"""MySQL's and MariaDB's users: what each is granted, on a whole database, so that tables to come are granted too.

https://dev.mysql.com/doc/refman/8.4/en/grant.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.base import Backend
from dbctl.backends.databases import Purpose
from dbctl.backends.mysql.verifiers import caching_sha2, native

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ROWS = "SELECT, INSERT, UPDATE, DELETE"
_PRIVILEGES = {
    Purpose.READONLY: "SELECT, SHOW VIEW",
    Purpose.APP: f"{_ROWS}, EXECUTE, CREATE TEMPORARY TABLES",
    Purpose.MIGRATOR: (
        f"{_ROWS}, CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES,"
        " CREATE ROUTINE, ALTER ROUTINE, EXECUTE, CREATE TEMPORARY TABLES"
    ),
}


class MySQLRoles(Backend):
    """How users are made."""

    def identifier(self, name: str) -> str:
        """Quote it with backticks."""
        return "`" + name.replace("`", "``") + "`"

    @staticmethod
    def text_literal(text: str) -> str:
        """Return a text as a literal, whatever sql_mode makes of a backslash."""
        if "\\" in text:
            return f"_utf8mb4 0x{text.encode().hex()}"
        return "'" + text.replace("'", "''") + "'"

    def granted_on(self, database: str, *, patterns: bool = True) -> str:
        """Return a database's name as GRANT takes it, to which `_` and `%` may be patterns."""
        if patterns:
            database = database.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")
        return f"{self.identifier(database)}.*"

    @staticmethod
    def _account(name: str) -> str:
        """Return a user's name with the host that it comes from: any, unless it is said as `name@host`."""
        user, at, host = name.rpartition("@")
        user, host = (user, host) if at else (name, "%")
        return f"`{user.replace('`', '``')}`@`{host.replace('`', '``')}`"

    def has_role(self, connection: Connection, name: str) -> bool:
        """Ask for those that have been granted anything, be it USAGE alone, as all have."""
        user, at, host = name.rpartition("@")
        grantee = f"'{user if at else name}'@'{host if at else '%'}'"
        query = "SELECT count(*) FROM information_schema.user_privileges WHERE grantee = %(grantee)s"
        return bool(connection.exec_driver_sql(query, {"grantee": grantee}).scalar())

    def role_creating(self, connection: Connection, name: str, password: str) -> str:
        """Compute what the server would store, so that neither the wire nor a log has the password.

        https://dev.mysql.com/doc/refman/8.4/en/password-logging.html: not all logs are rewritten.
        """
        if "MariaDB" in _server_info(connection):
            return f"CREATE USER {self._account(name)} IDENTIFIED BY PASSWORD '{native(password)}'"
        stored = caching_sha2(password)
        return f"CREATE USER {self._account(name)} IDENTIFIED WITH caching_sha2_password AS '{stored}'"

    def role_grants(self, connection: Connection, name: str, purpose: Purpose) -> Sequence[str]:
        """Grant it on the whole database."""
        database = connection.exec_driver_sql("SELECT database()").scalar_one()
        literally = [value for _, value in connection.exec_driver_sql("SHOW VARIABLES LIKE 'partial_revokes'")]
        where = self.granted_on(database, patterns=literally != ["ON"])
        return [f"GRANT {_PRIVILEGES[purpose]} ON {where} TO {self._account(name)}"]


def _server_info(connection: Connection) -> str:
    driver_connection: Any = connection.connection.driver_connection
    return str(driver_connection.get_server_info())
