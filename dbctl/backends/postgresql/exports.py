"""PostgreSQL's bulk reading: COPY, which writes CSV and tab-separated text by itself.

https://www.postgresql.org/docs/current/sql-copy.html
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.base import BEGINS_BARE
from dbctl.backends.exports import Exports, Selection, Take, Texts, run_as_it_stands
from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.backends.postgresql.copies import PostgreSQLCopies

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.inventory import Relation
    from dbctl.profiles import Profile

_PART = 1024 * 1024
"""Bytes that are handed on at a time; COPY sends each row by itself."""

_SMALL_PART = 128 * 1024
"""Bytes that are made into texts at a time, which take ten times as much."""

# What the text of a value depends on, whatever a role or a database has set.
_TEXTS = (
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL DateStyle = 'ISO, YMD'",
    "SET LOCAL IntervalStyle = 'postgres'",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL lc_monetary = 'C'",
)

# A domain's values are those of its base type. Members of an enumeration are texts, whatever it is called.
_KIND_OF_TYPE = (
    "CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) WHEN 'e' THEN 'text' ELSE {own} END"
)
# Of each column its type, that of its elements where it is an array, and the base type of either.
_COLUMNS = """
SELECT a.attname, w.words, CASE WHEN b.typtype = 'e' AND e.oid IS NULL THEN 'text' ELSE w.words END,
       NOT a.attnotnull, a.attgenerated <> ''
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
JOIN pg_catalog.pg_type o ON o.oid = coalesce(e.oid, t.oid)
JOIN pg_catalog.pg_type b ON b.oid = CASE o.typtype WHEN 'd' THEN o.typbasetype ELSE o.oid END
CROSS JOIN LATERAL (
    SELECT CASE WHEN o.typtype <> 'd' THEN format_type(a.atttypid, a.atttypmod)
                ELSE format_type(o.typbasetype, o.typtypmod) || CASE WHEN e.oid IS NULL THEN '' ELSE '[]' END
           END AS words
) w
WHERE n.nspname = %(schema)s AND c.relname = %(name)s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_TYPES = f"""
SELECT t.oid, format_type(t.oid, NULL), {_KIND_OF_TYPE.format(own="format_type(t.oid, NULL)")}
FROM pg_catalog.pg_type t WHERE t.oid = ANY(%(oids)s)
"""

HIDDEN = """
(c.relrowsecurity AND (c.relforcerowsecurity OR NOT pg_has_role(c.relowner, 'USAGE'))
 AND NOT (SELECT r.rolsuper OR r.rolbypassrls FROM pg_catalog.pg_roles r WHERE r.rolname = current_user))
"""
"""Whether a policy may hide rows of a table, or refuse them, from who asks.

https://www.postgresql.org/docs/current/ddl-rowsecurity.html
"""

