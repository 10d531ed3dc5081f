"""PostgreSQL, by psycopg2."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.backends.base import Backend
from dbctl.backends.cursors import marking
from dbctl.backends.postgresql import asyncpg
from dbctl.backends.postgresql.databases import PostgreSQLDatabases
from dbctl.backends.postgresql.errors import PostgreSQLErrors
from dbctl.backends.postgresql.hosts import PostgreSQLHosts
from dbctl.backends.postgresql.options import DEFAULT_PORT, OPTIONS, option_problems, places
from dbctl.backends.postgresql.passfile import password_in_file
from dbctl.backends.postgresql.peers import PostgreSQLNodes
from dbctl.backends.postgresql.programs import PostgreSQLPrograms
from dbctl.backends.postgresql.queries import PostgreSQLQueries
from dbctl.backends.postgresql.relations import PostgreSQLRelations
from dbctl.backends.postgresql.relatives import AURORA, COCKROACHDB, PostgreSQLRelatives
from dbctl.backends.postgresql.replicated import TRANSACTION, PostgreSQLReplicated
from dbctl.backends.tls import system_ca
from dbctl.errors import ConfigError
from dbctl.profiles.tls import VERIFYING
from dbctl.runtime.versions import sqlalchemy_is_before

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.audit import Facts, ServerUsage

# For what is not named libpq would look in the home directory, and verify, or show itself, by what it finds there.
_NO_FILE = "/dev/null/none"

# Where the server's system can't tell that a socket is closed, as on Windows, it refuses the setting.
_WATCH_CLIENT = (
    "CASE WHEN version() ~ 'linux|darwin|bsd' THEN set_config('client_connection_check_interval', '500', true) END"
)

# What psycopg2's cursors ask the server by.
_ASKING = (
    *("execute", "executemany", "callproc", "copy_expert", "copy_from", "copy_to"),
    *("fetchone", "fetchmany", "fetchall", "__next__"),
)

_IN_TRANSACTION = 2
"""psycopg2's `STATUS_BEGIN`."""

_IN_ERROR = 3
"""libpq's `PQTRANS_INERROR`."""

_OWN_ID = "(SELECT pg_current_xact_id_if_assigned()::text AS id) AS own"
# Aurora has no log of its own that could be asked for.
_TIMELINE = f"CASE WHEN {AURORA} IS NULL THEN left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END"


def _is_lost(connection: Any, error: BaseException) -> bool:
    """Take also an error of libpq's own for a loss, which has no code: it may come before the connection is closed."""
    from psycopg2 import DatabaseError, OperationalError

    return bool(connection.closed) or (type(error) in {DatabaseError, OperationalError} and error.pgcode is None)  # type: ignore[attr-defined]


