"""Tables of other databases in SQLite: https://www.sqlite.org/foreignkeys.html#fk_deferred."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dbctl.backends.copies import Copies
from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.errors import BrokenReference

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.inventory import Relation

_EXACT = 15
"""Digits that a REAL, which SQLite makes of a number with a point, has for certain."""

_PLAIN: Mapping[Kind, str] = {
    Kind.INTEGER: "INTEGER",
    Kind.FLOAT: "REAL",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.BYTES: "BLOB",
    Kind.DATE: "DATE",
    Kind.TIME: "TIME",
    Kind.TIMESTAMP: "DATETIME",
    Kind.JSON: "JSON",
}


class SQLiteCopies(Copies):
    """How SQLite takes tables."""

    counts_by_key = True
    counted_type = "INTEGER PRIMARY KEY"

    @contextmanager
    def keys_at_end(self, connection: Connection, relations: Sequence[Relation]) -> Iterator[None]:
        """Have SQLite look at the COMMIT, and look before that, to say which rows it would refuse."""
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        yield
        for one in relations:
            name = one.name.replace('"', '""')
            broken = connection.exec_driver_sql(f'PRAGMA foreign_key_check("{name}")').all()
            if broken:
                raise BrokenReference(f"{one.name}: {len(broken)} rows refer to none in {broken[0][2]}")

    def type_for(self, column: BulkColumn) -> str:
        """Take the type that has room for all values of the kind; TEXT for what only a text holds exactly."""
        if column.kind is Kind.DECIMAL and (found := re.search(r"\((\d+)", column.type)) and int(found[1]) <= _EXACT:
            return column.type.upper().replace("NUMERIC", "DECIMAL")
        if column.kind is Kind.INTEGER and "bigint" in column.type and "unsigned" in column.type:
            return "TEXT"
        return _PLAIN.get(column.kind, "TEXT")

    def keeps(self, column: BulkColumn, own: BulkColumn) -> bool:
        """Look at the digits of a number that becomes a REAL."""
        if own.kind is not Kind.DECIMAL:
            return True
        found = re.search(r"\((\d+)", column.type)
        return column.wide or (found is not None and int(found[1]) <= _EXACT)