_HIDDEN_TABLES = f"""
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {HIDDEN}
"""

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class PostgreSQLExports(PostgreSQLCopies, Exports):
    """How PostgreSQL is read in bulk."""

    profile: Profile
    # A snapshot is taken before any query, and what bounds statements would be one.
    export_options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True, BEGINS_BARE: True}
    has_bare_tables = True
    reads_with_jobs = True
    type_kinds = (
        (r".*\[\]$", Kind.ARRAY),
        (r"smallint|integer|bigint", Kind.INTEGER),
        (r"numeric", Kind.DECIMAL),
        (r"real|double", Kind.FLOAT),
        (r"boolean", Kind.BOOLEAN),
        (r"text|character|\"char\"|name$|citext$|xml", Kind.TEXT),
        (r"bytea", Kind.BYTES),
        (r"bit\b", Kind.BITS),
        (r"date$", Kind.DATE),
        (r"time\b", Kind.TIME),
        (r"timestamp.*with time zone", Kind.INSTANT),
        (r"timestamp", Kind.TIMESTAMP),
        (r"interval", Kind.INTERVAL),
        (r"jsonb?$", Kind.JSON),
        (r"uuid", Kind.UUID),
    )

    def begin_reading(self, connection: Connection, snapshot: str | None = None) -> str | None:
        """Take the snapshot of another session, or export one that others may take; bound the waits for locks alone."""
        if snapshot is not None:
            connection.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        self.backups.let_take_time(connection)  # type: ignore[attr-defined]
        if self.profile.lock_timeout:
            self.limit_lock_waits(connection, self.profile.lock_timeout)  # type: ignore[attr-defined]
        self.set_texts(connection)
        if snapshot is not None or connection.exec_driver_sql("SELECT pg_is_in_recovery()").scalar():
            return snapshot
        return str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())

    def set_texts(self, connection: Connection) -> None:
        """Set it until the transaction's end."""
        for statement in _TEXTS:
            connection.exec_driver_sql(statement)

    def checksum(self, connection: Connection, selection: Selection) -> tuple[int, int] | None:
        """Add up a hash of each row's text."""
        hashed = "hashtextextended(CAST(dbctl_query AS text), 0)"
        query = _within(selection.query, f"count(*), coalesce(sum({hashed}), 0)")
        rows, total = run_as_it_stands(connection, query).one()
        return int(rows), int(total)

    def table_columns(self, connection: Connection, relation: Relation) -> Sequence[BulkColumn]:
        """Ask the catalogue, for domains by their base types."""
        names = {"schema": relation.schema or "public", "name": relation.name}
        rows = connection.exec_driver_sql(_COLUMNS, names).all()
        return [BulkColumn(name, self.kind_of(base), type_, *more) for name, type_, base, *more in rows]

    def query_columns(self, connection: Connection, query: str) -> Sequence[BulkColumn]:
        """Ask for none of its rows, and the catalogue for its types."""
        options = {"no_parameters": True}
        described = connection.exec_driver_sql(_within(query, "*") + " LIMIT 0", execution_options=options)
        columns = [(one[0], one[1]) for one in described.cursor.description]
        oids = [oid for _, oid in columns]
        types = {oid: rest for oid, *rest in connection.exec_driver_sql(_TYPES, {"oids": oids}).all()}
        return [BulkColumn(name, self.kind_of(types[oid][1]), types[oid][0]) for name, oid in columns]

    def kept_from_view(self, connection: Connection) -> Collection[tuple[str, str]]:
        """Ask which have policies that hold for this role."""
        return {(schema, name) for schema, name in connection.exec_driver_sql(_HIDDEN_TABLES)}

    def behind_from(self, relation: Relation) -> str:
        """Leave out the tables that inherit from it, whose rows are their own; those of partitions are its."""
        place = super().behind_from(relation)
        return f"ONLY {place}" if relation.kind == "table" else place

    def text_of(self, column: BulkColumn) -> str:
        """Have truth written in words, and not as t and f."""
        name = self.sql_name(column.name)
        return f"CAST({name} AS text)" if column.kind is Kind.BOOLEAN else name

    def of_query(self, connection: Connection, query: str) -> Selection:
        """Read truth from around the query: PostgreSQL keeps the order of what is within."""
        found = super().of_query(connection, query)
        if not any(one.kind is Kind.BOOLEAN for one in found.columns):
            return found
        return Selection(_within(query, ", ".join(map(self.text_of, found.columns))), found.columns)

    def read_rows(self, connection: Connection, selection: Selection, take: Take) -> None:
        """Take COPY's text apart."""
        rest = b""

        def write(part: bytes) -> None:
            nonlocal rest
            whole, end, rest = (rest + part).rpartition(b"\n")
            if end:
                take(list(zip(*_rows(whole.decode()), strict=True)))

        self._copy(connection, selection, write, ["FORMAT text"], _SMALL_PART)

    def copy_out(
        self,
        connection: Connection,
        selection: Selection,
        write: Callable[[bytes], None],
        *,
        csv: bool,
        null: str | None,
    ) -> int | None:
        """Run COPY."""
        options = ["FORMAT csv" if csv else "FORMAT text"]
        if null is not None:
            options.append("NULL '{}'".format(null.replace("'", "''")))
        return self._copy(connection, selection, write, options, _PART)

    def _copy(
        self,
        connection: Connection,
        selection: Selection,
        write: Callable[[bytes], None],
        options: Sequence[str],
        part: int,
    ) -> int:
        driver_connection: Any = connection.connection.driver_connection
        with driver_connection.cursor() as cursor, io.BufferedWriter(_Sink(write), part) as buffer:
            cursor.copy_expert(f"COPY ({selection.query}\n) TO STDOUT ({', '.join(options)})", buffer)
            buffer.flush()
            return int(cursor.rowcount)


class _Sink(io.RawIOBase):
    """Hands on what is written to it."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write, self._failed = write, False

    def writable(self) -> bool:
        """Take whatever comes."""
        return True

    def write(self, part: Any) -> int:
        """Hand it on as bytes of its own, for the buffer is filled anew; what was refused the buffer writes again."""
        data = bytes(part)
        if not self._failed:
            self._failed = True
            self._write(data)
            self._failed = False
        return len(data)


def _within(query: str, columns: str) -> str:
    return f"SELECT {columns} FROM ({query}\n) AS dbctl_query"


def _rows(text: str) -> Sequence[Texts]:
    """Return the rows in what COPY has written, without the last line's end."""
    lines = text.split("\n")
    if "\\" not in text:
        return [line.split("\t") for line in lines]
    return [_unescaped(line.split("\t")) if "\\" in line else line.split("\t") for line in lines]


def _unescaped(values: Sequence[str]) -> Texts:
    return [
        (None if value == "\\N" else _ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), value))
        if "\\" in value
        else value
        for value in values
    ]
