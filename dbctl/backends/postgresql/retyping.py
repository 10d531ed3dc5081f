"""What PostgreSQL wants said to give a column, or all columns of an enumerated type, another type.

https://www.postgresql.org/docs/current/sql-altertable.html, https://www.postgresql.org/docs/current/catalog-pg-depend.html
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection

_COMPUTED = """
SELECT g.attname FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute g ON g.attrelid = a.attrelid AND g.attgenerated <> '' AND g.attnum <> a.attnum
JOIN pg_catalog.pg_attrdef e ON e.adrelid = g.attrelid AND e.adnum = g.attnum
WHERE n.nspname = coalesce(CAST(:schema AS text), current_schema()) AND c.relname = :table AND a.attname = :column
  AND EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
              AND (d.objid, d.objsubid) IN ((e.oid, 0), (g.attrelid, g.attnum)))
ORDER BY g.attnum
"""

# What stands on the type, and on columns of it or of its arrays. Each row has what takes a part away and what puts it
# back, in words that are read with the new type in the old one's place; the last ones are the columns themselves.
# Partitions follow their tables.
_STANDING = """
WITH kind AS (
    SELECT t.oid, t.typarray FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typname = :name AND n.nspname = coalesce(CAST(:schema AS text), current_schema())
), spot AS (
    SELECT a.attrelid, a.attnum, a.attname, a.atttypid = kind.typarray AS many
    FROM pg_catalog.pg_attribute a JOIN kind ON a.atttypid IN (kind.oid, kind.typarray)
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
    WHERE NOT a.attisdropped AND a.attinhcount = 0
), standing AS (
    SELECT d.classid, d.objid, d.objsubid FROM pg_catalog.pg_depend d
    JOIN kind ON d.refobjid IN (kind.oid, kind.typarray)
    WHERE d.refclassid = CAST('pg_catalog.pg_type' AS regclass)
    UNION
    SELECT d.classid, d.objid, d.objsubid FROM pg_catalog.pg_depend d
    JOIN spot ON d.refobjid = spot.attrelid AND d.refobjsubid = spot.attnum
    WHERE d.refclassid = CAST('pg_catalog.pg_class' AS regclass)
)
SELECT CASE k.contype WHEN 'f' THEN 1 ELSE 2 END,
       format('ALTER TABLE %s DROP CONSTRAINT %I', CAST(k.conrelid AS regclass), k.conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s',
              CAST(k.conrelid AS regclass), k.conname, pg_get_constraintdef(k.oid)),
       k.conname, false
FROM pg_catalog.pg_constraint k
WHERE k.contype IN ('c', 'f', 'x') AND k.conrelid <> 0 AND k.coninhcount = 0
  AND (EXISTS (SELECT FROM standing s WHERE s.objid = k.oid)
       OR k.contype = 'x' AND EXISTS (SELECT FROM standing s WHERE s.objid = k.conindid))
UNION ALL
SELECT 3, format('DROP INDEX %s', CAST(x.indexrelid AS regclass)), pg_get_indexdef(x.indexrelid), c.relname, false
FROM pg_catalog.pg_index x JOIN pg_catalog.pg_class c ON c.oid = x.indexrelid
WHERE (x.indexprs IS NOT NULL OR x.indpred IS NOT NULL) AND NOT c.relispartition
  AND EXISTS (SELECT FROM standing s WHERE s.objid = x.indexrelid)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = x.indexrelid AND k.contype = 'x')
UNION ALL
SELECT CASE a.attgenerated WHEN '' THEN 5 ELSE 4 END, altering || CASE a.attgenerated
           WHEN '' THEN format('ALTER COLUMN %I DROP DEFAULT', a.attname) ELSE format('DROP COLUMN %I', a.attname) END,
       altering || CASE a.attgenerated WHEN '' THEN format('ALTER COLUMN %I SET DEFAULT %s', a.attname, said)
           ELSE format('ADD COLUMN %I %s GENERATED ALWAYS AS (%s) %s',
                       a.attname, format_type(a.atttypid, a.atttypmod), said,
                       CASE a.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END)
                || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END END,
       NULL, false
