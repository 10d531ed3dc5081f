"""SQLite's bulk reading: each value has a type of its own, whatever its column's is.

https://www.sqlite.org/datatype3.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.exports import BATCH, Exports, Selection, Texts, cursor_of, hex_of
from dbctl.backends.kinds import BulkColumn, Kind

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.inventory import Relation

_COMPUTED = (2, 3)
"""What table_xinfo has in `hidden` of a generated column: https://www.sqlite.org/pragma.html#pragma_table_xinfo."""

_TRUTH = {0: "false", 1: "true"}


class SQLiteExports(Exports):
    """How SQLite is read in bulk."""

    # In the order of https://www.sqlite.org/datatype3.html#determination_of_column_affinity, behind the words that
    # mean something to who declares them.
    type_kinds = (
        (r"bool", Kind.BOOLEAN),
        (r"datetime|timestamp", Kind.TIMESTAMP),
        (r"date", Kind.DATE),
        (r"time", Kind.TIME),
        (r"json", Kind.JSON),
        (r"uuid", Kind.UUID),
        (r".*int", Kind.INTEGER),
        (r".*(char|clob|text)", Kind.TEXT),
        (r".*blob|.*binary", Kind.BYTES),
        (r".*(real|floa|doub)", Kind.FLOAT),
        (r"numeric|decimal", Kind.DECIMAL),
    )

    def begin_reading(self, connection: Connection, snapshot: str | None = None) -> str | None:
        """Read anything, for by that the transaction's moment is taken."""
        self.begin_strictly(connection, writes=False)  # type: ignore[attr-defined]
        connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1").all()
        return None

    def table_columns(self, connection: Connection, relation: Relation) -> Sequence[BulkColumn]:
        """Ask for all, also those that are generated; their types are what was typed."""
        schema = f"{self.sql_name(relation.schema)}." if relation.schema else ""
        query = f"PRAGMA {schema}table_xinfo({self.sql_name(relation.name)})"
        rows = connection.exec_driver_sql(query).mappings().all()
        shown = [row for row in rows if row["hidden"] != 1]
        return [
            BulkColumn(
                *(row["name"], self.kind_of(row["type"]), row["type"]),
                nullable=not row["notnull"],
                generated=row["hidden"] in _COMPUTED,
                wide=True,
            )
            for row in shown
        ]

    def query_columns(self, connection: Connection, query: str) -> Sequence[BulkColumn]:
        """Ask for their names: what their types are nobody knows."""
        with cursor_of(connection, f"SELECT * FROM ({query}\n) LIMIT 0") as cursor:
            return [BulkColumn(one[0], Kind.OTHER, "") for one in cursor.description]

    def read_rows(self, connection: Connection, selection: Selection, take: Callable[[Sequence[Texts]], None]) -> None:
        """Take each value by its own type."""
        kinds = [one.kind for one in selection.columns]
        with cursor_of(connection, selection.query) as cursor:
            while rows := cursor.fetchmany(BATCH):
                columns = [_texts(kind, values) for kind, values in zip(kinds, zip(*rows, strict=True), strict=True)]
                take(list(zip(*columns, strict=True)))


def _texts(kind: Kind, values: Sequence[Any]) -> Texts:
    types = set(map(type, values))
    if types <= {str, type(None)}:
        return values
    if types == {int} and kind is not Kind.BOOLEAN:
        return list(map(str, values))
    return [_text(kind, value) for value in values]


def _text(kind: Kind, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return hex_of(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"
    return _TRUTH.get(value, str(value)) if kind is Kind.BOOLEAN else str(value)
