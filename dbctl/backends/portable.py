"""What a database has, as information_schema and SQLAlchemy tell it: for servers whose own catalogue tells less."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from dbctl.backends.inventory import ColumnThere, IndexThere, Inventory, PartThere, Relation, foreign_key_text

if TYPE_CHECKING:
    from sqlalchemy import Connection

_RELATIONS = """
SELECT table_schema, table_name, table_type FROM information_schema.tables
WHERE table_schema = coalesce(:schema, table_schema) AND table_type IN ('BASE TABLE', 'VIEW')
ORDER BY table_schema, table_name
"""


class PortableInventory(Inventory):
    """Rows and sizes are not told, nor what only the server's own catalogue would know."""

    title: ClassVar[str]
    own_schemas: ClassVar[Sequence[str]] = ("information_schema", "pg_catalog", "pg_extension", "crdb_internal")
    """Schemas that are the server's own."""

    def inventory(self, connection: Connection, schema: str | None) -> Sequence[Relation]:
        """Ask information_schema."""
        from sqlalchemy import text

        rows = connection.execute(text(_RELATIONS), {"schema": schema}).all()
        return [
            Relation(where, name, "view" if kind == "VIEW" else "table")
            for where, name, kind in rows
            if where not in self.own_schemas
        ]

    def unknown(self, connection: Connection, relations: Sequence[Relation]) -> Iterable[str]:
        """Say that nobody has counted."""
        if any(each.has_rows for each in relations):
            yield f"rows and sizes are not asked of {self.title}"

    def columns_there(self, connection: Connection, relation: Relation) -> Sequence[ColumnThere]:
        """Ask SQLAlchemy."""
        from sqlalchemy import inspect

        found = []
        for one in inspect(connection).get_columns(relation.name, relation.schema):
            computed = one.get("computed")
            default = f"GENERATED ALWAYS AS ({computed['sqltext']})" if computed else one["default"]
            kind = one["type"].compile(connection.dialect)
            found.append(ColumnThere(one["name"], kind, one["nullable"], default, one.get("comment")))
        return found

    def indexes_there(self, connection: Connection, relation: Relation) -> Sequence[IndexThere]:
        """Ask SQLAlchemy."""
        from sqlalchemy import inspect

        found = inspect(connection).get_indexes(relation.name, relation.schema)
        return [
            IndexThere(
                one["name"] or "",
                f"{'UNIQUE ' if one['unique'] else ''}({', '.join(name or '…' for name in one['column_names'])})",
            )
            for one in found
        ]

    def constraints_there(self, connection: Connection, relation: Relation) -> Sequence[PartThere]:
        """Ask SQLAlchemy."""
        return Inventory.constraints_there(self, connection, relation)

    def references_there(self, connection: Connection, relation: Relation) -> Sequence[PartThere]:
        """Look through the foreign keys of all tables of the schema."""
        from sqlalchemy import inspect

        inspector, found = inspect(connection), []
        for table in inspector.get_table_names(relation.schema):
            for key in inspector.get_foreign_keys(table, relation.schema):
                if key["referred_table"] == relation.name and key["referred_schema"] in {None, relation.schema}:
                    found.append(PartThere(key["name"] or "", foreign_key_text(key, relation.schema), table))
        return found

    def triggers_there(self, connection: Connection, relation: Relation) -> Sequence[PartThere]:
        """Tell of none: they are not asked for."""
        return ()

    def partitions_there(self, connection: Connection, relation: Relation) -> Sequence[PartThere]:
        """Tell of none: they are not asked for."""
        return ()