class PostgreSQL(
    PostgreSQLHosts,
    PostgreSQLNodes,
    PostgreSQLRelations,
    PostgreSQLQueries,
    PostgreSQLErrors,
    PostgreSQLReplicated,
    PostgreSQLRelatives,
    PostgreSQLPrograms,
    PostgreSQLDatabases,
    Backend,
):
    """PostgreSQL."""

    title: ClassVar[str] = "PostgreSQL"
    drivers = (
        *("postgresql", "postgres", "postgresql+psycopg2", "postgresql+asyncpg"),
        *(COCKROACHDB, f"{COCKROACHDB}+psycopg2", f"{COCKROACHDB}+asyncpg"),
    )
    sync_driver: ClassVar[str] = "postgresql+psycopg2"
    async_driver: ClassVar[str] = "postgresql+asyncpg"
    other_drivers = (
        *("pgsql", "postgis", "postgresql+psycopg", "postgresql+psycopg_async", "postgresql+psycopg2cffi"),
        *("postgresql+pg8000", "postgresql+aiopg", "postgresql_psycopg2", f"{COCKROACHDB}+psycopg"),
    )
    default_port = DEFAULT_PORT
    options = OPTIONS
    lock_timeouts = ("55P03",)
    check_deferred: ClassVar[str | None] = "SET CONSTRAINTS ALL IMMEDIATE"

    def connect_args(self) -> dict[str, Any]:
        """Return libpq's keywords (https://www.postgresql.org/docs/current/libpq-connect.html)."""
        from psycopg2.extensions import cursor

        profile, ssl, where = self.profile, self.profile.ssl, places(self.profile)
        return {
            **self._libpq_options(),
            "host": ",".join(place.host for place in where),
            "port": ",".join(str(place.port) for place in where),
            # Also over what PGCLIENTENCODING says, and `options`.
            "client_encoding": "utf8",
            # libpq takes whole seconds, for each host anew, and advises against fewer than 2.
            "connect_timeout": max(2, math.ceil(profile.connect_timeout / (1 if self.chooses else len(where)))),
            "application_name": profile.application_name,
            "cursor_factory": marking(cursor, _ASKING, profile, is_lost=_is_lost),
            "sslmode": ssl.mode,
            "sslrootcert": ssl.ca or (system_ca(self.profile) if ssl.mode in VERIFYING else _NO_FILE),
            "sslcert": ssl.cert or _NO_FILE,
            "sslkey": ssl.key or ssl.cert or _NO_FILE,
        }

    def _libpq_options(self) -> dict[str, Any]:
        """Return the options of the profile that are libpq's, all of which the one that is installed has to know.

        Raises:
            ConfigError: It is older than one of them.
        """
        import psycopg2
        from psycopg2.extensions import libpq_version, make_dsn

        told = self.told()
        for key, value in told.items():
            try:
                make_dsn(**{key: value})
            except psycopg2.ProgrammingError:
                where, version = self.profile.origins.get("query", self.profile.called), libpq_version()
                raise ConfigError(f"{where}: query.{key}: libpq {version // 10_000} has no such option") from None
        return told

    def problems(self) -> Iterator[str]:
        """Yield also what is wrong with several hosts."""
        yield from super().problems()
        yield from option_problems(self.profile)

    def remarks(self) -> Iterator[tuple[str, str]]:
        """Yield also what only libpq makes sure of."""
        yield from super().remarks()
        if self.profile.query.get("channel_binding") == "require":
            yield "query.channel_binding", "is psycopg2's: asyncpg has none, and goes without"

    @property
    def asks(self) -> bool:
        """Whether there is a source; behind a tunnel it may be a file that libpq would not find it in."""
        return super().asks or (self.tunnel is not None and self.written_password() is None)

    def asked_password(self, seconds: float) -> str | None:
        """Ask the source that the profile names, or behind a tunnel libpq's own file."""
        own = password_in_file(self.profile, self.addresses()[0][1]) if not super().asks else None
        return own or super().asked_password(seconds)

    def rerouted(self, port: int, *, asynchronous: bool = False) -> dict[str, Any]:
        """Leave the host to libpq as it is: it is looked up in no DNS then, and is what it verifies."""
        place = super().rerouted(port)
        return place if asynchronous else {"hostaddr": place["host"], "port": str(port)}

    def async_connect_args(self) -> dict[str, Any]:
        """Return asyncpg's keywords."""
        return asyncpg.connect_args(self)

    def descriptor(self, driver_connection: Any) -> int:
        """Return that of libpq's socket."""
        try:
            return int(driver_connection.fileno())
        except self.driver_errors():
            return -1

    def asks_to_roll_back(self, driver_connection: Any) -> bool:
        """Tell whether psycopg2 is in a transaction, without which it leaves the server alone."""
        return getattr(driver_connection, "status", _IN_TRANSACTION) == _IN_TRANSACTION

    def transport(self, driver_connection: Any) -> Any:
        """Return asyncpg's, which it has no public name for."""
        return getattr(driver_connection, "_transport", None)

    def tls_version(self, driver_connection: Any) -> str | None:
        """Ask libpq, or asyncpg's transport, about its own socket.

        `pg_stat_ssl` would speak of the server's own hop, behind a proxy.
        """
        if transport := getattr(driver_connection, "_transport", None):
            tls = transport.get_extra_info("ssl_object")
            return tls.version() if tls else None
        info = driver_connection.info
        return str(info.ssl_attribute("protocol")) if info.ssl_in_use else None

    def usage(self, connection: Connection) -> ServerUsage:
        """Count sessions, and what the limits of the server, the role and the database leave."""
        from dbctl.backends.audit import ServerUsage
        from dbctl.backends.postgresql import audit

        return ServerUsage.of(audit.limits(connection))

    def facts(self, connection: Connection, *, deep: bool = False) -> Facts:
        """Ask what there is to ask; `deep` adds nothing here."""
        from dbctl.backends.postgresql import audit

        return audit.facts(self, connection)

    def begin_statement(self, *, writes: bool) -> str | None:
        """Bound each statement. LOCAL, since a session's setting would reach the next client of a pooler."""
        bounds = {"statement_timeout": self.profile.statement_timeout, "lock_timeout": self.profile.lock_timeout}
        local = [f"set_config('{name}', '{max(1, round(s * 1000))}', true)" for name, s in bounds.items() if s]
        return f"SELECT {', '.join(local)}" if local else None

    def has_ended(self, connection: Connection) -> bool:
        """Ask libpq whether an error has ended it; asyncpg does not tell."""
        status = getattr(connection.connection.driver_connection, "get_transaction_status", None)
        return status is not None and status() == _IN_ERROR

    def leads_here(self, connection: Connection, other: Connection) -> bool:
        """Compare the database, and to the microsecond when its server was started; a copy has all else in common."""
        if other.dialect.name != connection.dialect.name:
            return False
        query = "SELECT current_database(), CAST(pg_postmaster_start_time() AS text)"
        return tuple(connection.exec_driver_sql(query).one()) == tuple(other.exec_driver_sql(query).one())

    def in_transaction(self, driver_connection: Any) -> bool:
        """Ask libpq, or asyncpg."""
        info = getattr(driver_connection, "info", None)
        if info is None:
            return bool(driver_connection.is_in_transaction())
        from psycopg2.extensions import TRANSACTION_STATUS_IDLE

        return bool(info.transaction_status != TRANSACTION_STATUS_IDLE)

    def begin_strictly(self, connection: Connection, *, writes: bool) -> None:
        """Make it READ ONLY, and have the server look twice a second whether this end of the connection is still there.

        https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-CLIENT-CONNECTION-CHECK-INTERVAL
        """
        calls = [] if writes else ["set_config('transaction_read_only', 'on', true)"]
        if (connection.dialect.server_version_info or (0,)) >= (14,):
            calls.append(_WATCH_CLIENT)
        if calls:
            connection.exec_driver_sql(f"SELECT {', '.join(calls)}")

    def transaction_id(self, connection: Connection) -> str | None:
        """Ask for the transaction's id, which there is when it has written something, and the server's timeline.

        A standby that has taken over begins a new timeline, on which the same id may mean another transaction.
        """
        if (connection.dialect.server_version_info or (0,)) < (13,):
            return None
        found = connection.exec_driver_sql(f"SELECT id, {_TIMELINE} FROM {_OWN_ID} WHERE id IS NOT NULL").one_or_none()
        if found is None:
            return ""
        connection.info[TRANSACTION] = found[0]
        return None if found[1] is None else f"{found[0]} {found[1]}"

    def committed(self, connection: Connection, transaction_id: str, *, insist: bool) -> bool | None:
        """Ask the server for the transaction's status, which is null where it was long ago, or not on this server.

        https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT
        """
        id_, timeline = transaction_id.split()
        id_ = f"'{int(id_)}'::xid8"
        now_on, status = connection.exec_driver_sql(f"SELECT {_TIMELINE}, pg_xact_status({id_})").one()
        if now_on != timeline:
            return None
        if status == "in progress" and insist:
            whose = f"FROM pg_stat_activity WHERE backend_xid = {id_}::xid"
            connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) {whose}")
        return {"committed": True, "aborted": False}.get(status)

    def task_canceller(self, driver_connection: Any) -> Callable[[], Any] | None:
        """Cancel it from a second connection where SQLAlchemy ends asyncpg's before it has sent its own request to.

        https://docs.sqlalchemy.org/en/20/changelog/changelog_20.html#change-2.0.24-postgresql
        """
        if not sqlalchemy_is_before(2, 0, 24):
            return None
        return partial(self._cancel_backend, driver_connection, driver_connection.get_server_pid())

    def _cancel_backend(self, driver_connection: Any, process: int) -> None:
        with self.second_connection(driver_connection) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_cancel_backend(%s)", (process,))

    def canceller(self, driver_connection: Any) -> Callable[[], Any]:
        """Send a cancel request past psycopg2, whose own holds up all threads, and so every signal, until its answer.

        https://www.postgresql.org/docs/current/libpq-cancel.html#LIBPQ-CANCEL-DEPRECATED
        """
        import ctypes

        from psycopg2 import _psycopg

        libpq = ctypes.CDLL(_psycopg.__file__)  # which is linked to it
        if not hasattr(libpq, "PQcancel"):  # it is a part of psycopg2's own file, and out of sight
            return driver_connection.cancel  # type: ignore[no-any-return]
        libpq.PQgetCancel.restype = ctypes.c_void_p
        handle = ctypes.c_void_p(libpq.PQgetCancel(ctypes.c_void_p(driver_connection.pgconn_ptr)))
        return lambda: libpq.PQcancel(handle, ctypes.create_string_buffer(256), 256)


backend = PostgreSQL
