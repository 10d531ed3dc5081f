"""Values of one database's column in another's: what is kept, what is lost, and how a text is made another one.

The manual's page `copy` has the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING

from dbctl.backends.kinds import BYTES, BulkColumn, Kind, digits_of
from dbctl.bulk.checking import shortened

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
    (Kind.BITS, Kind.BITS): "how many bits a value has",
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

_OF_SECONDS = {Kind.TIME, Kind.SPAN, Kind.TIMESTAMP, Kind.INSTANT}
"""Kinds whose values have seconds, and fractions of such."""

_END_OF_TIME = re.compile(r"(:\d\d:\d\d(?:\.\d+)?)(?=\Z| BC)", re.ASCII)

_NUMBERS = {Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT}
_EXACTLY = Context(prec=200_000)
_FINITE = re.compile(r"[+-]?\d{1,131072}(?:\.\d{0,16383})?(?:e[+-]?\d{1,4})?", re.ASCII | re.IGNORECASE)
"""More digits than any number has, and what is one: https://www.postgresql.org/docs/current/datatype-numeric.html."""

_DIGITS = "digits behind the point"


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
        return None if backend.keeps(source, target) else _LOST.get((source.kind, target.kind), _DIGITS)
    lost = [text for text in (_LOST.get((source.kind, target.kind)), _fraction_lost(backend, source, target)) if text]
    if lost:
        return ", and ".join(lost)
    if {source.kind, target.kind} == {Kind.UUID, Kind.BYTES} and any(map(_of_16_bytes, (source, target))):
        return None
    if target.kind is Kind.TEXT or target.kind in _KEPT.get(source.kind, ()) or (target.wide and not target.type):
        return None
    return f"its meaning: a {source.type} is no {target.type}"


def _fraction_lost(backend: Bulk, source: BulkColumn, target: BulkColumn) -> str | None:
    seconds = source.kind in _OF_SECONDS and target.kind in _OF_SECONDS
    return _DIGITS if seconds and not backend.keeps(source, target) else None


def comparable(backend: Bulk, source: BulkColumn, target: BulkColumn) -> bool:
    """Tell whether a column has in the end what `convert` makes of the source's, though it loses something."""
    both = (source.kind, target.kind)
    exact = both in _CONVERTS or _OF_SECONDS.issuperset(both) or _NUMBERS.issuperset(both)
    single = target.kind is Kind.FLOAT and "double" not in target.type
    return (exact and not single) or loss(backend, source, target) is None


def convert(backend: Bulk, source: BulkColumn, target: BulkColumn) -> Convert | None:
    """Return what makes a column's text that of another kind; None where they are the same.

    What a column loses it loses here, the same on all databases: a time is cut, and not rounded into another day; a
    number is rounded.

    Args:
        backend: That of the target.
        source: The column.
        target: The one that it comes into.
    """
    change = _CONVERTS.get((source.kind, target.kind))
    shorter = None
    if loss(backend, source, target) is not None:
        shorter = _cut(backend, source, target) or _rounded(source, target)
    if change is None or shorter is None:
        return change or shorter
    return lambda value: shorter(change(value))


def _cut(backend: Bulk, source: BulkColumn, target: BulkColumn) -> Convert | None:
    """Return what leaves digits behind the seconds out."""
    if not _OF_SECONDS.issuperset((source.kind, target.kind)):
        return None
    digits = backend.digits_of_seconds(target)
    longer = re.compile(rf"(\.\d{{{digits}}})\d+" if digits else r"()\.\d+", re.ASCII)
    return lambda value: longer.sub(r"\1", value, count=1)


def _of_15_digits(value: str) -> str:
    """Round a number of which SQLite would make a float."""
    if shortened(value) is None or not _FINITE.fullmatch(value):
        return value
    return format(Context(prec=15, rounding=ROUND_HALF_UP).create_decimal(value), "f")


def _rounded(source: BulkColumn, target: BulkColumn) -> Convert | None:
    """Return what rounds a number to the digits that a column has behind the point, halves away from zero."""
    sizes = target.digits if target.kind is Kind.DECIMAL else None
    if source.kind in _NUMBERS and target.wide and target.kind is Kind.DECIMAL:
        return _of_15_digits
    if source.kind not in _NUMBERS or target.wide or not (sizes or target.kind is Kind.INTEGER):
        return None
    last = Decimal(1).scaleb(-(sizes[1] if sizes else 0))

    def rounded(value: str) -> str:
        if not _FINITE.fullmatch(value):
            return value  # which the target takes, or refuses with its row
        found = Decimal(value).quantize(last, ROUND_HALF_UP, _EXACTLY)
        return format(abs(found) if found.is_zero() else found, "f")

    return rounded


def _of_day(value: str) -> str:
    return f"{value} 00:00:00" if value[-1:].isdigit() else value


def _day_of(value: str) -> str:
    return value.partition(" ")[0]


def _in_utc(value: str) -> str:
    return value if value.startswith("0000") else _END_OF_TIME.sub(r"\1+00", value, count=1)


def _truth(value: str) -> str:
    return _TRUTH.get(value, value)


_CONVERTS: Mapping[tuple[Kind, Kind], Convert] = {
    (Kind.BOOLEAN, Kind.INTEGER): _truth,
    (Kind.BOOLEAN, Kind.DECIMAL): _truth,
    (Kind.INTEGER, Kind.BOOLEAN): lambda value: _UNTRUTH.get(value, value),
    (Kind.INSTANT, Kind.TIMESTAMP): lambda value: value.replace("+00", "", 1),
    (Kind.TIMESTAMP, Kind.INSTANT): _in_utc,
    (Kind.DATE, Kind.TIMESTAMP): _of_day,
    (Kind.TIMESTAMP, Kind.DATE): _day_of,
    (Kind.INSTANT, Kind.DATE): _day_of,
    (Kind.UUID, Kind.BYTES): lambda value: BYTES + digits_of(value),
    (Kind.BYTES, Kind.UUID): lambda value: value.removeprefix(BYTES),
}


def _of_16_bytes(column: BulkColumn) -> bool:
    return re.match(r"binary\(16\)", column.type, re.IGNORECASE) is not None
