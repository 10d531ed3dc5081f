"""Rows into PostgreSQL by COPY: https://www.postgresql.org/docs/current/sql-copy.html."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dbctl.backends.bulk import Bulk, Delimited, Fault, Rows, Run, Target
from dbctl.backends.bulk_texts import tab_separated
from dbctl.backends.exports import run_as_it_stands
from dbctl.backends.kinds import Kind
from dbctl.backends.postgresql.engine import PostgreSQL
from dbctl.backends.postgresql.exports import HIDDEN, PostgreSQLExports

if TYPE_CHECKING:
    from sqlalchemy import Connection

# `COPY hero, line 3, column age: "x"`, behind the frames of a trigger or a parser; a server may speak another language.
_CONTEXT = re.compile(r"^COPY .+?, \w+ (?P<line>\d+)(?:, \w+ (?P<column>.+?): )?", re.DOTALL | re.MULTILINE)
_READ_AS = ("TimeZone = 'UTC'", "DateStyle = 'ISO, YMD'", "IntervalStyle = 'postgres'", "lc_monetary = 'C'")
_STAGE = "dbctl_stage"
_DATA_EXCEPTION = "22"
_TWICE_IN_ONE = "21000"
# What is of the server, the connection or the transaction, whatever row it comes amid.
_OF_NO_ROW = ("08", "25", "40", "53", "55P03", "57", "58", "XX001", "XX002")
_UNKNOWN_OR_FORBIDDEN = "42"
_BY_POLICY = "ExecWithCheckOptions"
"""Where in the server it is said that a policy refuses a row; by the code it might be a right that is lacking."""

_SEQUENCES = """
SELECT a.attname, coalesce(
    pg_get_serial_sequence(CAST(:table AS text), a.attname),
    substring(pg_get_expr(d.adbin, d.adrelid) FROM 'nextval\\(''(.+)''::regclass\\)'))
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = ''
WHERE a.attrelid = CAST(:table AS regclass) AND a.attnum > 0 AND NOT a.attisdropped
"""
# Of a table whose rows go through a trigger before they are written; the bits are: each row, before, insert.
_WITH_TRIGGER = """
SELECT c.relkind FROM pg_catalog.pg_class c
WHERE c.oid = CAST(%(table)s AS regclass) AND EXISTS (
    SELECT 1 FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & 7 = 7)
"""
# COPY passes over rules of INSERT, and refuses what policies look at; 3 is INSERT, D that the rule is switched off.
_NEEDS_INSERT = f"""
SELECT {HIDDEN} OR EXISTS (
    SELECT 1 FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type = '3' AND r.ev_enabled <> 'D')
FROM pg_catalog.pg_class c WHERE c.oid = CAST(%(table)s AS regclass)
"""
_DEFERRED = """
SELECT n.nspname, k.conname FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
WHERE k.conrelid = CAST(%(table)s AS regclass) AND k.contype IN ('p', 'u', 'x') AND k.condeferred
"""
# What is loaded may lie behind what the sequence has given; it never goes back.
_GO_ON = """
SELECT setval(CAST({named} AS regclass), loaded.last) FROM (SELECT max({column}) AS last FROM {table}) loaded
WHERE loaded.last > (SELECT CASE WHEN s.is_called THEN s.last_value ELSE s.last_value - 1 END FROM {sequence} s)
  AND (SELECT seqincrement > 0 FROM pg_catalog.pg_sequence WHERE seqrelid = CAST({named} AS regclass))
