"""Servers that speak MySQL's protocol: TiDB and Vitess, which say so in their greeting; and Aurora, by a variable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.base import Backend, Identity
from dbctl.backends.relatives import told_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.findings import Finding

# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraMySQL.Updates.Versions.html. MariaDB, which has no
# such table, is never one.
_AURORA = "(SELECT variable_value FROM performance_schema.global_variables WHERE variable_name = 'aurora_version')"
_DIFFERS = "A reader is known by innodb_read_only alone; locks by name are the writer's."


def is_mariadb(driver_connection: Any) -> bool:
    """Tell MariaDB by its greeting."""
    return "MariaDB" in driver_connection.get_server_info()


class MySQLRelatives(Backend):
    """How MySQL's relatives are told."""

    kill: ClassVar[str] = "KILL"
    """What ends a session, or what it runs."""

    def meet(self, driver_connection: Any) -> None:
        """Look at the version in the greeting."""
        greeting = driver_connection.get_server_info()
        if "-TiDB-" in greeting:
            from dbctl.backends.mysql.tidb import TiDB

            self.__class__ = TiDB
        elif "-Vitess" in greeting:
            from dbctl.backends.mysql.vitess import Vitess

            self.__class__ = Vitess

    def identity(self, connection: Connection) -> Identity:
        """Ask for the version, the user and the database; the server's own version tells MariaDB, not a proxy's."""
        dialect: Any = connection.dialect
        mariadb = dialect.is_mariadb
        asked = f"version(), current_user(), database(), {'NULL' if mariadb else _AURORA}"
        version, user, database, aurora = connection.exec_driver_sql(f"SELECT {asked}").one()
        if aurora:
            return Identity("Aurora MySQL", f"{version.split('-')[0]} ({aurora})", user, database)
        return Identity("MariaDB" if mariadb else self.title, version.split("-")[0], user, database)

    def more_to_it(self, connection: Connection) -> Finding | None:
        """Return a note where it is Aurora."""
        dialect: Any = connection.dialect
        if dialect.is_mariadb:
            return None
        aurora = connection.exec_driver_sql(f"SELECT {_AURORA}").scalar()
        return told_of(f"Aurora MySQL {aurora}", _DIFFERS) if aurora else None
