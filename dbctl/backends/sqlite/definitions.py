"""How SQLite writes down indexes: as they were typed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dbctl.backends.definitions import Definition, Definitions
from dbctl.backends.sqlite.engine import SQLite

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table
    from sqlalchemy.engine import Inspector

_HEAD = re.compile(r"^CREATE\s+(UNIQUE\s+)?INDEX\s.*?\sON\s.*?\(", re.DOTALL | re.IGNORECASE)
_PLAIN = re.compile(r"CREATE (UNIQUE )?INDEX \([\w, ]+\)")


class SQLiteDefinitions(Definitions, SQLite):
    """Of SQLite."""

    scratch_create = "CREATE TEMPORARY TABLE"

    def scratch_schema(self, connection: Connection, schema: str | None) -> str | None:
        """Return the schema of all temporary tables."""
        return "temp"

    def index_definitions(
        self, inspector: Inspector, schema: str | None, table: str | None = None
    ) -> Mapping[str, Mapping[str, Definition]]:
        """Read the statements that made the indexes; those of constraints have none, and are told by the table's."""
        connection = inspector.bind
        master = f'"{schema}".sqlite_master' if schema else "sqlite_master"
        where = "type = 'index' AND sql IS NOT NULL" + (" AND tbl_name = ?" if table else "")
        rows = connection.exec_driver_sql(  # type: ignore[union-attr]
            f"SELECT tbl_name, name, sql FROM {master} WHERE {where}", (table,) if table else ()
        )
        found: dict[str, dict[str, Definition]] = defaultdict(dict)
        for of_table, name, sql in rows:
            said = _HEAD.sub(lambda head: f"CREATE {'UNIQUE ' if head[1] else ''}INDEX (", " ".join(sql.split()))
            found[of_table][name] = Definition(said, bool(_PLAIN.fullmatch(said)))
        return found

    def unreflected_indexes(self, inspector: Inspector, schema: str | None, table: str) -> Collection[str]:
        """Return those of expressions."""
        found = self.index_definitions(inspector, schema, table).get(table, {})
        return [name for name, index in found.items() if not index.plain]

    def rebuild_statements(self, connection: Connection, models: Sequence[Table]) -> Sequence[str]:
        """Make each anew, in one transaction: https://www.sqlite.org/lang_altertable.html#otheralter."""
        made = [statement for model in models for statement in _rebuilt(connection, model)]
        return ["PRAGMA foreign_keys = OFF", "BEGIN", *made, "COMMIT", "PRAGMA foreign_keys = ON"]


def _rebuilt(connection: Connection, model: Table) -> Iterator[str]:
    from sqlalchemy import inspect
    from sqlalchemy.schema import CreateIndex, CreateTable

    dialect = connection.dialect
    preparer = dialect.identifier_preparer
    there = {column["name"] for column in inspect(connection).get_columns(model.name, model.schema)}
    kept = ", ".join(preparer.format_column(c) for c in model.columns if c.name in there and c.computed is None)
    old, name = preparer.format_table(model), preparer.quote(model.name)
    prefix = f"{preparer.quote(model.schema)}." if model.schema else ""
    new = f"{prefix}{preparer.quote(f'{model.name}_anew')}"
    yield f"CREATE TABLE {new} ({str(CreateTable(model).compile(dialect=dialect)).strip().partition('(')[2]}"
    if kept:
        yield f"INSERT INTO {new} ({kept}) SELECT {kept} FROM {old}"
    yield f"DROP TABLE {old}"
    yield f"ALTER TABLE {new} RENAME TO {name}"
    for index in sorted(model.indexes, key=lambda index: str(index.name)):
        yield str(CreateIndex(index).compile(dialect=dialect)).strip()
