"""Tables of other databases in SQLite: https://www.sqlite.org/foreignkeys.html#fk_deferred."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dbctl.backends.copies import Copies
from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.backends.sqlite.further_parts import collations
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

_INDEX = "dbctl_of_key"
"""What an index is called that there is during a load alone, before its number."""

_TABLES = "FROM sqlite_master m, {} WHERE m.type = 'table' AND m.sql NOT LIKE 'CREATE VIRTUAL%'"
_KEYS = f"""
SELECT m.name, k.id, k."table", k."from" {_TABLES.format("pragma_foreign_key_list(m.name) k")} ORDER BY 1, 2, k.seq
"""
# A primary key that is the row's own number has no index, and needs none.
_INDEXED = f"""
SELECT m.name, c.name {_TABLES.format("pragma_index_list(m.name) i, pragma_index_info(i.name) c")}
AND NOT i.partial AND c.seqno = 0
UNION SELECT m.name, p.name {_TABLES.format("pragma_table_info(m.name) p")} AND p.pk = 1
"""


class SQLiteCopies(Copies):
    """How SQLite takes tables."""

    takes_jobs = False
    counts_by_key = True
    defers_keys = True
    counted_type = "INTEGER PRIMARY KEY"

    @contextmanager
    def keys_at_end(self, connection: Connection, relations: Sequence[Relation]) -> Iterator[None]:
        """Have SQLite look at the COMMIT, and look before that, to say which rows it would refuse.

        As long as some rows refer to none it looks with each new one for those that refer to it: through all of a table
        that has no index for that, which therefore gets one until the block's end.
        """
        lacking = {f'"{_INDEX}_{number}"': one for number, one in enumerate(_unindexed(connection, relations))}
        for index, (table, columns) in lacking.items():
            connection.exec_driver_sql(f"CREATE INDEX {index} ON {_quoted(table)} ({', '.join(map(_quoted, columns))})")
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        yield
        for index in lacking:
            connection.exec_driver_sql(f"DROP INDEX {index}")
        for one in relations:
            broken = connection.exec_driver_sql(f"PRAGMA foreign_key_check({_quoted(one.name)})").all()
            if broken:
                raise BrokenReference(f"{one.name}: {len(broken)} rows refer to none in {broken[0][2]}")

    def type_for(self, column: BulkColumn) -> str:
        """Take the type that has room for all values of the kind; TEXT for what only a text holds exactly."""
        if column.kind is Kind.DECIMAL and column.digits and column.digits[0] <= _EXACT:
            return "DECIMAL({},{})".format(*column.digits)
        if column.kind is Kind.INTEGER and "bigint" in column.type and "unsigned" in column.type:
            return "TEXT"
        return _PLAIN.get(column.kind, "TEXT")

    def collations(self, connection: Connection, relation: Relation) -> Mapping[str, str]:
        """Read the statement that SQLite keeps: no PRAGMA tells them."""
        sql = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (relation.name,)).scalar()
        return collations(sql) if sql and relation.kind == "table" else {}

    def known_collations(self, connection: Connection) -> Collection[str]:
        """Ask for SQLite's own, and what the connection was given."""
        return {name.upper() for _, name in connection.exec_driver_sql("PRAGMA collation_list").all()}

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

    def stores_the_same(self, column: BulkColumn, own: BulkColumn) -> bool:
        """Look for the same type, or for none, which changes nothing."""
        return own.type.lower() in {"", column.type.lower()}

    def keeps(self, column: BulkColumn, own: BulkColumn) -> bool:
        """Look at the digits of a number that becomes a REAL."""
        if own.kind is not Kind.DECIMAL:
            return True
        return column.wide or (column.digits is not None and column.digits[0] <= _EXACT)


def _unindexed(connection: Connection, relations: Sequence[Relation]) -> Sequence[tuple[str, Sequence[str]]]:
    """Return the tables with columns that refer to some others, of which no index begins with any."""
    names = {one.name.lower() for one in relations}
    keys: dict[tuple[str, int], list[str]] = {}
    for table, key, other, column in connection.exec_driver_sql(_KEYS).all():
        if other.lower() in names:
            keys.setdefault((table, key), []).append(column)
    indexed = {tuple(row) for row in connection.exec_driver_sql(_INDEXED).all()}
    found = {(table, *columns) for (table, _), columns in keys.items()}
    return [
        (table, columns) for table, *columns in sorted(found) if not any((table, one) in indexed for one in columns)
    ]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _digest(value: Any, key: str) -> str | None:
    return None if value is None else hashlib.sha256(f"{key}{value}".encode()).hexdigest()
