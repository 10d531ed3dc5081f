"""Values of one database's column in another's: what is kept, what is lost, and how a text is made another one.

The manual's page `copy` has the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from dbctl.backends.kinds import BulkColumn, Kind

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
    if target.kind is Kind.TEXT or target.kind in _KEPT.get(source.kind, ()) or (target.wide and not target.type):
        return None
    return f"its meaning: a {source.type} is no {target.type}"


def convert(source: BulkColumn, target: BulkColumn) -> Convert | None:
    """Return what makes a column's text that of another kind; None where they are the same."""
    if source.kind is Kind.BOOLEAN and target.kind in {Kind.INTEGER, Kind.DECIMAL}:
        return lambda value: _TRUTH.get(value, value)
    if source.kind is Kind.INTEGER and target.kind is Kind.BOOLEAN:
        return lambda value: _UNTRUTH.get(value, value)
    if source.kind is Kind.INSTANT and target.kind is Kind.TIMESTAMP:
        return lambda value: value.replace("+00", "", 1)
    if source.kind is Kind.DATE and target.kind is Kind.TIMESTAMP:
        return lambda value: f"{value} 00:00:00" if value[-1:].isdigit() else value
    if target.kind is Kind.DATE and source.kind in {Kind.TIMESTAMP, Kind.INSTANT}:
        return lambda value: value.partition(" ")[0]
    return None
