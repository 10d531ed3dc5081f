"""Texts that stand in files, made into what a database takes for them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from dbctl.backends.bulk import Column, Taken

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_SPECIAL = re.compile(r"[\\\t\n\r]")


def tab_separated(columns: Sequence[Column]) -> bytes:
    r"""Return rows as the text that COPY and LOAD DATA read: values between tabs, \N for NULL, a backslash before more.

    https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2
    """
    lines = map("\t".join, zip(*map(_escaped, columns), strict=True))
    return ("\n".join(lines) + "\n").encode()


def _escaped(column: Column) -> Column:
    if None in column:
        return [r"\N" if value is None else _escape(value) for value in column]
    return [_escape(value) for value in column] if _SPECIAL.search("".join(column)) else column


def _escape(value: str) -> str:
    return value.translate(_ESCAPES) if _SPECIAL.search(value) else value


_ZONED = re.compile(r":\d\d.*(?:Z|[+-]\d\d(?::?\d\d)?)\Z", re.ASCII)


def each(convert: Callable[[str], Any]) -> Taken:
    """Return what converts each value of a column that is not NULL."""
    return lambda column: [None if value is None else convert(value) for value in column]


def moments(convert: Callable[[str], Any]) -> Taken:
    """Return what converts a column of moments, unless all are without a zone and with a blank, as most are."""

    def whole(column: Column) -> Column:
        text = "".join(filter(None, column))
        plain = not any(one in text for one in "TZ+") and text.count("-") == 2 * (len(column) - column.count(None))
        return column if plain else each(convert)(column)

    return whole


def in_utc(value: str) -> str:
    """Return the text of a moment that has a zone as one in UTC without; any other as it is."""
    if not _ZONED.search(value):
        return value
    try:
        return datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    except ValueError:
        return value


_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_NOT_ZERO = re.compile(r"[+-]?[0.]*[1-9]", re.ASCII)
_LARGEST_WHOLE = 2**63


def in_64_bits(value: str) -> int | float | None:
    """Return the number of 64 bits that a text becomes: whole where it can be, else the nearest float.

    Returns:
        It; None where the text is no number.
    """
    if not _NUMBER.fullmatch(value):
        return None
    nearest = float(value)
    if not nearest:
        return 0
    if abs(nearest) <= _LARGEST_WHOLE:
        exact = Decimal(value)
        if exact == exact.to_integral_value() and -_LARGEST_WHOLE <= exact < _LARGEST_WHOLE:
            return int(exact)
    return nearest


def fits_64_bits(value: str) -> bool:
    """Tell whether a number is the very one that `in_64_bits` makes of it, which is written and read as the same."""
    number = in_64_bits(value)
    if not number or isinstance(number, int):
        return number is not None and (number != 0 or not _NOT_ZERO.match(value))
    return math.isfinite(number) and Decimal(repr(number)) == Decimal(value)
