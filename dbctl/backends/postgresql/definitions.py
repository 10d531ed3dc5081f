"""How PostgreSQL writes down indexes, enumerated types and sequences."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.definitions import Definition, Definitions, EnumType
from dbctl.backends.postgresql.engine import PostgreSQL
from dbctl.backends.postgresql.retyping import computed_of, enum_made_anew, using
from dbctl.backends.postgresql.wording import as_read_again
from dbctl.errors import ConnectError, OutOfTime

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection, Table
    from sqlalchemy import Sequence as SQLSequence
    from sqlalchemy.engine import Inspector

# A constraint's own text says more than its index's: DEFERRABLE, and what excludes.
_INDEXES = """
SELECT c.relname, i.relname, k.oid IS NOT NULL, x.indisvalid,
       coalesce(pg_get_constraintdef(k.oid), pg_get_indexdef(x.indexrelid)),
       CASE WHEN x.indexprs IS NOT NULL THEN ARRAY(
           SELECT pg_get_indexdef(x.indexrelid, place, false) FROM generate_series(1, x.indnatts) place
           WHERE x.indkey[place - 1] = 0) END,
       pg_get_expr(x.indpred, x.indrelid)
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_constraint k
       ON k.conindid = x.indexrelid AND k.conrelid = x.indrelid AND k.contype IN ('u', 'x')
WHERE NOT x.indisprimary AND n.nspname = coalesce(CAST(:schema AS text), current_schema())
  AND (CAST(:table AS text) IS NULL OR c.relname = :table)
