"""Parquet: rows of texts made into Arrow's columns, by its own casts, and written as row groups.

https://parquet.apache.org/docs/file-format/types/logicaltypes/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.errors import ConfigError, UsageError, WorkRefused
from dbctl.runtime.distribution import how_to_install

if TYPE_CHECKING:
    from dbctl.backends.exports import Texts

_GROUP_ROWS, _GROUP_CHARACTERS = 100_000, 32 * 1024 * 1024
"""What a row group has at most, which is kept in memory until it is written."""

_INTEGERS = (
    (r"tinyint|int1\b", "int8"),
    (r"smallint|int2\b|year", "int16"),
    (r"bigint|int8\b", "int64"),
    (r"int|mediumint", "int32"),
)
_MOST_DIGITS = 76
"""What Arrow's decimal has: https://arrow.apache.org/docs/python/generated/pyarrow.decimal256.html."""


def pyarrow() -> Any:
    """Return the package that reads and writes Parquet.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError("Parquet needs the package pyarrow", how_to_install("parquet")) from error
    return pyarrow


class ParquetWriter:
    """Writes rows as a Parquet file.

    Args:
        columns: The columns.
        write: Takes the bytes.

    Raises:
        UsageError: There are none.
    """

    def __init__(self, columns: Sequence[BulkColumn], write: Callable[[bytes], None]) -> None:
        self._arrow = pyarrow()
        if not columns:
            raise UsageError("Parquet has no rows without columns", "write CSV or JSON lines, or leave the table out")
        self._columns = columns
        self._types = [arrow_type(self._arrow, one) for one in columns]
        fields = [
            self._arrow.field(one.name, type_, one.nullable) for one, type_ in zip(columns, self._types, strict=True)
        ]
        self._schema = self._arrow.schema(fields)
        self._writer = self._arrow.parquet.ParquetWriter(_Sink(write), self._schema, compression="zstd")
        self._waiting: list[list[Any]] = [[] for _ in columns]
        self._characters = 0

    def rows(self, columns: Sequence[Texts]) -> None:
        """Keep some until they are a row group."""
        for waiting, values in zip(self._waiting, columns, strict=True):
            waiting.extend(values)
            self._characters += sum(map(len, filter(None, values)))
        if len(self._waiting[0]) >= _GROUP_ROWS or self._characters >= _GROUP_CHARACTERS:
            self._write_group()

    def end(self) -> None:
        """Write the last of them, and the footer.

        Raises:
            WorkRefused: Parquet has no such value.
        """
        if self._waiting[0]:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        arrays = list(map(self._array, self._columns, self._types, self._waiting))
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._waiting, self._characters = [[] for _ in self._columns], 0

    def _array(self, column: BulkColumn, type_: Any, values: Texts) -> Any:
        arrow = self._arrow
        if column.kind is Kind.BYTES:
            return arrow.array([None if value is None else bytes.fromhex(value[2:]) for value in values], type_)
        if column.kind is Kind.INSTANT:
            values = [value and value.removesuffix("+00") for value in values]
        texts = arrow.array(values, arrow.string())
        try:
            if arrow.types.is_float32(type_):
                return texts.cast(arrow.float64()).cast(type_)
            if column.kind is Kind.INSTANT:
                return texts.cast(arrow.timestamp("us")).cast(type_)
            return texts.cast(type_)
        except arrow.ArrowInvalid as error:
            message = f"column {column.name}: a value of {column.type} is none of Parquet's {type_}"
            raise WorkRefused(message, "write CSV or JSON lines, or leave the column out by --sql") from error


class _Sink:
    """What Arrow writes to."""

    closed = False

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write, self._at = write, 0

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._write(part)
        self._at += len(part)
        return len(part)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None: ...

    def close(self) -> None: ...


def arrow_type(arrow: Any, column: BulkColumn) -> Any:
    """Return Arrow's type for a column; what it has none for is a string."""
    unsigned = "u" if "unsigned" in column.type else ""
    if column.kind is Kind.INTEGER:
        name = next((name for words, name in _INTEGERS if re.match(words, column.type) and not column.wide), "int64")
        return getattr(arrow, f"{unsigned}{name}")()
    if column.kind is Kind.DECIMAL and (found := re.search(r"\((\d+)(?:,\s*(\d+))?\)", column.type)):
        digits, scale = int(found[1]), int(found[2] or 0)
        if scale <= digits <= _MOST_DIGITS:
            return arrow.decimal128(digits, scale) if digits <= 38 else arrow.decimal256(digits, scale)
    if column.kind is Kind.FLOAT:
        return arrow.float32() if column.single else arrow.float64()
    plain = {
        Kind.BOOLEAN: arrow.bool_(),
        Kind.BYTES: arrow.binary(),
        Kind.DATE: arrow.date32(),
        Kind.TIMESTAMP: arrow.timestamp("us"),
        Kind.INSTANT: arrow.timestamp("us", "UTC"),
    }
    return plain.get(column.kind, arrow.string())
