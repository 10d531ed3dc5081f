"""Scripts on PostgreSQL: sent whole, in one message of the simple protocol, which the server splits.

https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT

psycopg2 keeps only the last statement's result. So libpq is asked itself, by which psycopg2 has the connection.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dbctl.backends.origins import note_origin
from dbctl.backends.postgresql.invalid_indexes import left_by, may_be_left
from dbctl.backends.scripts import Scripts, Statement
from dbctl.profiles import Profile

if TYPE_CHECKING:
    from sqlalchemy import Connection

_COPY_IN, _COPY_OUT, _BAD, _FATAL = 4, 3, 5, 7
"""Of ExecStatusType (https://www.postgresql.org/docs/current/libpq-exec.html)."""

_PRIMARY, _DETAIL, _STATE, _POSITION = b"M", b"D", b"C", b"P"
"""PG_DIAG_*, the fields of an error."""


def _comment(depth: int = 9) -> str:
    """Return a regular expression for a comment with comments in it, which PostgreSQL nests.

    https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-COMMENTS
    """
    inside = rf"[^*/]++|\*(?!/)|/(?!\*)|{_comment(depth - 1)}" if depth else r"[^*]++|\*(?!/)"
    return rf"/\*(?:{inside})*+(?:\*/|\Z)"


class PostgreSQLScripts(Scripts):
    """How PostgreSQL runs scripts."""

    profile: Profile
    quoted = (
        rf"--[^\n]*|{_comment()}|"
        r"\b[eE]'(?:[^'\\]|\\(?:.|\n)|'')*(?:'|\Z)|'(?:[^']|'')*(?:'|\Z)"
        r"|\"(?:[^\"]|\"\")*(?:\"|\Z)|(?P<tag>\$(?:[^\W\d]\w*)?\$)(?:.|\n)*?(?:(?P=tag)|\Z)"
    )
    compound = r"CREATE(?: OR REPLACE)? (?:FUNCTION|PROCEDURE)\b.* BEGIN ATOMIC"
    client_words = r"\\\S+|DELIMITER\b|COPY\b[^;]*\b(?:FROM\s+STDIN|TO\s+STDOUT)\b"
    no_transaction = r"cannot run inside a transaction block|cannot be executed from a function|within a pipeline"

    def literal(self, driver_connection: Any, value: str) -> str:
        """Have psycopg2 quote it, as the connection's encoding and `standard_conforming_strings` want it."""
        from psycopg2.extensions import adapt

        adapted = adapt(value)
        adapted.prepare(driver_connection)
        return adapted.getquoted().decode().lstrip()  # type: ignore[no-any-return]

    def run_script(self, driver_connection: Any, script: str) -> Iterator[int]:
        """Send it whole, and yield the rows of each statement as its result comes."""
        import psycopg2

        libpq = _libpq()
        if libpq is None:
            with driver_connection.cursor() as cursor:  # which tells of the last alone
                cursor.execute(script)
                yield cursor.rowcount
            return
        handle = ctypes.c_void_p(driver_connection.pgconn_ptr)
        if "\0" in script:
            raise ValueError("A string literal cannot contain NUL (0x00) characters.")  # as psycopg2 says it
        if not libpq.PQsendQuery(handle, script.encode()):
            raise self._marked(psycopg2.OperationalError(_text(libpq.PQerrorMessage(handle))), driver_connection)
        failure: BaseException | None = None
        while result := libpq.PQgetResult(handle):
            result = ctypes.c_void_p(result)
            status = libpq.PQresultStatus(result)
            if status == _COPY_IN:
                libpq.PQputCopyEnd(handle, b"COPY from a client's own data is not done here")
            elif status == _COPY_OUT:
                _drain(libpq, handle)
            elif status in {_BAD, _FATAL}:
                failure = failure or self._error(libpq, result, driver_connection)
            elif failure is None:
                rows = libpq.PQcmdTuples(result)
                yield int(rows) if rows else -1
            libpq.PQclear(result)
        if failure is not None:
            raise failure

    def let_commit(self, driver_connection: Any) -> None:
        """Have each statement committed by itself, within the profile's bounds, which are each transaction's else."""
        driver_connection.autocommit = True
        if bounds := self.begin_statement(writes=True):
            with driver_connection.cursor() as cursor:
                cursor.execute(bounds.replace("', true)", "', false)"))

    def begin_statement(self, *, writes: bool) -> str | None:
        """Return the statement that bounds a transaction's statements."""
        raise NotImplementedError

    def mark(self, connection: Connection) -> object:
        """Ask when it began, which is the same, to the microsecond, in all of a transaction."""
        return connection.exec_driver_sql("SELECT CAST(now() AS text)").scalar()

    def lasts(self, connection: Connection, mark: object) -> bool:
        """Ask again; in a transaction that has failed nothing can be asked."""
        return self.has_ended(connection) or self.mark(connection) == mark

    def has_written(self, connection: Connection) -> bool:
        """Ask whether it has a number, which it gets for what it writes; one that has failed writes nothing."""
        if self.has_ended(connection):
            return False
        return bool(connection.exec_driver_sql("SELECT pg_current_xact_id_if_assigned() IS NOT NULL").scalar())

    def remains_of(self, statement: str) -> str:
        """Name the index that may be left invalid."""
        return may_be_left(statement)

    def remains(self, connection: Connection, statement: str) -> str:
        """Look for the index that is left invalid."""
        return left_by(connection, statement)

    def has_ended(self, connection: Connection) -> bool:
        """Tell whether an error has ended the transaction."""
        raise NotImplementedError

    def failed_offset(self, error: BaseException, statement: Statement) -> int:
        """Take the server's own position, which counts characters of the script from 1."""
        position = getattr(error, "position", None) or getattr(getattr(error, "diag", None), "statement_position", None)
        return int(position) - 1 if position else statement.start

    def _error(self, libpq: Any, result: Any, driver_connection: Any) -> BaseException:
        from psycopg2 import DatabaseError, OperationalError, errors

        code = _text(libpq.PQresultErrorField(result, _PRIMARY_FIELD(_STATE)))
        words = [_text(libpq.PQresultErrorField(result, _PRIMARY_FIELD(field))) for field in (_PRIMARY, _DETAIL)]
        if self.profile.protected or not words[1]:
            words.pop()
        try:
            kind: Any = errors.lookup(code)
        except KeyError:
            kind = DatabaseError if code else OperationalError
        position = _text(libpq.PQresultErrorField(result, _PRIMARY_FIELD(_POSITION)))
        more = {"pgcode": code or None, "position": position or None}
        text = ": ".join(filter(None, words)) or _text(libpq.PQresultErrorMessage(result))
        return self._marked(type(kind.__name__, (kind,), more)(text), driver_connection)

    def _marked(self, error: BaseException, driver_connection: Any) -> BaseException:
        note_origin(error, self.profile, connection=driver_connection, lost=bool(driver_connection.closed))
        return error


def _PRIMARY_FIELD(name: bytes) -> int:
    return ord(name)


def _text(value: bytes | None) -> str:
    return re.sub(r"\s+", " ", value.decode(errors="replace")).strip() if value else ""


def _drain(libpq: Any, handle: Any) -> None:
    buffer = ctypes.c_void_p()
    while libpq.PQgetCopyData(handle, ctypes.byref(buffer), 0) > 0:
        libpq.PQfreemem(buffer)


def _libpq() -> Any:
    """Return the libpq that psycopg2 is linked to, with what its functions return; None where it is out of sight."""
    from psycopg2 import _psycopg

    libpq = ctypes.CDLL(_psycopg.__file__)
    if not hasattr(libpq, "PQsendQuery"):
        return None
    for name in ("PQcmdTuples", "PQresultErrorField", "PQresultErrorMessage", "PQerrorMessage"):
        getattr(libpq, name).restype = ctypes.c_char_p
    libpq.PQgetResult.restype = ctypes.c_void_p
    libpq.PQresultErrorField.argtypes = (ctypes.c_void_p, ctypes.c_int)
    return libpq
