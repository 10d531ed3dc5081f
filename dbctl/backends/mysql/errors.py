"""What the errors of MySQL and MariaDB mean, by PyMySQL and asyncmy."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dbctl.backends.errors import Diagnosis, Meaning
from dbctl.errors import (
    BrokenReference,
    Conflict,
    ConnectError,
    Contention,
    Duplicate,
    MissingTable,
    NoSpace,
    OutOfTime,
    WorkRefused,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

_CONTENDED = Meaning(Contention, heals=True)
_LOST = Meaning(ConnectError)
_LOST_FOR_NOW = Meaning(ConnectError, "login", transient=True)

_COMMIT_FAILED = 1180
_DEADLOCK = "error 149 "
"""What 1180 says of InnoDB where another member's transaction went first: all is rolled back."""

_UNFIT_FOR_GROUP = 3098
_UNFIT = "a replication group takes writes for tables of InnoDB's that have a primary key"

_FULL = 1040
"""Is said before a login, and may come without a state, for which PyMySQL 1.1.0 cuts six letters off."""

QUERY_KILLED = 1317
STATEMENT_TIMEOUT = 3024
"""MySQL's: max_execution_time is over."""

# https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html and https://mariadb.com/kb/en/error-codes
MEANINGS: Mapping[int, Meaning] = {
    0: Meaning(ConnectError, commit_unknown=True),  # the drivers' own, of a connection that is closed
    **dict.fromkeys((3, 1021, 1114), Meaning(NoSpace)),
    # MariaDB's snapshot isolation, deadlock, and a conflict that a group of MySQL's found at COMMIT
    **dict.fromkeys((1020, 1213, 3101), _CONTENDED),
    # too many connections, of all or of the user; shutting down
    **dict.fromkeys((1040, 1053, 1203, 1226), _LOST_FOR_NOW),
    1046: Meaning(ConnectError, "database"),
    # At work these are of another database, or of a file, that a statement names; or no database can be called so.
    **dict.fromkeys((1044, 1049, 1059, 1102), Meaning(WorkRefused, "database")),
    **dict.fromkeys((1045, 1130, 1698), Meaning(WorkRefused, "login")),
    # Galera: this node does not take part. Behind a balancer the next connection leads to another node.
    1047: Meaning(ConnectError, transient=True, heals=True, disconnects=True),
    # not null, out of range, no default, wrong string, too long, check
    **dict.fromkeys((1048, 1264, 1364, 1366, 1406, 3819, 4025), Meaning(Conflict)),
    1062: Meaning(Duplicate),
    # Vitess: of one shard, where others may have committed; else an error that has no number of its own
    1105: Meaning(WorkRefused, commit_unknown=True),
    1146: Meaning(MissingTable),
    1153: Meaning(WorkRefused),  # larger than max_allowed_packet; the connection is ended
    _COMMIT_FAILED: _LOST,  # Galera: the COMMIT was sent on and nobody knows whether it arrived
    # A lock was not had in time: the server rolled back only the statement; the unit of work rolls back the rest.
    1205: Meaning(OutOfTime, heals=True, lock=True),
    **dict.fromkeys((1216, 1217, 1451, 1452), Meaning(BrokenReference)),
    QUERY_KILLED: Meaning(OutOfTime, commit_unknown=True),
    1927: _LOST,  # the connection was killed
    1969: Meaning(OutOfTime, commit_unknown=True, statement=True),  # MariaDB: max_statement_time
    **dict.fromkeys((2002, 2003, 2005, 2055, 4031), _LOST),
    # The server speaks first: what is lost after TCP is lost on the way to the login.
    **dict.fromkeys((2006, 2013), _LOST_FOR_NOW),
    2026: Meaning(ConnectError, "TLS"),
    STATEMENT_TIMEOUT: Meaning(OutOfTime, statement=True),
    3572: Meaning(OutOfTime),  # MySQL: NOWAIT
    # TiDB, https://docs.pingcap.com/tidb/stable/error-codes: a conflict at COMMIT, or a schema that has changed since,
    # after which "the application can safely retry the whole transaction"
    **dict.fromkeys((8002, 8005, 8022, 8028, 9007), _CONTENDED),
    8048: Meaning(WorkRefused, "login"),  # an isolation level that it has not
    8229: Meaning(OutOfTime),  # the transaction is older than it may be
    # its store is silent, busy or not there, or locks of others could not be resolved in time
    **dict.fromkeys((9001, 9002, 9003, 9005, 9012, 9013), Meaning(OutOfTime, heals=True, commit_unknown=True)),
    9004: Meaning(OutOfTime, heals=True, lock=True),
}


class MySQLErrors(Diagnosis):
    """How PyMySQL's and asyncmy's errors are read."""

    meanings = MEANINGS
    rights_missing = (1044, 1227)
    no_password = "(using password: NO)"
    column_patterns = (r"(?:[Cc]olumn|Field) '([^']+)'", r"for key '(?:\w+\.)?([^']+)'", r"FOREIGN KEY \(`(.+?)`\) REF")

    def driver_errors(self) -> tuple[type[BaseException], ...]:
        """Return PyMySQL's base, and asyncmy's where that is in use."""
        import pymysql

        driver = sys.modules.get("asyncmy.errors")
        return (pymysql.MySQLError, driver.MySQLError) if driver else (pymysql.MySQLError,)

    def error_code(self, error: BaseException) -> int | None:
        """Return the errno of MySQL's; an OSError has one of the system's."""
        code = error.args[0] if error.args and not isinstance(error, OSError) else None
        return code if isinstance(code, int) else None

    def meaning(self, error: BaseException) -> Meaning | None:
        """Return also what a COMMIT says that failed: of a deadlock everything is known."""
        if self.error_code(error) == _COMMIT_FAILED and _DEADLOCK in self.error_text(error):
            return _CONTENDED
        return super().meaning(error)

    def error_text(self, error: BaseException) -> str:
        """Return the server's message without the errno's parentheses."""
        if len(error.args) < 2 or isinstance(error, OSError):
            return super().error_text(error)
        if isinstance(error.__context__, TimeoutError):
            return ""  # PyMySQL bounds its reads in seconds of its own; `connect_error` says the profile's
        if error.args[0] == _FULL:
            return "Too many connections"
        text = " ".join(str(error.args[1] or "the connection is closed").split())
        return f"{text.rstrip('.')}: {_UNFIT}" if error.args[0] == _UNFIT_FOR_GROUP else text


def hear_all_errors(dialect: Any) -> None:
    """Have a connection's errors heard also after SQLAlchemy has looked at a table on it: else none is from then on.

    SQLAlchemy has an event for that, which each statement would pay for: it stands on the engine's own dialect.
    """
    noted = dialect.set_connection_execution_options

    def note(connection: Connection, options: Mapping[str, Any]) -> None:
        noted(connection, options)
        if options.get("skip_user_error_events"):
            connection.execution_options(skip_user_error_events=False)

    vars(dialect)["set_connection_execution_options"] = note
