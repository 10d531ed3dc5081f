"""PostgreSQL, by psycopg2."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbctl.backends.base import Backend, Identity, ServerUsage
from dbctl.errors import Conflict, ConnectError, DbctlError, MissingTable, OutOfTime, WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Any number will do that no other program uses for an advisory lock; this one spells "dbctlddl".
_DDL_LOCK = int.from_bytes(b"dbctlddl", "big") >> 1

# libpq has no code for what fails before a session is there; its English words, and the step they speak of.
_STAGES = (
    ("could not translate host name", "name resolution"),
    ("SSL", "TLS"),
    ("certificate", "TLS"),
    ("root.crt", "TLS"),
    ("Connection refused", "TCP"),
    ("No such file or directory", "TCP"),
    ("No route to host", "TCP"),
    ("Network is unreachable", "TCP"),
    ("timeout expired", "TCP"),
    ('database "', "database"),
    ("FATAL", "login"),
    ("fe_sendauth", "login"),
)


class PostgreSQL(Backend):
    """PostgreSQL."""

    title = "PostgreSQL"
    drivers = ("postgresql", "postgres", "postgresql+psycopg2", "postgresql+asyncpg")
    sync_driver = "postgresql+psycopg2"
    # https://www.postgresql.org/docs/current/errcodes-appendix.html
    errors = {
        "42P01": MissingTable,
        "57014": OutOfTime,  # query_canceled: the statement timeout
        "55P03": OutOfTime,  # lock_not_available
        "25P03": OutOfTime,  # idle_in_transaction_session_timeout
        "53300": ConnectError,  # too_many_connections
        "57P01": ConnectError,  # admin_shutdown
        "57P02": ConnectError,  # crash_shutdown
        "57P03": ConnectError,  # cannot_connect_now
        "22000": Conflict,
        "22001": Conflict,  # string_data_right_truncation
        "22003": Conflict,  # numeric_value_out_of_range
        "23502": Conflict,
        "23503": Conflict,
        "23505": Conflict,
        "23514": Conflict,
        "23P01": Conflict,
    }

    def connect_args(self) -> dict[str, Any]:
        """Return libpq's keywords (https://www.postgresql.org/docs/current/libpq-connect.html)."""
        profile, ssl = self.profile, self.profile.ssl
        args: dict[str, Any] = {
            # libpq takes whole seconds, and advises against fewer than 2.
            "connect_timeout": max(2, math.ceil(profile.connect_timeout)),
            "application_name": profile.application_name,
            "sslmode": ssl.mode,
            "sslrootcert": ssl.ca,
            "sslcert": ssl.cert,
            "sslkey": ssl.key,
        }
        return {key: value for key, value in args.items() if value is not None}

    def identity(self, connection: Connection) -> Identity:
        """Ask for the version, the user and the database."""
        query = "SELECT current_setting('server_version'), current_user, current_database()"
        version, user, database = connection.exec_driver_sql(query).one()
        return Identity(self.title, version.split()[0], user, database)

    def tls_version(self, driver_connection: Any) -> str | None:
        """Ask libpq about its own socket; `pg_stat_ssl` would speak of the server's hop behind a proxy."""
        info = driver_connection.info
        return str(info.ssl_attribute("protocol")) if info.ssl_in_use else None

    def usage(self, connection: Connection) -> ServerUsage:
        """Count client backends, and what max_connections leaves besides the reserved ones."""
        row = connection.exec_driver_sql(
            "SELECT count(*), count(*) FILTER (WHERE usename = current_user),"
            " current_setting('max_connections')::int"
            " - current_setting('superuser_reserved_connections')::int"
            " - coalesce(current_setting('reserved_connections', true)::int, 0),"
            " (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user)"
            " FROM pg_stat_activity WHERE backend_type = 'client backend'"
        ).one()
        in_use, by_user, limit, role_limit = row
        headroom = limit - in_use
        if role_limit >= 0:
            headroom = min(headroom, role_limit - by_user)
        return ServerUsage(in_use, by_user, limit, max(0, headroom))

    def begin(self, connection: Connection, *, writes: bool) -> None:
        """Bound each statement. LOCAL, since a session's setting would reach the next client of a pooler."""
        if timeout := self.profile.statement_timeout:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, round(timeout * 1000))}")

    @contextmanager
    def ddl_lock(self, connection: Connection) -> Iterator[None]:
        """Take a transaction's advisory lock: CREATE TABLE IF NOT EXISTS alone fails when two run it at once."""
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_DDL_LOCK,))
        yield

    def error_code(self, error: BaseException) -> Any:
        """Return the SQLSTATE; errors from before there was a session have none."""
        return getattr(error, "pgcode", None)

    def error_text(self, error: BaseException) -> str:
        """Return the server's message and detail, without the statement that psycopg2 quotes below them."""
        diagnosis = getattr(error, "diag", None)
        if diagnosis is None or not diagnosis.message_primary:
            return super().error_text(error)
        return ": ".join(part for part in (diagnosis.message_primary, diagnosis.message_detail) if part)

    def failed_stage(self, error: BaseException) -> str:
        """Tell the step by libpq's words."""
        text = str(error)
        return next((stage for words, stage in _STAGES if words in text), "connection")

    def translate(self, error: BaseException) -> DbctlError | None:
        """Translate also what psycopg2 refuses before it sends it."""
        if isinstance(error, ValueError) and "NUL" in str(error):
            return WorkRefused("PostgreSQL stores no NUL character in text", "take it out of the value")
        return super().translate(error)


backend = PostgreSQL