"""
_HEAD = re.compile(r"^(CREATE (?:UNIQUE )?INDEX) .*? ON (?:ONLY )?.*? USING ", re.DOTALL)
_PLAIN = re.compile(r"(CREATE (UNIQUE )?INDEX USING btree|UNIQUE) \([^() ]+(, [^() ]+)*\)")

# What an extension has made (deptype e), and the parts of partitioned tables.
_OTHERS = """
SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = coalesce(CAST(:schema AS text), current_schema()) AND c.relkind IN ('r', 'p')
  AND (c.relispartition OR EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
"""
_ENUMS = """
SELECT CASE WHEN n.nspname = current_schema() THEN NULL ELSE n.nspname END, t.typname,
       array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
GROUP BY 1, 2
"""
# A column's own sequence depends on it: as serial's (a), or as an identity's (i).
_SEQUENCES = """
SELECT c.relname, format_type(s.seqtypid, NULL) || ' START ' || s.seqstart || ' INCREMENT ' || s.seqincrement
       || ' MINVALUE ' || s.seqmin || ' MAXVALUE ' || s.seqmax || ' CACHE ' || s.seqcache
       || CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END
FROM pg_catalog.pg_sequence s
JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = coalesce(CAST(:schema AS text), current_schema()) AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i', 'e'))
"""
_SCRATCH_SCHEMA = "SELECT nspname FROM pg_catalog.pg_namespace WHERE oid = pg_my_temp_schema()"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class PostgreSQLDefinitions(Definitions, PostgreSQL):
    """Of PostgreSQL."""

    rewords = True

    def scratch_schema(self, connection: Connection, schema: str | None) -> str | None:
        """Ask for the session's own, which there is from its first temporary table on."""
        return connection.exec_driver_sql(_SCRATCH_SCHEMA).scalar()

    def expression_text(self, expression: str) -> str:
        """Write what is read again as it is told then, and the time at which the transaction began as `now()`.

        https://www.postgresql.org/docs/current/functions-datetime.html#FUNCTIONS-DATETIME-CURRENT
        """
        now = {"CURRENT_TIMESTAMP", "transaction_timestamp()"}
        return "now()" if expression in now else as_read_again(expression)

    def understood(self, connection: Connection, named: str, expression: str) -> str | None:
        """Ask the planner, which computes what is constant and flattens AND and OR; nothing is run.

        `x IN ('a', 'b')` on a varchar is told as `ARRAY['a'::character varying, …]::text[]`, and once that has been
        read, as a dump is, as `ARRAY['a'::character varying::text, …]`: https://www.postgresql.org/docs/current/sql-explain.html.
        """
        from sqlalchemy.exc import DBAPIError

        query = f"EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT ({expression}) FROM ONLY {named}"
        try:
            with connection.begin_nested():
                (plan,) = connection.exec_driver_sql(query.replace("%", "%%")).scalar_one()
        except DBAPIError as error:
            if isinstance(translated := self.translate(error), ConnectError | OutOfTime):
                raise translated from error
            return None
        found: str = plan["Plan"]["Output"][0]
        return found

    def others_tables(self, connection: Connection, schema: str | None) -> Collection[str]:
        """Ask for partitions, and for what belongs to extensions."""
        from sqlalchemy import text

        return set(connection.scalars(text(_OTHERS), {"schema": schema}))

    def index_definitions(
        self, inspector: Inspector, schema: str | None, table: str | None = None
    ) -> Mapping[str, Mapping[str, Definition]]:
        """Ask the catalogue, which has all that was said of an index."""
        from sqlalchemy import text

        found: dict[str, dict[str, Definition]] = defaultdict(dict)
        rows = inspector.bind.execute(text(_INDEXES), {"schema": schema, "table": table})  # type: ignore[union-attr]
        for of_table, name, constraint, valid, said, computed, condition in rows:
            shown = _HEAD.sub(r"\1 USING ", said) + ("" if valid else " (invalid)")
            expressions = (*(computed or ()), *([condition] if condition else ()))
            found[of_table][name] = Definition(shown, bool(_PLAIN.fullmatch(shown)), constraint, expressions)
        return found

    def enum_types(self, inspector: Inspector) -> Mapping[tuple[str | None, str], EnumType] | None:
        """Ask the catalogue for those that are no extension's."""
        rows = inspector.bind.exec_driver_sql(_ENUMS)  # type: ignore[union-attr]
        return {(schema, name): EnumType(schema, name, tuple(members)) for schema, name, members in rows}

    def enum_statements(
        self,
        connection: Connection,
        named: tuple[str | None, str],
        have: Sequence[str] | None,
        want: Sequence[str] | None,
        dropped: Collection[str] = (),
    ) -> Sequence[str]:
        """Add members where that is all; else make the type anew: https://www.postgresql.org/docs/current/sql-altertype.html.

        A member can neither be taken away nor moved.
        """
        schema, name = named
        quote = connection.dialect.identifier_preparer.quote
        quoted = ".".join(quote(part) for part in (schema, name) if part)
        if want is None:
            return [f"DROP TYPE {quoted}"]
        create = f"CREATE TYPE {quoted} AS ENUM ({', '.join(map(_literal, want))})"
        if have is None:
            return [create]
        if [member for member in want if member in have] != [*have]:
            gone = [_literal(member) for member in have if member not in want]
            return enum_made_anew(connection, named, quoted, create, gone, dropped)
        return [
            f"ALTER TYPE {quoted} ADD VALUE {_literal(member)}"
            + (f" AFTER {_literal(want[place - 1])}" if place else f" BEFORE {_literal(have[0])}")
            for place, member in enumerate(want)
            if member not in have
        ]

    def scratch_enum(self, connection: Connection, declared: EnumType, found: EnumType | None) -> Sequence[str]:
        """Make it the session's own, which hides any other; one of a schema is found nowhere else."""
        name = declared.name
        if declared.schema is None:
            return self.enum_statements(connection, ("pg_temp", name), None, declared.members)
        quote = connection.dialect.identifier_preparer.quote
        away = f"ALTER TYPE {quote(declared.schema)}.{quote(name)} RENAME TO {quote(f'{name[:50]}_as_it_is')}"
        create = self.enum_statements(connection, (declared.schema, name), None, declared.members)
        return [away, *create] if found else create

    def computed_of(self, connection: Connection, schema: str | None, table: str, column: str) -> Sequence[str]:
        """Ask the catalogue."""
        return computed_of(connection, schema, table, column)

    def retyping(self, connection: Connection, column: str, have: str, want: str) -> Mapping[str, Any]:
        """Say how a value is converted, where the server does not by itself."""
        expression = using(connection, column, have, want)
        return {} if expression is None else {"postgresql_using": expression}

    def sequences(self, connection: Connection, schema: str | None) -> Mapping[str, str] | None:
        """Ask the catalogue for those that are no column's own, and no extension's."""
        from sqlalchemy import text

        rows = connection.execute(text(_SEQUENCES), {"schema": schema})
        return {str(name): str(definition) for name, definition in rows}

    def scratch_sequence(self, connection: Connection, sequence: SQLSequence) -> str:
        """Make it as the session's own, look, and roll that back."""
        from sqlalchemy.schema import CreateSequence

        named = connection.dialect.identifier_preparer.format_sequence(sequence)
        bare = connection.dialect.identifier_preparer.quote(sequence.name)
        said = str(CreateSequence(sequence).compile(dialect=connection.dialect))
        nested = connection.begin_nested()
        try:
            connection.exec_driver_sql(said.replace(f"CREATE SEQUENCE {named}", f"CREATE TEMPORARY SEQUENCE {bare}", 1))
            found = self.sequences(connection, self.scratch_schema(connection, None)) or {}
            return found[sequence.name]
        finally:
            nested.rollback()

    def sequence_statement(self, quoted: str, said: str) -> str:
        """Say it as it is told: https://www.postgresql.org/docs/current/sql-altersequence.html."""
        return f"ALTER SEQUENCE {quoted} AS {said}" + ("" if said.endswith(" CYCLE") else " NO CYCLE")

    def identity_statement(self, quoted: tuple[str, str], options: Sequence[str]) -> str:
        """Set all that there is to set."""
        table, column = quoted
        always, *others = options
        said = " ".join(f"SET {option}" for option in (f"GENERATED {always}", *others))
        return f"ALTER TABLE {table} ALTER COLUMN {column} {said}"

    def autoincrement_statements(self, table: Table, column: Column[Any], quoted: tuple[str, str]) -> Sequence[str]:
        """Return what SERIAL stands for: https://www.postgresql.org/docs/current/datatype-numeric.html."""
        from sqlalchemy.dialects import postgresql

        quote = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call]
        name = ".".join(quote(part) for part in (table.schema, f"{table.name}_{column.name}_seq") if part)
        of_table, of_column = quoted
        return (
            f"CREATE SEQUENCE {name} OWNED BY {of_table}.{of_column}",
            f"ALTER TABLE {of_table} ALTER COLUMN {of_column} SET DEFAULT nextval('{name}')",
        )
