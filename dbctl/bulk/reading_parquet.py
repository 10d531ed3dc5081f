"""Rows of Parquet, by pyarrow: https://arrow.apache.org/docs/python/parquet.html."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dbctl.backends.bulk import Rows
from dbctl.bulk.reading_json import texts
from dbctl.bulk.sources import Source
from dbctl.bulk.writing_parquet import pyarrow
from dbctl.errors import UsageError, WorkRefused

_AT_ONCE = 10_000
"""Rows that are read at a time."""


def parquet_rows(source: Source) -> Iterator[Rows]:
    """Yield a file's rows, some at a time.

    Raises:
        ConfigError: pyarrow is not installed.
        UsageError: It is a pipe, which can't be read from its end.
        WorkRefused: It is no Parquet, or broken.
    """
    file, arrow = opened(source)
    names = list(file.schema_arrow.names)
    yield Rows(source.name, names, [], [()] * len(names), "row")
    first = 1
    try:
        for batch in file.iter_batches(batch_size=_AT_ONCE):
            columns = [texts(_values(column, arrow)) for column in batch.columns]
            yield Rows(source.name, names, range(first, first + batch.num_rows), columns, "row")
            first += batch.num_rows
    except (
        arrow.ArrowException,
        OSError,
        ValueError,
        OverflowError,
    ) as error:  # as what Python has none of
        raise WorkRefused(f"{source.name}, row {first} or behind: it can't be read: {error}") from error


def opened(source: Source) -> tuple[Any, Any]:
    """Return a file as pyarrow has it, and pyarrow. Raises as `parquet_rows` does."""
    arrow = pyarrow()
    if source.size is None:
        raise UsageError(f"{source.name}: Parquet is read from its end, which a pipe has none of", "name a file")
    try:
        return arrow.parquet.ParquetFile(source.stream), arrow
    except (arrow.ArrowException, OSError) as error:
        raise WorkRefused(f"{source.name}: it is no Parquet: {error}") from error


def _values(column: Any, arrow: Any) -> list[Any]:
    """Return a column's values; of a time in nanoseconds, which Python has none of, that in microseconds."""
    type_ = column.type
    if arrow.types.is_timestamp(type_) and type_.unit == "ns":
        column = column.cast(arrow.timestamp("us", type_.tz), safe=True)
    elif arrow.types.is_time64(type_):
        column = column.cast(arrow.time64("us"), safe=True)
    return column.to_pylist()  # type: ignore[no-any-return]