FROM pg_catalog.pg_attrdef e JOIN pg_catalog.pg_attribute a ON a.attrelid = e.adrelid AND a.attnum = e.adnum,
     LATERAL (SELECT format('ALTER TABLE %s ', CAST(e.adrelid AS regclass)) AS altering,
                     pg_get_expr(e.adbin, e.adrelid) AS said) words
WHERE a.attinhcount = 0
  AND (a.attgenerated = '' AND EXISTS (SELECT FROM spot WHERE spot.attrelid = e.adrelid AND spot.attnum = e.adnum)
       OR EXISTS (SELECT FROM standing s WHERE (s.objid, s.objsubid) IN ((e.oid, 0), (e.adrelid, e.adnum))))
UNION ALL
SELECT 6, format('ALTER TABLE %s ALTER COLUMN %I', CAST(attrelid AS regclass), attname), quote_ident(attname), NULL,
       many
FROM spot ORDER BY 1, 2
"""
_DEFAULTS, _COLUMNS = 5, 6
"""The turns of defaults, and of the columns themselves."""
_PROBE = "dbctl_retyped"


def computed_of(connection: Connection, schema: str | None, table: str, column: str) -> Sequence[str]:
    """Return the generated columns in which a column is used, without which alone its type can be changed."""
    from sqlalchemy import text

    return list(connection.scalars(text(_COMPUTED), {"schema": schema, "table": table, "column": column}))


def using(connection: Connection, column: str, have: str, want: str) -> str | None:
    """Return the expression that makes a value of one type one of another; None where the server needs none.

    It is asked by a temporary table of one column. Where it takes none of them, as of a type that is not there yet,
    the way through a text is returned.

    Args:
        connection: In a transaction; nothing is left there.
        column: The column as SQL.
        have: The type that it has, as SQL.
        want: The one that it is to have.
    """
    from sqlalchemy.exc import DBAPIError

    through_text = f"{column}::text::{want}"
    for expression in (None, f"{column}::{want}", through_text):
        said = "" if expression is None else f" USING {expression}"
        nested = connection.begin_nested()
        try:
            connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_PROBE} ({column} {have})")
            connection.exec_driver_sql(f"ALTER TABLE {_PROBE} ALTER COLUMN {column} TYPE {want}{said}")
        except DBAPIError:
            continue
        else:
            return expression
        finally:
            nested.rollback()
    return through_text


def enum_made_anew(
    connection: Connection,
    named: tuple[str | None, str],
    quoted: str,
    create: str,
    gone: Collection[str],
    dropped: Collection[str],
) -> Sequence[str]:
    """Return what makes an enumerated type anew, with all columns that are of it, and all that stands on these.

    What a view, a rule, a policy or a trigger has of such a column is not among it: PostgreSQL refuses then.

    Args:
        connection: Where it is.
        named: Its schema, None for the default one, and its name.
        quoted: Both as SQL.
        create: What creates the new one.
        gone: The members that it has no more, as literals: a default with one does not come back.
        dropped: The names of constraints and indexes that are dropped before.
    """
    from sqlalchemy import text

    place, _, bare = quoted.rpartition(".")
    old = f'{bare[:-1]}_old"' if bare.endswith('"') else f"{bare}_old"
    rows = connection.execute(text(_STANDING), dict(zip(("schema", "name"), named, strict=True))).all()
    parts = [(row[1], row[2], row[0]) for row in rows if row[0] != _COLUMNS and row[3] not in dropped]
    columns = [(row[1], row[2], "[]" if row[4] else "") for row in rows if row[0] == _COLUMNS]
    return [
        *(away for away, _, _ in parts),
        f"ALTER TYPE {quoted} RENAME TO {old}",
        create,
        *(f"{altering} TYPE {quoted}{s} USING {column}::text{s}::{quoted}{s}" for altering, column, s in columns),
        *(
            back
            for _, back, turn in reversed(parts)
            if turn != _DEFAULTS or not any(f"{one}::" in back for one in gone)
        ),
        f"DROP TYPE {f'{place}.' if place else ''}{old}",
    ]
