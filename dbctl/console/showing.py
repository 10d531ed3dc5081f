"""The values of what is typed: models and rows as tables, all else as Python shows it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect
from sqlalchemy.engine import CursorResult, MappingResult, Result, Row, RowMapping, ScalarResult
from sqlalchemy.exc import NoInspectionAvailable

from dbctl.results import Rows, show
from dbctl.work.shapes import is_model, presentable

if TYPE_CHECKING:
    from dbctl.console.sessions import Desk

MOST = 100
"""Rows of one result that a prompt shows."""

_log = logging.getLogger("dbctl")


def shown(value: Any, desk: Desk, most: int | None = None) -> bool:
    """Show a value where it is a model, a row, several of them, or a result; tell whether it was.

    Args:
        value: The value.
        desk: Whose session loads what a commit or a rollback has emptied.
        most: How many rows are shown at most, or None for all.
    """
    if isinstance(value, CursorResult) and not value.returns_rows:
        return value.rowcount >= 0 and show(_counted(value.rowcount))
    if isinstance(value, Result | ScalarResult | MappingResult):
        items, more = _drawn(value, most)
        if not items:
            return _tell("no rows") if not isinstance(value, Result) else show(Rows([*value.keys()], []))
        return show(_records(items, desk)) and _tell(more)
    if _is_record(value):
        return show(presentable(_loaded(value, desk)))
    if isinstance(value, list | tuple | set | frozenset) and value and all(map(_is_record, value)):
        shown = list(islice(value, most))
        more = f"the first {len(shown)} of {len(value)} rows are shown" if len(shown) < len(value) else ""
        return show(_records(shown, desk)) and _tell(more)
    return False


def _counted(rows: int) -> Rows[Any]:
    return Rows(["rows"], [(rows,)])


def _drawn(result: Any, most: int | None) -> tuple[list[Any], str]:
    """Return what a result has, and which part of it that is where there is more."""
    if most is None:
        return list(result), ""
    items = list(islice(result, most + 1))
    return items[:most], f"the first {most} rows are shown" if len(items) > most else ""


def _records(items: Sequence[Any], desk: Desk) -> Any:
    return presentable([_loaded(item, desk) for item in items])


def _tell(part: str) -> bool:
    if part:
        _log.info("%s", part)
    return True


def _is_record(value: Any) -> bool:
    return isinstance(value, Row | RowMapping) or (is_model(value) and not isinstance(value, type))


def _loaded(value: Any, desk: Desk) -> Any:
    """Load what of a model, or of those in a row, a commit or a rollback has emptied, and return the value."""
    for each in value if isinstance(value, Row) else [value]:
        try:
            state: Any = inspect(each, raiseerr=False)
        except NoInspectionAvailable:
            continue
        expired = getattr(state, "expired_attributes", None)
        if expired and state.persistent:
            desk.on_session(partial(_refresh, each, [*expired]))
    return value


def _refresh(item: Any, names: Sequence[str], session: Any) -> None:
    session.refresh(item, names)
