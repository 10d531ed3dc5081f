"""What SQLite has: its schema table, its pragmas, and DBSTAT where it is compiled in.

https://www.sqlite.org/dbstat.html, https://www.sqlite.org/pragma.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.inventory import ColumnThere, IndexThere, Inventory, PartThere, Relation, foreign_key_text
from dbctl.backends.sqlite.definitions import SQLiteDefinitions
from dbctl.backends.sqlite.further_parts import further_parts

if TYPE_CHECKING:
    from sqlalchemy import Connection

_READ_WHOLE = 256 * 1024 * 1024
"""Bytes of a file up to which all of it is read, to tell the size of each table."""

_RELATIONS = """
SELECT name, CASE WHEN type = 'view' THEN 'view' WHEN sql LIKE 'CREATE VIRTUAL%' THEN 'virtual table' ELSE 'table' END
FROM {master} WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name
"""
_OWNERS = "SELECT name, tbl_name, type FROM {master} WHERE type IN ('table', 'index')"


class SQLiteInventory(SQLiteDefinitions, Inventory):
    """Of SQLite."""

    counts_index_reads = False

    def inventory(self, connection: Connection, schema: str | None) -> Sequence[Relation]:
        """Look at what is there; the size of each is known where DBSTAT is, and the file is small enough to be read."""
        sizes = _sizes(connection, schema) or {}
        rows = _counted(connection, schema)
        owners = connection.exec_driver_sql(_OWNERS.format(master=_master(schema))).all()
        found = []
        for name, kind in connection.exec_driver_sql(_RELATIONS.format(master=_master(schema))):
            indexes = [index for index, table, what in owners if table == name and what == "index"]
            known = bool(sizes) and kind == "table"
            data = sizes.get(name, 0) if known else None
            of_indexes = sum(sizes.get(index, 0) for index in indexes) if known else None
            found.append(Relation(schema, name, kind, rows.get(name), data, of_indexes))
        return found

    def is_counted_soon(self, connection: Connection, relation: Relation) -> bool:
        """Look at the size of the file where that of the table is not known."""
        return super().is_counted_soon(connection, relation) or (
            relation.data_bytes is None and _file_size(connection, relation.schema) <= _READ_WHOLE
        )

    def unknown(self, connection: Connection, relations: Sequence[Relation]) -> Iterable[str]:
        """Say why there are no sizes."""
        if any(each.kind == "table" and each.data_bytes is None for each in relations):
            if _has_dbstat(connection):
                yield f"sizes are not told of files above {_READ_WHOLE // 1024 // 1024} MiB, all of which would be read"
            else:
                yield "sizes can't be told: this SQLite has no DBSTAT compiled in"

    def columns_there(self, connection: Connection, relation: Relation) -> Sequence[ColumnThere]:
        """Ask for all, also those that are generated; their types are what was typed."""
        rows = _pragma(connection, relation, "table_xinfo", relation.name)
        shown = [row for row in rows if row["hidden"] != 1]
        return [
            ColumnThere(
                row["name"], row["type"], not row["notnull"], _GENERATED.get(row["hidden"]) or row["dflt_value"]
            )
            for row in shown
        ]

    def indexes_there(self, connection: Connection, relation: Relation) -> Sequence[IndexThere]:
        """Ask for each one's columns, or take what made it; SQLite does not count how often it is read."""
        from sqlalchemy import inspect

        sizes = _sizes(connection, relation.schema) or {}
        made = self.index_definitions(inspect(connection), relation.schema, relation.name).get(relation.name, {})
        found = []
        for index in _pragma(connection, relation, "index_list", relation.name):
            columns = [row["name"] or "(…)" for row in _pragma(connection, relation, "index_info", index["name"])]
            words = f"{'UNIQUE ' if index['unique'] else ''}INDEX ({', '.join(columns)})"
            if index["name"] in made and not made[index["name"]].plain:
                words = made[index["name"]].text.removeprefix("CREATE ")
            found.append(IndexThere(index["name"], words, sizes.get(index["name"])))
        return sorted(found, key=lambda one: one.name)

    def references_there(self, connection: Connection, relation: Relation) -> Sequence[PartThere]:
        """Look through all tables' keys: there is no other way."""
        from sqlalchemy import inspect

        inspector = inspect(connection)
        return [
            PartThere(key["name"] or "", foreign_key_text(key, relation.schema), table)
            for table in inspector.get_table_names(relation.schema)
            for key in inspector.get_foreign_keys(table, relation.schema)
            if key["referred_table"].lower() == relation.name.lower()
        ]

    def further_parts(self, connection: Connection, schema: str | None) -> Iterable[tuple[str, str, str]]:
        """Read the statements that made the tables."""
        return further_parts(connection, schema)

    def triggers_there(self, connection: Connection, relation: Relation) -> Sequence[PartThere]:
        """Return the statements that made them."""
        query = f"SELECT name, sql FROM {_master(relation.schema)} WHERE type = 'trigger' AND tbl_name = ? ORDER BY 1"
        rows = connection.exec_driver_sql(query, (relation.name,))
        return [PartThere(name, " ".join(sql.split())) for name, sql in rows]


_GENERATED = {2: "GENERATED ALWAYS", 3: "GENERATED ALWAYS STORED"}
"""What table_xinfo's `hidden` says of a generated column."""


def _master(schema: str | None) -> str:
    return f"{_quoted(schema)}.sqlite_master" if schema else "sqlite_master"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _pragma(connection: Connection, relation: Relation, pragma: str, name: str) -> Sequence[Any]:
    prefix = f"{_quoted(relation.schema)}." if relation.schema else ""
    return connection.exec_driver_sql(f"PRAGMA {prefix}{pragma}({_quoted(name)})").mappings().all()


def _has_dbstat(connection: Connection) -> bool:
    query = "SELECT 1 FROM pragma_compile_options WHERE compile_options = 'ENABLE_DBSTAT_VTAB'"
    return connection.exec_driver_sql(query).first() is not None


def _file_size(connection: Connection, schema: str | None) -> int:
    prefix = f"{_quoted(schema)}." if schema else ""
    pages = connection.exec_driver_sql(f"PRAGMA {prefix}page_count").scalar() or 0
    size = connection.exec_driver_sql(f"PRAGMA {prefix}page_size").scalar() or 0
    return int(pages) * int(size)


def _sizes(connection: Connection, schema: str | None) -> Mapping[str, int] | None:
    if _file_size(connection, schema) > _READ_WHOLE or not _has_dbstat(connection):
        return None
    where = " WHERE schema = ?" if schema else ""
    query = f"SELECT name, sum(pgsize) FROM dbstat{where} GROUP BY name"
    rows = connection.exec_driver_sql(query, (schema,) if schema else ())
    return {str(name): int(size) for name, size in rows}


def _counted(connection: Connection, schema: str | None) -> Mapping[str, int]:
    """Return the rows that ANALYZE has counted, by the table."""
    master = _master(schema)
    if connection.exec_driver_sql(f"SELECT 1 FROM {master} WHERE name = 'sqlite_stat1'").first() is None:
        return {}
    stat = f"{_quoted(schema)}.sqlite_stat1" if schema else "sqlite_stat1"
    rows = connection.exec_driver_sql(f"SELECT tbl, max(CAST(stat AS INTEGER)) FROM {stat} GROUP BY tbl")
    return {table: count for table, count in rows if count is not None}


backend = SQLiteInventory
