"""Values of one database's column in another's: what is kept, what is lost, and how a text is made another one.

The manual's page `copy` has the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from dbctl.backends.kinds import BYTES, BulkColumn, Kind, digits_of

if TYPE_CHECKING:
    from dbctl.backends.bulk import Bulk

Convert = Callable[[str], str]

_TRUTH: Mapping[str, str] = {"true": "1", "false": "0"}
_UNTRUTH: Mapping[str, str] = {"1": "true", "0": "false"}

_KEPT: Mapping[Kind, frozenset[Kind]] = {
    Kind.INTEGER: frozenset({Kind.DECIMAL, Kind.BOOLEAN}),
    Kind.BOOLEAN: frozenset({Kind.INTEGER}),
    Kind.FLOAT: frozenset(),
    Kind.DATE: frozenset({Kind.TIMESTAMP}),
    Kind.TIME: frozenset({Kind.SPAN, Kind.INTERVAL}),
    Kind.SPAN: frozenset({Kind.INTERVAL, Kind.TIME}),
    Kind.TEXT: frozenset({Kind.UUID, Kind.JSON, Kind.OTHER, Kind.ARRAY}),
}
"""Kinds that have room for all values of another, or refuse one that they have none for."""

_LOST: Mapping[tuple[Kind, Kind], str] = {
    (Kind.DECIMAL, Kind.FLOAT): "digits",
    (Kind.INTEGER, Kind.FLOAT): "digits beyond the fifteenth",
    (Kind.FLOAT, Kind.DECIMAL): "digits, and NaN",
    (Kind.FLOAT, Kind.INTEGER): "what is behind the point",
    (Kind.DECIMAL, Kind.INTEGER): "what is behind the point",
    (Kind.INSTANT, Kind.TIMESTAMP): "that it is in UTC",
    (Kind.TIMESTAMP, Kind.INSTANT): "that nobody knows where it was: it is taken to be in UTC",
    (Kind.TIMESTAMP, Kind.DATE): "the time",
    (Kind.INSTANT, Kind.DATE): "the time",
}
"""What is lost without a word."""


def loss(backend: Bulk, source: BulkColumn, target: BulkColumn) -> str | None:
    """Return what a column loses in another one, in a few words; None where it keeps all or refuses what it can't.

    Args:
        backend: That of the target.
        source: The column.
        target: The one that it comes into.
    """
    if source.kind is target.kind:
        other = source.kind in {Kind.OTHER, Kind.ARRAY} and source.type != target.type
        if other:
            return f"its meaning: a {source.type} is no {target.type}"
        return None if backend.keeps(source, target) else "digits behind the point"
    if lost := _LOST.get((source.kind, target.kind)):
        return lost
    if {source.kind, target.kind} == {Kind.UUID, Kind.BYTES} and any(map(_of_16_bytes, (source, target))):
        return None
    if target.kind is Kind.TEXT or target.kind in _KEPT.get(source.kind, ()) or (target.wide and not target.type):
        return None
    return f"its meaning: a {source.type} is no {target.type}"


def convert(source: BulkColumn, target: BulkColumn) -> Convert | None:
    """Return what makes a column's text that of another kind; None where they are the same."""
    return _CONVERTS.get((source.kind, target.kind))


def _of_day(value: str) -> str:
    return f"{value} 00:00:00" if value[-1:].isdigit() else value


def _day_of(value: str) -> str:
    return value.partition(" ")[0]


def _truth(value: str) -> str:
    return _TRUTH.get(value, value)


_CONVERTS: Mapping[tuple[Kind, Kind], Convert] = {
    (Kind.BOOLEAN, Kind.INTEGER): _truth,
    (Kind.BOOLEAN, Kind.DECIMAL): _truth,
    (Kind.INTEGER, Kind.BOOLEAN): lambda value: _UNTRUTH.get(value, value),
    (Kind.INSTANT, Kind.TIMESTAMP): lambda value: value.replace("+00", "", 1),
    (Kind.DATE, Kind.TIMESTAMP): _of_day,
    (Kind.TIMESTAMP, Kind.DATE): _day_of,
    (Kind.INSTANT, Kind.DATE): _day_of,
    (Kind.UUID, Kind.BYTES): lambda value: BYTES + digits_of(value),
    (Kind.BYTES, Kind.UUID): lambda value: value.removeprefix(BYTES),
}


def _of_16_bytes(column: BulkColumn) -> bool:
    return re.match(r"binary\(16\)", column.type, re.IGNORECASE) is not None
