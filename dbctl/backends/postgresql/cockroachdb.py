"""CockroachDB, as its documentation says of it (https://www.cockroachlabs.com/docs/stable/): not tried on a real one.

From 22.1 on it cancels what runs by PostgreSQL's protocol, and has cursors and SET LOCAL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from dbctl.backends.base import Identity
from dbctl.backends.portable import PortableInventory
from dbctl.backends.postgresql.nodes import ManyNodes
from dbctl.backends.postgresql.relatives import COCKROACHDB, said
from dbctl.backends.sessions import SessionsThere
from dbctl.errors import ConfigError, Unsupported
from dbctl.runtime.distribution import how_to_install

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

VERSION = re.compile(r"v(\d[\w.-]*)")
"""Its version in its `crdb_version`: `CockroachDB CCL v25.2.1 (x86_64-pc-linux-gnu, built …)`."""

_LEVELS = ("SERIALIZABLE", "READ COMMITTED")


class CockroachDB(PortableInventory, ManyNodes):
    """CockroachDB, by psycopg2 and by asyncpg, each with the dialect of sqlalchemy-cockroachdb."""

    title = "CockroachDB"
    sync_driver = "cockroachdb+psycopg2"
    async_driver = "cockroachdb+asyncpg"
    schemes = (COCKROACHDB, *ManyNodes.schemes)
    # https://www.cockroachlabs.com/docs/stable/session-variables: autocommit_before_ddl, which is on from 25.1 on
    committing_words = r"COMMIT|END|CREATE|ALTER|DROP|TRUNCATE|GRANT|REVOKE|COMMENT\s+ON"
    check_deferred = None  # it has no deferrable constraints
    backup_by = "take BACKUP and RESTORE: https://www.cockroachlabs.com/docs/stable/backup-and-restore-overview"
    differs = (
        "A conflict is 40001, after which all is run again; what became of a COMMIT without an answer is not told; a "
        "schema change is not rolled back, and commits what was before it; a lock is a row of a table."
    )

    def problems(self) -> Iterator[str]:
        """Yield also an isolation level that its dialect has not."""
        yield from super().problems()
        if (level := self.profile.isolation) and level.upper() not in _LEVELS:
            where = self.profile.origins.get("isolation", self.profile.called)
            yield f'{where}: isolation = "{level}": for CockroachDB allowed is {" or ".join(_LEVELS)}'

    def connect_args(self) -> dict[str, Any]:
        """Return libpq's keywords.

        Raises:
            ConfigError: The dialect is not installed.
        """
        self._need_dialect()
        return super().connect_args()

    def async_connect_args(self) -> dict[str, Any]:
        """Return asyncpg's keywords; raises what `connect_args` does."""
        self._need_dialect()
        return super().async_connect_args()

    def _need_dialect(self) -> None:
        if find_spec("sqlalchemy_cockroachdb") is None:
            where = self.profile.origins.get("driver", self.profile.called)
            message = f"{where}: SQLAlchemy speaks to CockroachDB by sqlalchemy-cockroachdb, which is not installed"
            raise ConfigError(message, how_to_install("cockroachdb"))

    def identity(self, connection: Connection) -> Identity:
        """Ask for the user and the database; its `server_version` is that of a PostgreSQL, and not its own."""
        version = said(connection.connection.driver_connection, "crdb_version") or ""
        user, database = connection.exec_driver_sql("SELECT current_user, current_database()").one()
        found = VERSION.search(version)
        return Identity(self.title, found[1] if found else version, user, database)

    def begin_strictly(self, connection: Connection, *, writes: bool) -> None:
        """Begin it READ ONLY (https://www.cockroachlabs.com/docs/stable/set-transaction)."""
        if not writes:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")

    def explaining(self, connection: Connection, *, analyze: bool) -> str:
        """Ask without BUFFERS, of which there are none."""
        return "EXPLAIN ANALYZE " if analyze else "EXPLAIN "

    def prepare_migrations(self, engine: Engine) -> None:
        """Have alembic know the dialect, by the name of which it looks for what it does in PostgreSQL's way."""
        from alembic.ddl.postgresql import PostgresqlImpl

        class CockroachDBImpl(PostgresqlImpl):
            __dialect__ = COCKROACHDB
            transactional_ddl = self.transactional_ddl

    def refuse_drift(self) -> None:
        """Refuse: temporary tables are an experiment there, and switched off."""
        raise Unsupported(
            f"{self.title} has no temporary tables, in which declarations are held against what is there",
            "migrate check tells which migrations are pending",
        )

    def sessions_there(self, connection: Connection) -> SessionsThere:
        """Refuse: pg_locks and pg_stat_activity are empty."""
        raise Unsupported(
            f"{self.title} does not tell of its sessions as PostgreSQL does",
            "ask SHOW CLUSTER SESSIONS, and end one by CANCEL SESSION, or what it runs by CANCEL QUERY",
        )
