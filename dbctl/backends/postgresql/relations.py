"""What PostgreSQL has already: tables, and what can be read as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dbctl.backends.relations import TABLE, Relations
from dbctl.errors import Remedy

if TYPE_CHECKING:
    from sqlalchemy import Connection

# What can be read as a table (https://www.postgresql.org/docs/current/catalog-pg-class.html): what else has a table's
# name, such as a sequence, is in its way, and the server says so.
_KINDS = {
    "r": TABLE,
    "p": TABLE,
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}
# Without a schema whatever a bare name means on this connection, as for `has_table`.
_IN_SIGHT = "pg_catalog.pg_table_is_visible(c.oid) AND n.nspname <> 'pg_catalog'"
_IN_SCHEMA = "n.nspname = :schema"
_RELATIONS = """
SELECT c.relname, c.relkind::text FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {where}
"""
_OTHER_SCHEMAS = """
SELECT nspname FROM pg_catalog.pg_namespace
WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', coalesce(current_schema(), ''))
  AND has_schema_privilege(oid, 'USAGE') ORDER BY 1
"""
_LOCKS_FULL = "53200"


class PostgreSQLRelations(Relations):
    """Of PostgreSQL."""

    def relations(self, connection: Connection, schema: str | None) -> Mapping[str, str]:
        """Ask the catalogue."""
        from sqlalchemy import text

        query = text(_RELATIONS.format(where=_IN_SCHEMA if schema else _IN_SIGHT))
        rows = connection.execute(query, {"schema": schema} if schema else {})
        return {name: _KINDS[kind] for name, kind in rows if kind in _KINDS}

    def other_schemas(self, connection: Connection) -> Sequence[str]:
        """Ask the catalogue for those that this user may look into."""
        return list(connection.exec_driver_sql(_OTHER_SCHEMAS).scalars())

    def ddl_hint(self, error: BaseException, *, drops: bool) -> str:
        """Explain the table of locks, which is full: each table, index and type that is changed takes a place in it.

        https://www.postgresql.org/docs/current/runtime-config-locks.html#GUC-MAX-LOCKS-PER-TRANSACTION
        """
        if getattr(error, "sqlstate", None) == _LOCKS_FULL or getattr(error, "pgcode", None) == _LOCKS_FULL:
            too_much = "one transaction changes too much for max_locks_per_transaction: raise it, or name fewer models"
            return Remedy.DROP_IN_BATCHES if drops else too_much
        return ""

    def failed_line(self, error: BaseException, statement: str) -> int | None:
        """Count the lines before the place that the server tells: psycopg2's diagnosis, or asyncpg's attribute."""
        diagnosis = getattr(error, "diag", None)
        place = diagnosis.statement_position if diagnosis else getattr(error, "position", None)
        return statement.count("\n", 0, int(place) - 1) + 1 if place else None
