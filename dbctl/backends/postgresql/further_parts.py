"""What PostgreSQL's catalogue says of a schema beyond what SQLAlchemy reflects, in the server's own words.

https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-CATALOG
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

_PARTS = """
WITH place AS (
    SELECT oid, nspname FROM pg_catalog.pg_namespace
    WHERE nspname = coalesce(CAST(:schema AS text), CAST(current_schema() AS text))
), relation AS (
    SELECT c.* FROM pg_catalog.pg_class c JOIN place ON place.oid = c.relnamespace
)
SELECT CAST(c.relname AS text), 'foreign key (' || (
           SELECT string_agg(CAST(a.attname AS text), ', ' ORDER BY k.place)
           FROM unnest(x.conkey) WITH ORDINALITY k (number, place)
           JOIN pg_catalog.pg_attribute a ON a.attrelid = x.conrelid AND a.attnum = k.number) || ')',
       regexp_replace(pg_get_constraintdef(x.oid), '^.*? REFERENCES ', '')
FROM pg_catalog.pg_constraint x JOIN relation c ON c.oid = x.conrelid WHERE x.contype = 'f'
UNION ALL
SELECT c.relname, CASE x.contype WHEN 'p' THEN 'primary key' ELSE 'check ' || x.conname END,
       regexp_replace(pg_get_constraintdef(x.oid), '^PRIMARY KEY ', '')
FROM pg_catalog.pg_constraint x JOIN relation c ON c.oid = x.conrelid WHERE x.contype IN ('p', 'c')
UNION ALL
SELECT t.typname, 'domain', concat_ws(' ', format_type(t.typbasetype, t.typtypmod),
       CASE WHEN t.typnotnull THEN 'NOT NULL' END, 'DEFAULT ' || t.typdefault,
       (SELECT string_agg(x.conname || ' ' || pg_get_constraintdef(x.oid), ', ' ORDER BY x.conname)
        FROM pg_catalog.pg_constraint x WHERE x.contypid = t.oid AND x.contype = 'c'))
FROM pg_catalog.pg_type t JOIN place ON place.oid = t.typnamespace
WHERE t.typtype = 'd' AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = CAST('pg_catalog.pg_type' AS regclass) AND d.objid = t.oid AND d.deptype = 'e')
UNION ALL
SELECT c.relname, 'options', array_to_string(c.reloptions, ', ')
FROM relation c WHERE c.relkind = 'v' AND c.reloptions IS NOT NULL
UNION ALL
SELECT c.relname, 'partition key', pg_get_partkeydef(c.oid) FROM relation c WHERE c.relkind = 'p'
UNION ALL
SELECT c.relname, 'partition ' || part.relname, pg_get_expr(part.relpartbound, part.oid)
FROM relation c
JOIN pg_catalog.pg_inherits i ON i.inhparent = c.oid
JOIN pg_catalog.pg_class part ON part.oid = i.inhrelid AND part.relispartition
WHERE c.relkind = 'p'
UNION ALL
SELECT c.relname, 'row-level security', CASE WHEN c.relforcerowsecurity THEN 'ENABLE, FORCE' ELSE 'ENABLE' END
FROM relation c WHERE c.relrowsecurity
UNION ALL
SELECT p.tablename, 'policy ' || p.policyname, concat_ws(' ', 'AS', p.permissive, 'FOR', p.cmd,
       'TO', array_to_string(p.roles, ', '), 'USING (' || p.qual || ')', 'WITH CHECK (' || p.with_check || ')')
FROM pg_catalog.pg_policies p JOIN place ON place.nspname = p.schemaname
"""


def further_parts(connection: Connection, schema: str | None) -> Iterable[tuple[str, str, str]]:
    """Return keys, checks, domains, options of views, partitions and policies of a schema, or of the default one."""
    from sqlalchemy import text

    return [(name, part, said) for name, part, said in connection.execute(text(_PARTS), {"schema": schema})]
