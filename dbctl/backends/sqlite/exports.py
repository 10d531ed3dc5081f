"""SQLite's bulk reading: each value has a type of its own, whatever its column's is.

https://www.sqlite.org/datatype3.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dbctl.backends.exports import BATCH, Exports, Number, Numerals, Selection, Take, Texts, hex_of, result_of
from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.backends.sqlite.copies import SQLiteCopies

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.inventory import Relation

_COMPUTED = (2, 3)
"""What table_xinfo has in `hidden` of a generated column: https://www.sqlite.org/pragma.html#pragma_table_xinfo."""

_TRUTH = {0: "false", 1: "true"}
_NULL = type(None)

_UNTYPED = (Kind.OTHER, Kind.BYTES)
"""Kinds of columns that have no affinity, so that a number and its text are two things in them."""


class SQLiteExports(SQLiteCopies, Exports):
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
        (r"num|dec|money|fixed|currency", Kind.DECIMAL),
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
        # ANY is a word that makes numbers of texts, but where it means what it says, which is what no word does.
        strict = any(row["type"].lower() == "any" for row in shown) and self._is_strict(connection, relation)
        types = [re.sub(r"(?i)\Aany\Z", "", row["type"]) if strict else row["type"] for row in shown]
        return [
            BulkColumn(
                *(row["name"], self.kind_of(type_), type_),
                nullable=not row["notnull"],
                generated=row["hidden"] in _COMPUTED,
                wide=True,
            )
            for row, type_ in zip(shown, types, strict=True)
        ]

    def _is_strict(self, connection: Connection, relation: Relation) -> bool:
        """Ask for the table's kind: https://www.sqlite.org/stricttables.html."""
        place = (relation.schema or "main", relation.name)
        return any(row["strict"] for row in _listed(connection) if (row["schema"], row["name"]) == place)

    def held(self, connection: Connection) -> Mapping[str, str | None]:
        """Ask for the shadow tables of virtual ones, as FTS5's; which of those only index others' rows has no content.

        https://www.sqlite.org/vtab.html#the_xshadowname_method
        """
        listed = [row for row in _listed(connection) if row["schema"] == "main"]
        virtual = sorted((row["name"] for row in listed if row["type"] == "virtual"), key=len, reverse=True)
        shadows = {row["name"] for row in listed if row["type"] == "shadow"}
        owners = {one: next((name for name in virtual if one.startswith(f"{name}_")), None) for one in shadows}
        return {
            one: owner if shadows & {f"{owner}_content", f"{owner}_node"} else None for one, owner in owners.items()
        }

    def query_columns(self, connection: Connection, query: str) -> Sequence[BulkColumn]:
        """Ask for their names: what their types are nobody knows."""
        with result_of(connection, f"SELECT * FROM ({query}\n) LIMIT 0") as result:
            return [BulkColumn(one[0], Kind.OTHER, "") for one in result.cursor.description]

    def read_rows(self, connection: Connection, selection: Selection, take: Take) -> None:
        """Take each value by its own type."""
        kinds = [one.kind for one in selection.columns]
        with result_of(connection, selection.query) as result:
            while rows := result.cursor.fetchmany(BATCH):
                take([_texts(kind, values) for kind, values in zip(kinds, zip(*rows, strict=True), strict=True)])


def _listed(connection: Connection) -> Sequence[Any]:
    """Return what SQLite since 3.37 says of all tables: https://www.sqlite.org/pragma.html#pragma_table_list."""
    result = connection.exec_driver_sql("PRAGMA table_list")
    return result.mappings().all() if result.returns_rows else []


def _texts(kind: Kind, values: Sequence[Any]) -> Texts:
    if kind is Kind.STORED:
        return values
    types = set(map(type, values))
    if types <= {str, _NULL}:
        return values
    if kind is Kind.BOOLEAN and types == {int} and _TRUTH.keys() >= set(values):
        return Numerals(map(_TRUTH.__getitem__, values))
    if types == {int} and kind not in _UNTYPED:
        return Numerals(map(_truth if kind is Kind.BOOLEAN else str, values))
    if types == {float} and kind not in _UNTYPED and all(map(math.isfinite, values)):
        return Numerals(map(_digits if kind is Kind.DECIMAL else repr, values))
    return [_text(kind, value) for value in values]


def _truth(value: int) -> str:
    return _TRUTH.get(value) or str(value)


def _digits(value: float) -> str:
    """Return all digits of a number, as a DECIMAL's are written."""
    text = repr(value)
    return format(Decimal(text), "f") if "e" in text else text


def _text(kind: Kind, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return hex_of(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "Infinity" if value > 0 else "-Infinity"
    text = _truth(value) if kind is Kind.BOOLEAN else _digits(value) if kind is Kind.DECIMAL else repr(value)
    return Number(text) if kind in _UNTYPED else text
