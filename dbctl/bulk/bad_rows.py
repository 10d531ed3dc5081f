"""Rows that can't be loaded, and which of those that were loaded together they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from dbctl.backends.bulk import Fault, Ragged, Rows
from dbctl.bulk.columns import Layout
from dbctl.records import record


@record
class Bad:
    """A row that can't be loaded.

    Args:
        file: The file.
        line: The line that it begins in; None where it is not known which row it is.
        column: The column that is to blame, or None.
        value: That column's value.
        reason: Why.
        names: The file's columns.
        values: The row's values.
        through: The last line that it may begin in, where it is not known which row it is.
        counted: What is counted in the file: lines, or rows.
        given: Values that are the same for all rows, and stand in no file.
        bare: Why, where no value may be told; None where the reason tells no part of one.
    """

    file: str
    line: int
    column: str | None
    value: Any
    reason: str
    names: Sequence[str] = ()
    values: Sequence[Any] = ()
    through: int | None = None
    counted: str = "line"
    given: Sequence[Any] = ()
    bare: str | None = None


def placed(rows: Rows, ragged: Sequence[Ragged], fault: Fault, layout: Layout) -> Bad:
    """Return the row of a file's lines in which the server has found a fault."""
    if fault.line is None:
        named = replace(rows, names=[one.name for one in layout.kinds])
        return bad_row(rows, fault, with_key(named, fault.key), layout)
    begins = sorted([*rows.lines, *(one.line for one in ragged)])
    at = begins[0] + fault.line - 1
    line = max(one for one in begins if one <= at)
    if line in rows.lines:
        return bad_row(rows, fault, list(rows.lines).index(line), layout)
    return Bad(rows.file, line, None, None, fault.reason, given=tuple(layout.given.values()), bare=fault.bare)


def joined(parts: Sequence[tuple[Rows, Sequence[Ragged]]]) -> tuple[Rows, Sequence[Ragged]]:
    """Return parts of one file as one."""
    first = parts[0][0]
    lines = list(chain.from_iterable(rows.lines for rows, _ in parts))
    columns = [list(chain.from_iterable(rows.columns[place] for rows, _ in parts)) for place in range(len(first.names))]
    return replace(first, lines=lines, columns=columns), [one for _, ragged in parts for one in ragged]


def bad_row(rows: Rows, fault: Fault, index: int | None, layout: Layout) -> Bad:
    """Return the row of a file in which there is a fault; where it is not known which one, where it may be."""
    given = tuple(layout.given.values())
    if index is None:
        first, last = rows.lines[0], rows.lines[-1]
        unknown = Bad(rows.file, first, fault.column, None, fault.reason, through=last, bare=fault.bare)
        return replace(unknown, counted=rows.counted, given=given)
    row = rows.row(index)
    value = layout.given.get(fault.column or "")
    places = dict(zip((one.name for one in layout.kinds), layout.places, strict=True))
    if (place := places.get(fault.column or "")) is not None:
        value = row[place]
    return Bad(
        rows.file,
        rows.lines[index],
        fault.column,
        value,
        fault.reason,
        rows.names,
        row,
        counted=rows.counted,
        given=given,
        bare=fault.bare,
    )


def with_key(rows: Rows, key: Sequence[tuple[str, str]]) -> int | None:
    """Return the first row that has these values."""
    places = [_place(rows.names, name) for name, _ in key]
    if not key or None in places:
        return None
    wanted = tuple(value for _, value in key)
    columns = [rows.columns[place] for place in places if place is not None]
    found = [index for index, values in enumerate(zip(*columns, strict=True)) if values == wanted]
    return found[0] if found else None


def _place(names: Sequence[str], name: str) -> int | None:
    return list(names).index(name) if name in names else None
