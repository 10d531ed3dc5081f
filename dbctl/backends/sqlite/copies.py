"""Tables of other databases in SQLite: https://www.sqlite.org/foreignkeys.html#fk_deferred."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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

    takes_jobs = False
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

    def prepare_masks(self, connection: Connection) -> None:
        """Give it functions of Python's, for SQLite has none of these."""
        driver_connection: Any = connection.connection.driver_connection
        driver_connection.create_function("dbctl_digest", 2, _digest, deterministic=True)
        driver_connection.create_function("dbctl_number", 1, lambda digits: int(digits or "0", 16), deterministic=True)

    def mask_digest(self, value: str, key: str) -> str:
        """Call Python's SHA-256."""
        return f"dbctl_digest({value}, '{key}')"

    def mask_number(self, digest: str, at: int, digits: int) -> str:
        """Call Python's int; of NULL there is none."""
        return f"CASE WHEN {digest} IS NOT NULL THEN dbctl_number(substr({digest}, {at}, {digits})) END"

    def keeps(self, column: BulkColumn, own: BulkColumn) -> bool:
        """Look at the digits of a number that becomes a REAL."""
        if own.kind is not Kind.DECIMAL:
            return True
        found = re.search(r"\((\d+)", column.type)
        return column.wide or (found is not None and int(found[1]) <= _EXACT)


def _digest(value: Any, key: str) -> str | None:
    return None if value is None else hashlib.sha256(f"{key}{value}".encode()).hexdigest()
