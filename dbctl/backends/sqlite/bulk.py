"""Rows into SQLite, by one prepared statement; it keeps anything in any column, so all is looked at before.

https://www.sqlite.org/datatype3.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dbctl.backends.bulk import Bulk, Column, Fault, Refused, Rows, Taken, Target, each, in_utc, moments
from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.backends.sqlite.engine import SQLite
from dbctl.backends.sqlite.exports import SQLiteExports

if TYPE_CHECKING:
    from sqlalchemy import Connection

_INFINITE = {word: float(word) for word in ("infinity", "-infinity", "inf", "-inf")}
_TRUE = {"true", "t", "1", "yes", "y", "on"}


class SQLiteBulk(SQLiteExports, Bulk, SQLite):
    """Of SQLite."""

    untyped = True
    bends = tuple(Kind)

    def taken(self, column: BulkColumn) -> Taken | None:
        """Make of texts what SQLite's functions and SQLAlchemy's types know: 1 and 0, bytes, a blank before a time."""
        return _TAKEN.get(column.kind)

    def load_rows(self, connection: Connection, target: Target, rows: Rows) -> int:
        """Insert them one by one, so that the one which is refused is known."""
        taken = 0

        def counted() -> Iterator[tuple[Any, ...]]:
            nonlocal taken
            for taken, row in enumerate(zip(*rows.columns, strict=True)):  # noqa: B007
                yield row

        cursor: Any = connection.connection.cursor()
        try:
            cursor.executemany(self._statement(target), counted())
        except Exception as error:
            if not self.is_of_a_row(error):
                raise
            raise Refused(self._fault(error, taken)) from error
        return int(cursor.rowcount)

    def fault_of(self, error: BaseException, target: Target) -> Fault | None:
        """Return none: `load_rows` has found what there is."""
        return None

    def _fault(self, error: Exception, index: int) -> Fault:
        text = self.error_text(error)
        column = None
        if text.startswith(("NOT NULL constraint failed: ", "UNIQUE constraint failed: ")) and "," not in text:
            column = text.rpartition(".")[2]
        return Fault(text, index, column)

    def _statement(self, target: Target) -> str:
        marks = ", ".join("?" * len(target.columns))
        insert = f"INSERT INTO {self.place(target)} ({self.names(target.columns)}) VALUES ({marks})"
        if target.conflict == "error":
            return insert
        others = [f"{name} = excluded.{name}" for name in map(self.sql_name, target.others)]
        skips = target.conflict == "skip" or not others
        instead = "NOTHING" if skips else f"UPDATE SET {', '.join(others)}"
        return f"{insert} ON CONFLICT ({self.names(target.key)}) DO {instead}"


_TRUTH = _TRUE | {"false", "f", "0", "no", "n", "off"}


def _bytes(value: str) -> Any:
    if not value.startswith("\\x"):
        return value
    try:
        return bytes.fromhex(value[2:])
    except ValueError:
        return value


def _floats(column: Column) -> Column:
    """Return numbers as floats: SQLite's own reading of a text misses the nearest one where its power is large."""
    text = "".join(filter(None, column))
    if text.isascii() and "_" not in text and "n" not in text.lower():
        with suppress(ValueError):
            return [None if value is None else float(value) for value in column]
    return [None if value is None else _float(value) for value in column]


def _float(value: str) -> Any:
    if value.isascii() and value[-1:].isdigit() and "_" not in value:
        with suppress(ValueError):
            return float(value)
    return _INFINITE.get(value.lower(), value)


_TAKEN: Mapping[Kind, Taken] = {
    Kind.BOOLEAN: each(lambda value: int(value.lower() in _TRUE) if value.lower() in _TRUTH else value),
    Kind.BYTES: each(_bytes),
    Kind.TIMESTAMP: moments(lambda value: in_utc(value).replace("T", " ", 1)),
    Kind.FLOAT: _floats,
}


backend = SQLiteBulk
