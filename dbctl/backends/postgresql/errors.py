"""What PostgreSQL's errors mean, by psycopg2, asyncpg and libpq."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dbctl.backends.errors import Diagnosis, Meaning
from dbctl.backends.postgresql import libpq
from dbctl.errors import (
    BrokenReference,
    Conflict,
    ConnectError,
    Contention,
    DbctlError,
    Duplicate,
    MissingTable,
    NoSpace,
    OutOfTime,
    WorkRefused,
)

if TYPE_CHECKING:
    import socket

# Before SQLAlchemy 2.0.40 its adapter of asyncpg has the class of the driver's error before what that says.
_CLASS = re.compile(r"\A<class '[^']+'>: ")

# https://www.pgbouncer.org/config.html#ignore_startup_parameters
_POOLER_REFUSES = "unsupported startup parameter"
_WITHOUT_OPTIONS = (
    "a pooler such as PgBouncer answers here: take the parameter out of the profile, and set what it sets on the role, "
    "by ALTER ROLE ... SET; or connect to the server itself"
)

_LOST = Meaning(ConnectError, "login", transient=True)

# https://www.postgresql.org/docs/current/errcodes-appendix.html; two characters are a class, for those not named here
MEANINGS: Mapping[str, Meaning] = {
    # those of class 08 that asyncpg has for its own connection; the others are of a foreign data wrapper's
    "0A000": Meaning(WorkRefused),  # feature_not_supported: also while one connects, to a standby as SERIALIZABLE
    "08003": _LOST,  # connection_does_not_exist
    "08006": _LOST,  # connection_failure
    "22000": Meaning(Conflict),
    "22001": Meaning(Conflict),  # string_data_right_truncation
    "22003": Meaning(Conflict),  # numeric_value_out_of_range
    "23": Meaning(Conflict),  # integrity_constraint_violation
    "23001": Meaning(BrokenReference),  # restrict_violation
    "23503": Meaning(BrokenReference),  # foreign_key_violation
    "23505": Meaning(Duplicate),  # unique_violation
    "23P01": Meaning(Duplicate),  # exclusion_violation: unique, in a wider sense
    "25P03": Meaning(OutOfTime),  # idle_in_transaction_session_timeout
    "25P04": Meaning(OutOfTime),  # transaction_timeout
    "28": Meaning(WorkRefused, "login"),  # invalid_authorization_specification
    "3D000": Meaning(WorkRefused, "database"),  # invalid_catalog_name
    "40001": Meaning(Contention, heals=True),  # serialization_failure
    # statement_completion_unknown: CockroachDB's, where it can't tell what became of a COMMIT
    "40003": Meaning(ConnectError, commit_unknown=True),
    "40P01": Meaning(Contention, heals=True),  # deadlock_detected
    "42P01": Meaning(MissingTable),
    "53100": Meaning(NoSpace),  # disk_full
    "53300": _LOST,  # too_many_connections
    "55P03": Meaning(OutOfTime, lock=True),  # lock_not_available
    "57014": Meaning(OutOfTime, statement=True),  # query_canceled: the statement timeout
    "57P01": _LOST,  # admin_shutdown
    "57P02": _LOST,  # crash_shutdown
    "57P03": _LOST,  # cannot_connect_now
    "57P04": Meaning(ConnectError, "database"),  # database_dropped
    "57P05": _LOST,  # idle_session_timeout
}


class PostgreSQLErrors(Diagnosis):
    """How psycopg2's and asyncpg's errors are read."""

    meanings = MEANINGS
    rights_missing = ("42501",)
    fails_whole = True
    no_password = "no password supplied"
    column_patterns = (r'column "([^"]+)"', r"Key \(([^)]*)\)=")

    def driver_errors(self) -> tuple[type[BaseException], ...]:
        """Return psycopg2's base; and where asyncpg is in use its own, and what SQLAlchemy makes of them."""
        import psycopg2

        found: list[type[BaseException]] = [psycopg2.Error]
        if driver := sys.modules.get("asyncpg"):
            found += (driver.PostgresError, driver.InterfaceError, driver.InternalClientError)
        if dialect := sys.modules.get("sqlalchemy.dialects.postgresql.asyncpg"):
            found.append(dialect.AsyncAdapt_asyncpg_dbapi.Error)
        return tuple(found)

    def error_code(self, error: BaseException) -> str | None:
        """Return the SQLSTATE; errors from before there was a session have none."""
        return getattr(error, "pgcode", None) or getattr(error, "sqlstate", None)

    def meaning(self, error: BaseException) -> Meaning | None:
        """Return what the table has for the SQLSTATE, or else for its class."""
        code = self.error_code(error) or ""
        return self.meanings.get(code) or self.meanings.get(code[:2])

    def error_text(self, error: BaseException) -> str:
        """Return the server's message and detail, without the statement that psycopg2 quotes below them.

        The detail shows the row's values, and so is left out for a protected profile.
        """
        diagnosis = getattr(error, "diag", None)
        if diagnosis is not None and diagnosis.message_primary:
            text, detail = diagnosis.message_primary, diagnosis.message_detail
        else:
            text, detail = super().error_text(error), getattr(error.__cause__, "detail", None)
            text = _CLASS.sub("", text)
        return text if self.profile.protected or not detail else f"{text}: {detail}"

    def first_silence(self, sock: socket.socket) -> str:
        """Ask for TLS, as libpq and asyncpg first do.

        https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
        """
        if self.profile.ssl.mode == "disable":
            return "login"
        try:
            sock.sendall(libpq.SSL_REQUEST)
            return "login" if sock.recv(1) else "TLS"
        except OSError:
            return "TLS"

    def failed_stage(self, error: BaseException) -> str:
        """Tell the step by the SQLSTATE, by libpq's words, or by what asyncpg met on its socket."""
        if self.error_code(error):
            meaning = self.meaning(error)
            return (meaning and meaning.stage) or "login"
        if libpq.is_silence(str(error)):
            return self.silent_step()
        return libpq.stage(str(error)) or super().failed_stage(error)

    def is_transient(self, error: BaseException, stage: str) -> bool:
        """Tell it also by libpq's words."""
        return super().is_transient(error, stage) or libpq.may_heal(str(error))

    def connect_error(self, error: BaseException) -> ConnectError:
        """Return the error that says at which step connecting failed; of what only a pooler says, what to do."""
        failed = super().connect_error(error)
        if _POOLER_REFUSES in failed.message:
            failed.hint = _WITHOUT_OPTIONS
        return failed

    def refused_value(self, error: BaseException) -> DbctlError | None:
        """Translate what psycopg2 does not send."""
        if isinstance(error, ValueError) and "NUL" in str(error):
            return WorkRefused("PostgreSQL stores no NUL character in text", "take it out of the value")
        return None
