"""Where in what was written stands the value that a constraint refused: table, column, and which row of several.

The database's own words are taken first (`Backend.column_patterns`). Where it has none, as PostgreSQL for a text that
is too long, the model's columns and the statement's values tell what does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, SmallInteger, Table, event

from dbctl.backends.errors import PLACE

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import ExceptionContext

    from dbctl.backends.base import Backend

Row = Mapping[str, Any]


def note_places(engine: Engine, backend: Backend) -> None:
    """Note with each error of a new engine's statements where the refused value stands, for `Backend.translate`."""

    @event.listens_for(engine, "handle_error")
    def note(context: ExceptionContext) -> None:
        place = _place(context, backend)
        if place is not None:
            vars(context.original_exception)[PLACE] = place


def _place(context: ExceptionContext, backend: Backend) -> tuple[str, ...] | None:
    """Return the columns, as `table.column`, or the table alone; and as the last part which row it is of several."""
    compiled: Any = getattr(context.execution_context, "compiled", None)
    table = getattr(getattr(compiled, "statement", None), "table", None)
    if not isinstance(table, Table):
        return None
    rows = list(_rows(context.execution_context.compiled_parameters, table))  # type: ignore[union-attr]
    text = backend.error_text(context.original_exception)
    columns = list(_named(table, text, backend.column_patterns)) or list(_unfit(table.columns, rows))
    if not columns and "FOREIGN KEY" in text.upper():
        columns = [column for column in table.columns if column.foreign_keys and _given(column, rows)]
    places = tuple(f"{table.name}.{column.name}" for column in columns) or (table.name,)
    number = _number(columns, rows, text) or _sent(compiled, context.parameters, rows) if len(rows) > 1 else None
    return (*places, f"row {number}") if number else places


def _rows(parameters: Sequence[Row], table: Table) -> Iterator[Row]:
    """Return the rows of a statement; those of `insert().values([…])` are one dictionary, by `name_m0`, `name_m1`, …"""
    if len(parameters) != 1:
        yield from parameters
        return
    rows: dict[int, dict[str, Any]] = {}
    for key, value in parameters[0].items():
        several = None if key in table.columns else re.fullmatch(r"(.+)_m(\d+)", key)
        name, number = (several[1], int(several[2])) if several else (key, 0)
        rows.setdefault(number, {})[name] = value
    yield from (rows[number] for number in sorted(rows))


def _named(table: Table, text: str, patterns: Iterable[str]) -> Iterator[Column[Any]]:
    """Return the columns of which the database speaks, by their own names or by those of their constraint."""
    names = [
        name for pattern in patterns for found in re.findall(pattern, text) for name in re.split(r"[`\", ]+", found)
    ]
    for column in table.columns:
        if {column.name, f"{table.name}.{column.name}"} & set(names) or ("PRIMARY" in names and column.primary_key):
            yield column
    for constraint in table.constraints:
        if isinstance(constraint, CheckConstraint) and constraint.name and str(constraint.name) in text:
            words = set(re.findall(r"\w+", str(constraint.sqltext)))
            yield from (column for column in table.columns if column.name in words)


def _unfit(columns: Iterable[Column[Any]], rows: Collection[Row]) -> Iterator[Column[Any]]:
    return (column for column in columns if any(_is_unfit(column, row) for row in rows))


def _is_unfit(column: Column[Any], row: Row) -> bool:
    """Tell whether the column's type can't hold what a row has for it."""
    if column.key not in row:
        return False
    value, kind = row[column.key], column.type
    if value is None:
        return not column.nullable and not column.primary_key
    if isinstance(value, str):
        length = getattr(kind, "length", None)  # of a String, or of a type around one, such as SQLModel's
        return length is not None and len(value) > length
    if isinstance(kind, Integer):
        bits = 63 if isinstance(kind, BigInteger) else 15 if isinstance(kind, SmallInteger) else 31
        return isinstance(value, int) and not -(2**bits) <= value < 2**bits
    return False


def _given(column: Column[Any], rows: Collection[Row]) -> bool:
    return any(row.get(column.key) is not None for row in rows)


def _number(columns: Sequence[Column[Any]], rows: Sequence[Row], text: str) -> int | None:
    """Return which row, counted from 1, can't be held, or is the only one that the database quotes."""
    for number, row in enumerate(rows, 1):
        if any(_is_unfit(column, row) for column in columns):
            return number
    keys = [column.key for column in columns]
    quoted = [number for number, row in enumerate(rows, 1) if keys and _quotes(text, row, keys)]
    if len(quoted) > 1:
        quoted = [number for number in quoted if _quotes(text, rows[number - 1], rows[number - 1])]
    return quoted[0] if len(quoted) == 1 else None


def _quotes(text: str, row: Row, keys: Iterable[str]) -> bool:
    values = [str(row[key]) for key in keys if row.get(key) is not None]
    return bool(values) and all(re.search(rf"(?<![\w-]){re.escape(value)}(?!\w)", text) for value in values)


def _sent(compiled: Any, parameters: Any, rows: Sequence[Row]) -> int | None:
    """Return which row was sent, where they are sent one by one."""
    order = compiled.positiontup
    if not order or not isinstance(parameters, tuple):
        return None
    same = [number for number, row in enumerate(rows, 1) if tuple(row.get(key) for key in order) == parameters]
    return same[0] if len(same) == 1 else None
