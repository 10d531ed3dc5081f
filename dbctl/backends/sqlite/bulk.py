"""Rows into SQLite, by prepared statements of many; it keeps anything in any column, so all is looked at before.

https://www.sqlite.org/datatype3.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from dbctl.backends.bulk import Bulk, Column, Delimited, Fault, Refused, Rows, Run, Taken, Target
from dbctl.backends.bulk_texts import each, in_64_bits, in_utc, moments
from dbctl.backends.exports import Number
from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.backends.sqlite.engine import SQLite
from dbctl.backends.sqlite.exports import SQLiteExports

if TYPE_CHECKING:
    from sqlalchemy import Connection

_AT_ONCE = 100
"""Values that are inserted by one statement, which is how long it stays the faster the more there are."""

_IGNORES = re.compile(r"\bRAISE\s*\(\s*IGNORE\b", re.IGNORECASE)
"""What leaves a row out in a trigger: https://www.sqlite.org/lang_createtrigger.html#the_raise_function."""

_WHOLE = re.compile(r"0|-?[1-9]\d*", re.ASCII)
"""What an integer is made of; of -0 it would lose the sign."""

_LARGEST = 2**63 - 1

_READ_EXACTLY = 15
"""Characters of a number, without a power, that SQLite's own reading of a text makes the nearest one of."""

_INFINITE = {word: float(word) for word in ("infinity", "-infinity", "inf", "-inf")}