"""


@contextmanager
def _told_once() -> Iterator[None]:
    """Have psycopg2 print no error that it raises too: of a server that leaves amid a COPY it hears two."""
    hook = sys.excepthook

    def tell(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
        if not (kind is SystemError and type(error.__cause__).__module__.startswith("psycopg2")):
            hook(kind, error, at)

    sys.excepthook = tell
    try:
        yield
    finally:
        sys.excepthook = hook


class PostgreSQLBulk(PostgreSQLExports, Bulk, PostgreSQL):
    """Of PostgreSQL. It bends a number with more digits behind the point, and drops the time zone of a timestamp."""

    bends = (Kind.DECIMAL, Kind.TIMESTAMP, Kind.UUID)
    empties_at_once = True
    looks_itself = True

    def reads(self, delimited: Delimited) -> bool:
        r"""Let it read what it reads as all others do.

        Not `\.`, which ends the data, lines that end in two ways, or quotes within a value, which COPY leaves out.
        """
        data = delimited.data
        returns = data.count(b"\r")
        return (
            len(delimited.delimiter.encode()) == 1
            and b"\\." not in data
            and (returns == 0 or returns == data.count(b"\r\n") == data.count(b"\n"))
            and not data.startswith((b"\n", b"\r"))
            and b"\n\n" not in data
            and b"\n\r" not in data
            and (
                delimited.format != "csv"
                or b'"' not in data
                or _quoted(delimited.delimiter).fullmatch(data) is not None
            )
        )

    def load_lines(self, connection: Connection, target: Target, lines: Run) -> tuple[int, int]:
        """COPY them."""
        literal = {"delimiter": lines.first.delimiter, "null": lines.first.null}
        options = [f"FORMAT {'csv' if lines.first.format == 'csv' else 'text'}", "ENCODING 'UTF8'"]
        options += [f"{name.upper()} {_literal(text)}" for name, text in literal.items()]
        return self._copied(connection, target, options, (part.data for part in lines))

    @contextmanager
    def takes_rows(self, connection: Connection, *, strict: bool) -> Iterator[None]:
        """Be in UTC, until the transaction's end."""
        for setting in _READ_AS:
            connection.exec_driver_sql(f"SET LOCAL {setting}")
        yield

    def needs_insert(self, connection: Connection, target: Target) -> bool:
        """Ask for rules, and for policies that hold for this role."""
        return bool(connection.exec_driver_sql(_NEEDS_INSERT, {"table": self.place(target)}).scalar_one())

    def prepare_load(self, connection: Connection, target: Target) -> None:
        """Have the row told that a deferred constraint refuses, and make a temporary table to COPY to where need be."""
        self._look(connection, target, "IMMEDIATE")
        if not target.staged:
            return
        columns = self.names(target.columns)
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS pg_temp.{_STAGE}")
        rows = f"SELECT {columns} FROM {self.place(target)} WITH NO DATA"
        run_as_it_stands(connection, f"CREATE TEMPORARY TABLE {_STAGE} ON COMMIT DROP AS {rows}")

    def _look(self, connection: Connection, target: Target, when: str) -> None:
        """Set when deferred constraints are looked at of which no later row makes good what one has done."""
        if target.conflict == "update":
            return
        found = connection.exec_driver_sql(_DEFERRED, {"table": self.place(target)}).all()
        if names := ", ".join(".".join(map(self.sql_name, one)) for one in found):
            run_as_it_stands(connection, f"SET CONSTRAINTS {names} {when}")

    def load_rows(self, connection: Connection, target: Target, rows: Rows) -> int:
        """COPY them."""
        return self._copied(
            connection, target, ["FORMAT text", "ENCODING 'UTF8'"], iter([tab_separated(rows.columns)])
        )[1]

    def _copied(
        self, connection: Connection, target: Target, options: list[str], parts: Iterator[bytes]
    ) -> tuple[int, int]:
        table = self.place(target)
        columns = self.names(target.columns)
        place = f"pg_temp.{_STAGE}" if target.staged else table
        driver_connection: Any = connection.connection.driver_connection
        with driver_connection.cursor() as cursor:
            if target.staged:
                cursor.execute(f"TRUNCATE {place}")
            drawn = _Drawn(parts)
            try:
                with _told_once():
                    cursor.copy_expert(f"COPY {place} ({columns}) FROM STDIN WITH ({', '.join(options)})", drawn)
            finally:
                if drawn.error is not None:  # of which psycopg2 tells no more than that there was one
                    raise drawn.error
            seen = int(cursor.rowcount)
            if target.staged:
                insert = f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {place}"
                cursor.execute(insert + self._instead(target))
            return seen, int(cursor.rowcount)

    def kept_out(self, connection: Connection, target: Target, missing: int) -> int | None:
        """Count those whose key the table has not even now; rows of tables that inherit from it are theirs."""
        table = self.place(target)
        kind = connection.exec_driver_sql(_WITH_TRIGGER, {"table": table}).scalar()
        if kind is None:
            return 0
        only = "" if kind == "p" else "ONLY "
        pairs = [(f"t.{name}", f"s.{name}") for name in map(self.sql_name, target.key)]
        there = f"SELECT 1 FROM {only}{table} t WHERE {' AND '.join(f'{one} = {other}' for one, other in pairs)}"
        known = " AND ".join(f"{own} IS NOT NULL" for _, own in pairs)
        count = f"SELECT count(*) FROM pg_temp.{_STAGE} s WHERE {known} AND NOT EXISTS ({there})"
        return min(missing, int(run_as_it_stands(connection, count).scalar_one()))

    def _instead(self, target: Target) -> str:
        if target.conflict == "error":
            return ""
        sets = ", ".join(f"{name} = EXCLUDED.{name}" for name in map(self.sql_name, target.others))
        update = "NOTHING" if target.conflict == "skip" or not sets else f"UPDATE SET {sets}"
        return f" ON CONFLICT ({self.names(target.key)}) DO {update}"

    def conclude_load(self, connection: Connection, target: Target) -> None:
        """Set the sequences of loaded columns, which know nothing of what was not theirs."""
        from sqlalchemy import text

        table = self.place(target)
        if target.staged:
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS pg_temp.{_STAGE}")
        self._look(connection, target, "DEFERRED")
        for name, sequence in connection.execute(text(_SEQUENCES), {"table": table}).all():
            if sequence and name in target.columns:
                known = {"table": table, "column": self.sql_name(name), "sequence": sequence}
                run_as_it_stands(connection, _GO_ON.format(**known, named=_literal(sequence)))

    def is_of_a_row(self, error: BaseException) -> bool:
        """Take also what is no value of its type, what is there twice for an update, and whatever a row has led to.

        A trigger raises any SQLSTATE, and some types' parsers that of a missing table; what is wrong with a statement
        as a whole has no context.
        """
        code = self.error_code(error) or ""
        if super().is_of_a_row(error) or code.startswith(_DATA_EXCEPTION) or code == _TWICE_IN_ONE:
            return True
        by_policy = getattr(getattr(error, "diag", None), "source_function", None) == _BY_POLICY
        return by_policy or (bool(_context_of(error)) and not code.startswith(_OF_NO_ROW))

    def fault_of(self, error: BaseException, target: Target) -> Fault | None:
        """Read the place from the context of COPY, and the key from the detail."""
        if not self.is_of_a_row(error):
            return None
        diagnosis: Any = getattr(error, "diag", None)
        reason = str(self.translate(error) or "") if diagnosis is None else diagnosis.message_primary
        context = _context_of(error)
        place = _CONTEXT.search(context)
        key: list[tuple[str, str]] = []
        if diagnosis and diagnosis.message_detail and (found := self.cell_key.search(diagnosis.message_detail)):
            names, values = found["columns"].split(", "), found["values"].split(", ")
            if len(names) == len(values):
                key = [(name.strip('"'), value) for name, value in zip(names, values, strict=True)]
            reason = f"{reason}: {diagnosis.message_detail}"
        if (
            (self.error_code(error) or "").startswith(_UNKNOWN_OR_FORBIDDEN)
            and context
            and not context.startswith("COPY ")
        ):
            reason = f"{reason} (in {context.partition(chr(10))[0]})"  # which is no matter of the file
        column = (place and place["column"]) or (diagnosis and diagnosis.column_name) or None
        if column is None and len(key) == 1:
            column = key[0][0]
        line = int(place["line"]) if place else None
        return Fault(reason, None, column, line, key, _meaning_of(self.error_code(error), diagnosis))


