"""Counting the rows that a command returns or changes, also where they are written as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import replace
from itertools import count
from operator import itemgetter
from typing import Any

from dbctl.charts.shown import Charted
from dbctl.results import Frames, Result, Results, Rows, Step, Unshown

Count = Callable[[int], None]

_first = itemgetter(0)


def rows_in(result: Any) -> int:
    """Return how many rows a result has that is there as a whole; of a statement that changes some, those."""
    if isinstance(result, Results):
        return sum(_rows_of(one) for one in result.values)
    if isinstance(result, Unshown):
        return result.rows
    if isinstance(result, Rows) and result.changed is not None:
        return result.changed
    values = result.values if isinstance(result, Rows) else result
    values = values.result if isinstance(values, Charted) else values
    if not isinstance(values, list | tuple):
        return 1
    return sum((one.rows or 0) if isinstance(one, Step) else 1 for one in values)


def counted(result: Any, add: Count) -> Any:
    """Return the same result, whose rows are counted as they are drawn.

    Args:
        result: A command's result that is still to be drawn.
        add: Called with how many were drawn, as soon as no more are.
    """
    if isinstance(result, Results):
        return Results((_with_rows_counted(one, add) for one in result.values), result.conclude)
    if isinstance(result, Rows):
        return result.through(lambda values: _drawn(values, add))
    return _drawn(result, add) if isinstance(result, Iterator) and not isinstance(result, Frames) else result


def _rows_of(one: Result) -> int:
    values = one.rows.values if one.rows else ()
    return len(values) if one.changed is None and isinstance(values, Sized) else one.changed or 0


def _with_rows_counted(one: Result, add: Count) -> Result:
    if one.changed is not None:
        add(one.changed)
    elif one.rows is not None:
        return replace(one, rows=counted(one.rows, add))
    return one


def _drawn(rows: Iterable[Any], add: Count) -> Iterator[Any]:
    """Yield rows at the speed of C: nothing is done for each of them here."""
    numbers = count()
    try:
        yield from map(_first, zip(rows, numbers, strict=False))
    finally:
        add(next(numbers))
