"""Indexes that no query uses: what a `CREATE INDEX CONCURRENTLY` leaves that fails, or is ended.

https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NAME = r"(?:\"(?:[^\"]|\"\")+\"|[^\s\".(]+)"
_CREATES = re.compile(
    rf"(?:\s|--[^\n]*|/\*(?:.|\n)*?\*/)*CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"(?:(?!ON\b)(?P<name>{_NAME})\s+)?ON\s+(?:ONLY\s+)?(?P<table>{_NAME}(?:\s*\.\s*{_NAME})?)",
    re.IGNORECASE,
)
# Not those that are being made, nor those of partitioned tables, which are valid when all partitions have theirs.
_INVALID = """
SELECT CAST(x.indexrelid AS regclass)::text
FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
WHERE NOT x.indisvalid AND i.relkind = 'i' AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = x.indexrelid)
  AND (CAST(%(table)s AS text) IS NULL OR x.indrelid = to_regclass(%(table)s))
  AND (CAST(%(name)s AS text) IS NULL OR i.relname = (parse_ident(%(name)s))[1])
ORDER BY 1
"""


def invalid_indexes(connection: Connection, table: str | None = None, name: str | None = None) -> Sequence[str]:
    """Return the invalid indexes that nobody is making, each as SQL names it.

    Args:
        connection: Where.
        table: The table whose they are, as SQL names it; any unless given.
        name: What it is called, as SQL, without a schema; whatever unless given.
    """
    return list(connection.exec_driver_sql(_INVALID, {"table": table, "name": name}).scalars())


def may_be_left(statement: str) -> str:
    """Return what a statement may leave that fails, and what to do with it; "" for nothing."""
    found = _CREATES.match(statement)
    if found is None:
        return ""
    which = found["name"] or f"of {found['table']}"
    return f"index {which} may be left, and be invalid: then drop it first"


def left_by(connection: Connection, statement: str) -> str:
    """Return what a statement has left that has failed, and what takes it away; "" where it is nothing."""
    found = _CREATES.match(statement)
    names = invalid_indexes(connection, found["table"], found["name"]) if found else ()
    return "; ".join(f"index {one} is left, and invalid; take it away: {dropping(one)}" for one in names)


def dropping(index: str) -> str:
    """Return the statement that takes an index away while others read and write."""
    return f"DROP INDEX CONCURRENTLY {index}"