def _context_of(error: BaseException) -> str:
    """Return where the server was when it failed, from the innermost frame out; "" of a statement as a whole."""
    return getattr(getattr(error, "diag", None), "context", None) or ""


def _meaning_of(code: str | None, diagnosis: Any) -> str:
    """Return what an SQLSTATE means, and of which constraint it is: words of the server's may hold parts of a value.

    https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    from psycopg2 import errors

    try:
        name = errors.lookup(code or "").__name__
    except KeyError:
        name = "Refused"  # a trigger may raise any code
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    constraint = (diagnosis and diagnosis.constraint_name) or ""
    return f"{words}{constraint and f' of {constraint}'} (SQLSTATE {code})"


class _Drawn:
    """What psycopg2 reads: whole parts, which it hands on as they are."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self.error: BaseException | None = None
        """What came of drawing one."""

    def read(self, _size: int) -> bytes:
        """Return the next part; none at the end."""
        try:
            return next(self._parts, b"")
        except BaseException as error:
            self.error = error
            raise


@cache
def _quoted(delimiter: str) -> re.Pattern[bytes]:
    """Return the pattern of lines in which quotes stand around whole values alone; nothing in it is tried twice."""
    end = re.escape(delimiter.encode())
    return re.compile(rb'(?:[^"]*+(?<![^%b\n])"(?:[^"]++|"")*+"(?![^%b\r\n]))*+[^"]*+' % (end, end))


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''").replace("\t", "\\t")
    return f"E'{escaped}'"


backend = PostgreSQLBulk
