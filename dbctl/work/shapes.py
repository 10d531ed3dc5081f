"""What a service's own function returned, as records that can be shown: models, rows, dicts and scalars among them.

Nothing of SQLAlchemy or pydantic is imported: what is theirs is known by what it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import is_dataclass
from typing import Any

from dbctl.results import PlainText, Rows, Values, told_apart

_SCALAR = ("value",)
"""The column of what is one value, and no record."""


def is_model(value: Any) -> bool:
    """Tell whether a value is an object of a mapped class, or of a pydantic model."""
    return hasattr(type(value), "__mapper__") or hasattr(type(value), "__pydantic_fields__")


def presentable(result: Any) -> Any:
    """Return what a function returned as records: one, or several as they come; None stays None.

    Of a mapped object it has the columns that are loaded, and nothing is fetched for it.
    """
    if result is None or isinstance(result, Rows | PlainText):
        return result
    if isinstance(result, Iterator):
        return map(_record, result)
    if isinstance(result, list | Set) or (isinstance(result, tuple) and not hasattr(result, "_fields")):
        return [_record(item) for item in result]
    return _record(result)


def _record(item: Any) -> Any:
    if is_model(item):
        return _within(item)
    if isinstance(item, PlainText) or (is_dataclass(item) and not isinstance(item, type) and not _is_range(item)):
        return item
    if isinstance(item, Mapping):
        return Values(tuple(map(str, item)), [_within(value) for value in item.values()])
    if isinstance(item, Sequence) and not isinstance(item, str | bytes | bytearray | memoryview):
        return _row(item)
    return Values(_SCALAR, [item])


def _row(row: Sequence[Any]) -> Values:
    if len(row) == 1 and is_model(row[0]):
        return _within(row[0])  # type: ignore[no-any-return]
    names = getattr(row, "_fields", None) or [str(number) for number in range(1, len(row) + 1)]
    return Values(told_apart(tuple(names)), [_within(value) for value in row])


def _is_range(value: Any) -> bool:
    return hasattr(value, "lower_inc")


def _within(value: Any) -> Any:
    """Return a model as a record; whatever else a record holds is a value by itself."""
    if not is_model(value):
        return value
    mapper = getattr(type(value), "__mapper__", None)
    known = vars(value)
    named = mapper.column_attrs.keys() if mapper is not None else type(value).__pydantic_fields__
    names = tuple(name for name in named if name in known)
    return Values(names, [_within(known[name]) for name in names])
