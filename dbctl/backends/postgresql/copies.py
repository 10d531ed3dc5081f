"""Tables of other databases in PostgreSQL: https://www.postgresql.org/docs/current/sql-altertable.html."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dbctl.backends.copies import Copies
from dbctl.backends.kinds import BulkColumn, Kind

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.inventory import Relation

_KEYS = """
SELECT CAST(k.conrelid AS regclass)::text, quote_ident(k.conname), k.condeferrable, k.condeferred
FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname = %(schema)s AND c.relname = %(name)s
"""
_MOST_DIGITS = 1000

_PLAIN: Mapping[Kind, str] = {
    Kind.FLOAT: "double precision",
    Kind.BOOLEAN: "boolean",
    Kind.BYTES: "bytea",
    Kind.BITS: "bit varying",
    Kind.DATE: "date",
    Kind.TIME: "time",
    Kind.TIMESTAMP: "timestamp",
    Kind.INSTANT: "timestamptz",
    Kind.SPAN: "interval",
    Kind.INTERVAL: "interval",
    Kind.JSON: "jsonb",
    Kind.UUID: "uuid",
}


class PostgreSQLCopies(Copies):
    """How PostgreSQL takes tables."""

    @contextmanager
    def keys_at_end(self, connection: Connection, relations: Sequence[Relation]) -> Iterator[None]:
        """Make each key deferrable as long as the transaction is not committed, and what it was before the end."""
        found = [
            key
            for one in relations
            for key in connection.exec_driver_sql(_KEYS, {"schema": one.schema or "public", "name": one.name}).all()
        ]
        for table, name, deferrable, _ in found:
            if not deferrable:
                connection.exec_driver_sql(f"ALTER TABLE {table} ALTER CONSTRAINT {name} DEFERRABLE")
        connection.exec_driver_sql("SET CONSTRAINTS ALL DEFERRED")
        yield
        connection.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
        for table, name, deferrable, _ in found:
            if not deferrable:
                connection.exec_driver_sql(f"ALTER TABLE {table} ALTER CONSTRAINT {name} NOT DEFERRABLE")

    def type_for(self, column: BulkColumn) -> str:
        """Take the type that has room for all values of the kind."""
        if column.kind is Kind.INTEGER:
            return _integer(column)
        if column.kind is Kind.DECIMAL:
            found = re.search(r"\((\d+)(?:,\s*(\d+))?\)", column.type)
            return f"numeric({found[1]}, {found[2] or 0})" if found and int(found[1]) <= _MOST_DIGITS else "numeric"
        if column.kind is Kind.TEXT and (found := re.match(r"(?:var)?char\w*\((\d+)\)", column.type, re.IGNORECASE)):
            return f"varchar({found[1]})"
        return _PLAIN.get(column.kind, "text")

    def keeps(self, column: BulkColumn, own: BulkColumn) -> bool:
        """Look at the digits behind the point, and at those of a float and of a time."""
        if own.kind is Kind.DECIMAL and (scale := re.search(r"\(\d+,(\d+)\)", own.type)):
            theirs = re.search(r"\(\d+(?:,\s*(\d+))?\)", column.type)
            return theirs is not None and not column.wide and int(theirs[1] or 0) <= int(scale[1])
        if own.kind is Kind.FLOAT and own.type == "real":
            return column.type in {"real", "float"} and not column.wide
        if own.kind in {Kind.TIME, Kind.TIMESTAMP, Kind.INSTANT} and (digits := re.search(r"\((\d)\)", own.type)):
            theirs = re.search(r"\((\d)\)", column.type)
            return theirs is not None and int(theirs[1]) <= int(digits[1])
        return True


def _integer(column: BulkColumn) -> str:
    if column.wide or re.match(r"bigint|int unsigned", column.type):
        return "numeric(20)" if "bigint" in column.type and "unsigned" in column.type else "bigint"
    small = re.match(r"tinyint|smallint(?! unsigned)|year", column.type)
    return "smallint" if small else "integer"
