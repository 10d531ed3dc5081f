"""Servers that speak PostgreSQL's protocol: CockroachDB, YugabyteDB; and PostgreSQL with more to it: Citus, Aurora.

CockroachDB names itself by a parameter of its own at login, YugabyteDB in its `server_version`. Citus and Aurora say
nothing then: they are told by what they have installed, where something is asked anyhow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbctl.backends.base import Backend, Identity
from dbctl.backends.relatives import told_of
from dbctl.errors import ConnectError, Unsupported, WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.findings import Finding

COCKROACHDB = "cockroachdb"
"""What the driver of a profile begins with for which SQLAlchemy takes CockroachDB's own dialect."""

# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Updates.html has aurora_version()
CITUS, AURORA = "(SELECT extversion FROM pg_extension WHERE extname = 'citus')", "to_regproc('aurora_version')"
"""What is null where it is another server."""

# https://docs.citusdata.com/en/stable/develop/api_metadata.html: the coordinator is group 0
_GROUP = "SELECT groupid FROM pg_dist_local_group"

_CITUS = (
    "Advisory locks and sessions are those of this node; a backup of the coordinator has no one moment of its workers."
)
_AURORA = (
    "What became of a COMMIT without an answer is not told, for there is no timeline to know the server by; advisory "
    "locks are the writer's."
)


class PostgreSQLRelatives(Backend):
    """How PostgreSQL's relatives are told."""

    @classmethod
    def named(cls, driver: str) -> type[Backend] | None:
        """Return CockroachDB's where SQLAlchemy is to take its dialect."""
        if not driver.startswith(COCKROACHDB):
            return None
        from dbctl.backends.postgresql.cockroachdb import CockroachDB

        return CockroachDB

    def meet(self, driver_connection: Any) -> None:
        """Look at the parameters that came with the login."""
        named, answers = self.profile.driver.startswith(COCKROACHDB), said(driver_connection, "crdb_version")
        if bool(answers) != named:
            who, scheme = ("CockroachDB", "cockroachdb") if answers else ("no CockroachDB", "postgresql")
            raise ConnectError(
                f"{self.profile.called}: {who} answers, and its driver is {self.profile.driver}",
                "login",
                f"begin the url with {scheme}://, for SQLAlchemy has a dialect of its own for each",
            )
        version = said(driver_connection, "server_version") or ""
        if "-YB-" in version:
            from dbctl.backends.postgresql import yugabytedb

            is_old = version.startswith("11.")
            self.__class__ = yugabytedb.YugabyteDB11 if is_old else yugabytedb.YugabyteDB

    def identity(self, connection: Connection) -> Identity:
        """Ask for the version, the user and the database, and whether there is more to it."""
        asked = f"current_setting('server_version'), current_user, current_database(), {CITUS}, {AURORA} IS NOT NULL"
        version, user, database, citus, aurora = connection.exec_driver_sql(f"SELECT {asked}").one()
        title = f"{self.title} with Citus {citus}" if citus else "Aurora PostgreSQL" if aurora else self.title
        return Identity(title, version.split()[0], user, database)

    def refuse_backup(self, connection: Connection) -> None:
        """Refuse Citus too: the snapshot is the coordinator's, and the rows are the workers'."""
        if connection.exec_driver_sql(f"SELECT {CITUS}").scalar():
            raise Unsupported(
                "of the workers of Citus, which have the rows, pg_dump would write no one moment",
                "back up all nodes at one point: citus_create_restore_point",
            )

    def refuse_worker(self, connection: Connection) -> None:
        """Do nothing on the coordinator of Citus.

        Raises:
            WorkRefused: It is a worker, of whose locks the coordinator does not hear.
        """
        if connection.exec_driver_sql(_GROUP).scalar():
            raise WorkRefused(
                "a lock would exclude nobody elsewhere: this is a worker of Citus", "take it on the coordinator"
            )

    def more_to_it(self, connection: Connection) -> Finding | None:
        """Return a note where it is PostgreSQL with more to it."""
        citus, aurora = connection.exec_driver_sql(f"SELECT {CITUS}, {AURORA} IS NOT NULL").one()
        if citus:
            return told_of(f"PostgreSQL with Citus {citus}", _CITUS)
        return told_of("Aurora PostgreSQL", _AURORA) if aurora else None


def said(driver_connection: Any, name: str) -> str | None:
    """Return a parameter that came with the login, as libpq and asyncpg keep it; None where none of the name came.

    https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-ASYNC
    """
    kept = getattr(driver_connection, "get_parameter_status", None)
    found = kept(name) if kept else getattr(driver_connection.get_settings(), name, None)
    return None if found is None else str(found)