class SQLiteBulk(SQLiteExports, Bulk, SQLite):
    """Of SQLite."""

    untyped = True
    reads_quotes = False
    bends = tuple(Kind)

    def taken(self, column: BulkColumn) -> Taken | None:
        """Make of texts what SQLite's functions and SQLAlchemy's types know: 1 and 0, bytes, a blank before a time."""
        if column.kind is Kind.OTHER and column.type:
            return each(_converted)
        if column.numeric_json:
            return _numbers
        return _TAKEN.get(column.kind) or super().taken(column)

    def as_it_is(self, column: BulkColumn) -> str | None:
        """Take anything: `load_lines` makes of texts what they are to be."""
        return ""

    def reads(self, delimited: Delimited) -> bool:
        """Read what can be cut at each delimiter and at each line's end."""
        return delimited.format != "csv" or b'"' not in delimited.data

    def load_lines(self, connection: Connection, target: Target, lines: Run) -> tuple[int, int]:
        """Insert them part by part, so that the values of one alone are held."""
        seen = written = 0
        for part in lines:
            rows, more = self._load_part(connection, target, part, seen)
            seen, written = seen + rows, written + more
        return seen, written

    def _load_part(self, connection: Connection, target: Target, part: Delimited, before: int) -> tuple[int, int]:
        """Cut lines into values, and insert them."""
        width = len(target.kinds)
        text = part.data.decode().replace("\r\n", "\n")[:-1]
        values: list[Any] = text.replace("\n", part.delimiter).split(part.delimiter)
        if part.null in values:
            values = [None if value == part.null else value for value in values]
        for place, column in enumerate(target.kinds):
            if (taken := self.taken(column)) is not None:
                values[place::width] = taken(values[place::width])
        return len(values) // width, self._insert(connection, target, values, before)

    def load_rows(self, connection: Connection, target: Target, rows: Rows) -> int:
        """Insert them."""
        return self._insert(connection, target, list(chain.from_iterable(zip(*rows.columns, strict=True))))

    def _insert(self, connection: Connection, target: Target, values: list[Any], before: int = 0) -> int:
        """Insert rows, some by each statement; those of one that is refused one by one, to find which it is.

        Args:
            connection: The connection.
            target: The table.
            values: The values of all rows, one after the other.
            before: How many rows came before them, of the same lines.

        Returns:
            How many rows were written.

        Raises:
            Refused: One can't be inserted.
        """
        width, written = len(target.kinds), 0
        step = max(1, _AT_ONCE // width) * width
        some, one = self._statement(target, step // width), self._statement(target, 1)
        cursor: Any = connection.connection.cursor()
        try:
            for start in range(0, len(values), step):
                several = values[start : start + step]
                if len(several) == step:
                    try:
                        written += cursor.execute(some, several).rowcount
                        continue
                    except Exception as error:
                        if not self.is_of_a_row(error):
                            raise
                for at in range(0, len(several), width):
                    try:
                        written += cursor.execute(one, several[at : at + width]).rowcount
                    except Exception as error:
                        if not self.is_of_a_row(error):
                            raise
                        raise Refused(self._fault(error, (start + at) // width, before)) from error
        finally:
            cursor.close()
        return written

    def kept_out(self, connection: Connection, target: Target, missing: int) -> int | None:
        """Tell whether there may be any: those of a trigger that ignores rows, which nothing tells of."""
        master = f"{self.sql_name(target.schema)}.sqlite_master" if target.schema else "sqlite_master"
        query = f"SELECT sql FROM {master} WHERE type = 'trigger' AND lower(tbl_name) = lower(?)"
        made = connection.exec_driver_sql(query, (target.name,)).scalars()
        return None if any(_IGNORES.search(sql) for sql in made) else 0

    def fault_of(self, error: BaseException, target: Target) -> Fault | None:
        """Return none: `_insert` has found what there is."""
        return None

    def _fault(self, error: Exception, index: int, before: int) -> Fault:
        text = self.error_text(error)
        column = None
        if text.startswith(("NOT NULL constraint failed: ", "UNIQUE constraint failed: ")) and "," not in text:
            column = text.rpartition(".")[2]
        return Fault(text, index, column, line=before + index + 1)

    def _statement(self, target: Target, rows: int) -> str:
        marks = ", ".join([f"({', '.join('?' * len(target.columns))})"] * rows)
        insert = f"INSERT INTO {self.place(target)} ({self.names(target.columns)}) VALUES {marks}"
        if target.conflict == "error":
            return insert
        others = [f"{name} = excluded.{name}" for name in map(self.sql_name, target.others)]
        skips = target.conflict == "skip" or not others
        instead = "NOTHING" if skips else f"UPDATE SET {', '.join(others)}"
        return f"{insert} ON CONFLICT ({self.names(target.key)}) DO {instead}"


def _stored(value: str) -> Any:
    """Return what a column without a type is to store: a number of JSON as one, and what stands for bytes as such."""
    if type(value) is not Number:
        return _bytes(value)
    if not _WHOLE.fullmatch(value):
        return _float(value)
    whole = int(value) if len(value) <= len(str(-_LARGEST)) else _LARGEST + 1
    return whole if -_LARGEST <= whole <= _LARGEST else str(value)  # whose digits no number keeps


_TRUTH: Mapping[Any, int] = {
    **dict.fromkeys(("true", "t", "1", "yes", "y", "on"), 1),
    **dict.fromkeys(("false", "f", "0", "no", "n", "off"), 0),
}


def _bytes(value: str) -> Any:
    if not value.startswith("\\x"):
        return value
    try:
        return bytes.fromhex(value[2:])
    except ValueError:
        return value


def _truths(column: Column) -> Column:
    plain = [_TRUTH.get(value, value) for value in column]
    return plain if str not in set(map(type, plain)) else list(map(_truth, plain))


def _truth(value: Any) -> Any:
    return _TRUTH.get(value.lower(), value) if isinstance(value, str) else value


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


def _numbers(column: Column) -> Column:
    """Return the texts that SQLite would not make the nearest numbers of, where it makes numbers, as such numbers."""
    if max((len(value) for value in column if value is not None), default=0) <= _READ_EXACTLY:
        text = "".join(filter(None, column))
        if "e" not in text and "E" not in text:
            return column
    return [None if value is None else _number(value) for value in column]


def _number(value: str) -> Any:
    found = in_64_bits(value)
    return value if found is None else found


def _converted(value: str) -> Any:
    """Return what a column of an unknown type is to store, which makes numbers of texts."""
    stored = _stored(value)
    return _number(stored) if isinstance(stored, str) else stored


_TAKEN: Mapping[Kind, Taken] = {
    Kind.BOOLEAN: _truths,
    Kind.BYTES: each(_stored),
    Kind.OTHER: each(_stored),
    Kind.TIMESTAMP: moments(lambda value: in_utc(value).replace("T", " ", 1)),
    Kind.FLOAT: _floats,
    Kind.DECIMAL: _numbers,
}


backend = SQLiteBulk
