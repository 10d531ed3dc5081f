"""Whether values are exactly what a column holds, where the database itself would bend them without a word.

A column of texts is looked at as a whole, by one regular expression over all of it; only one that does not fit is
looked at value by value.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time
from functools import cache
from typing import Any

from dbctl.backends.bulk import Fault
from dbctl.backends.bulk_texts import fits_64_bits, in_64_bits
from dbctl.backends.exports import Number
from dbctl.backends.kinds import BulkColumn, Kind, is_uuid
from dbctl.records import record

Reason = Callable[[str], str | None]
"""Returns why a value is none that the column holds; None where it is one."""


@record
class Check:
    """How a column's values are looked at.

    Args:
        plain: A regular expression for values that fit for sure, as they mostly are.
        reason: Looks at any other.
        read: Raises ValueError for a value that is none, and takes all others.
        text: Of texts of whatever characters, what stands behind these: how many there are, and how they end.
        sign: A regular expression that is found in lines of a file if any value in them is none that fits.
    """

    plain: str | None
    reason: Reason
    read: Callable[[str], object] | None = None
    text: str | None = None
    sign: str | None = None

    def faults(self, column: str, values: Sequence[Any]) -> Iterator[Fault]:
        """Yield what is wrong with a column's values, which are texts or None."""
        if self.plain is not None:
            texts = [value for value in values if value is not None] if None in values else values
            whole = "\n".join(texts)
            single = whole.count("\n") < len(texts) and (self.text is not None or "" not in texts)
            if not texts or (single and _lines_of(self.plain).fullmatch(whole)):
                return
        if self.read is not None:
            with suppress(ValueError):
                deque(map(self.read, filter(None, values)), maxlen=0)
                if "" not in values:
                    return
        for index, value in enumerate(values):
            if value is not None and (reason := self.reason(value)):
                yield Fault(reason, index, column)


def check_of(column: BulkColumn, *, untyped: bool) -> Check | None:
    """Return how a column's values are looked at; None where they all fit, as far as is known.

    Args:
        column: The column.
        untyped: Whether the database keeps anything in any column, and so tells nothing of what is no value of its.
    """
    make = _CHECKS.get(column.kind)
    return make(column, untyped) if make else None


@cache
def _lines_of(value: str) -> re.Pattern[str]:
    """Return the pattern of lines of which each is such a value; nothing in it is tried twice."""
    return re.compile(rf"(?:{value}(?:\n|\Z))*+", re.ASCII)


_BITS = (
    (r"tinyint", 8),
    (r"smallint|int2", 16),
    (r"mediumint", 24),
    (r"year", 16),
    (r"bigint|int8", 64),
)
_TRUTH_OF_FILES = frozenset({"true", "t", "false", "f"})
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)


def _integer(column: BulkColumn, untyped: bool) -> Check:
    named = next((bits for words, bits in _BITS if re.match(words, column.type, re.IGNORECASE)), 32)
    bits = 64 if column.wide else named
    unsigned = "unsigned" in column.type.lower() and not column.wide
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    digits = len(str(high)) - 1
    sign = "" if unsigned else "-?+"
    truth = _TRUTH_OF_FILES if column.type.startswith("tinyint(1)") else frozenset()  # which is what BOOL is on MySQL

    def reason(value: str) -> str | None:
        if value in truth:
            return None
        if not _WHOLE.fullmatch(value):
            return "it is no whole number"
        return None if low <= _size(value) <= high else f"it is out of range, {low} to {high}"

    return Check(rf"{sign}\d{{1,{digits}}}+", reason)


def _size(value: str) -> int:
    """Return a whole number; one that no column holds as its first digits, for `int` takes no more than 4,300."""
    size = int(value.lstrip("+-").lstrip("0")[:40] or "0")
    return -size if value.startswith("-") else size


_DECIMAL = re.compile(r"[+-]?(?P<whole>\d*)(?:\.(?P<part>\d*))?(?:[eE](?P<power>[+-]?\d+))?", re.ASCII)
_DIGITS_OF_A_FLOAT = 15
"""Digits that 64 bits keep, of any number."""

_FEW_DIGITS = r"-?+\d{1,9}+(?:\.\d{1,6}+)?+"
_NO_NUMBERS = {"nan", "infinity", "-infinity", "+infinity", "inf", "-inf"}


def _decimal(column: BulkColumn, untyped: bool) -> Check | None:
    sizes = re.search(r"\((\d+)(?:\s*,\s*(-?\d+))?\)", column.type)
    if sizes is None:
        return Check(_FEW_DIGITS, shortened) if untyped else None
    precision, scale = int(sizes[1]), int(sizes[2] or 0)
    whole = precision - scale
    part = rf"(?:\.\d{{1,{scale}}}+)?+" if scale > 0 else ""
    plain = rf"-?+\d{{1,{whole}}}+{part}" if whole > 0 and scale >= 0 else None
    first = f"{whole} digits before the point are kept" if whole >= 0 else f"{-whole} zeros come behind the point"
    last = f"{scale} of the digits behind the point are kept" if scale >= 0 else f"{-scale} zeros end it"

    def reason(value: str) -> str | None:
        found = _DECIMAL.fullmatch(value)
        if found is None or not (found["whole"] or found["part"]):
            return None if not untyped and value.lower() in _NO_NUMBERS else "it is no number"
        power = _size(found["power"] or "0") - len(found["part"] or "")
        digits = (found["whole"] + (found["part"] or "")).lstrip("0")
        behind = len(digits.rstrip("0")) - len(digits) - power
        if digits and len(digits) + power > whole:
            return f"it is out of range, {first}"
        if digits and behind > scale:
            return last
        return shortened(value) if untyped else None

    if untyped and precision > _DIGITS_OF_A_FLOAT:
        return Check(_FEW_DIGITS if min(whole - 9, scale - 6) >= 0 else None, reason)
    return Check(plain, reason)


def shortened(value: str) -> str | None:
    """Tell what SQLite leaves out of a number that it makes a float of; None where that is nothing."""
    made = in_64_bits(value)
    if made is None:
        return "it is no number"
    return None if fits_64_bits(value) else f"it would be kept as {made!r}"


_NO_NUMBER = r"(?:[^\d+\-.\s][^\n]*+|0|-?[1-9]\d{0,14})"
"""What begins as no number does, or is one that is written in one way alone."""


def _other(column: BulkColumn, untyped: bool) -> Check | None:
    """Refuse a text of which SQLite makes a number with another text: it does so wherever it knows no type's word.

    https://www.sqlite.org/datatype3.html#determination_of_column_affinity
    """
    if not untyped or not column.type:
        return None

    def reason(value: str) -> str | None:
        made = in_64_bits(value.strip(" \t\n\v\f\r"))
        if made is None or repr(made) == value:
            return None
        return f"{column.type} is no text to SQLite, which makes {made!r} of it"

    return Check(_NO_NUMBER, reason)


def _document(column: BulkColumn, untyped: bool) -> Check | None:
    """Refuse a document that is a number, and would be another one: SQLite stores it as one."""
    if not untyped or not column.numeric_json:
        return None
    return Check(_NO_NUMBER, lambda value: None if in_64_bits(value.strip()) is None else shortened(value.strip()))


def _float(column: BulkColumn, untyped: bool) -> Check:
    def reason(value: str) -> str | None:
        if value.lower() in _NO_NUMBERS - ({"nan"} if untyped else set()):
            return None
        found = _DECIMAL.fullmatch(value)
        return None if found and (found["whole"] or found["part"]) else "it is no number"

    return Check(r"-?+\d++(?:\.\d++)?+", reason)


TRUTH: Mapping[str, bool] = {
    **dict.fromkeys(("true", "t", "1", "yes", "y", "on"), True),
    **dict.fromkeys(("false", "f", "0", "no", "n", "off"), False),
}


def _boolean(_: BulkColumn, _untyped: bool) -> Check:
    return Check(
        r"(?:true|false|[tf10])",
        lambda value: None if value.lower() in TRUTH else "it is neither true nor false",
    )


def _text(column: BulkColumn, untyped: bool) -> Check | None:
    size = re.search(r"\((\d+)\)", column.type)
    if size is None:
        return None
    length = int(size[1])

    def reason(value: str) -> str | None:
        return f"it has {len(value)} characters, and {length} are kept" if len(value) > length else None

    return Check(rf"[^\n]{{0,{length}}}+", reason, text=f"{{0,{length}}}+")


def _bytes(_: BulkColumn, untyped: bool) -> Check:
    whole = r"\\x(?:[0-9A-Fa-f]{2})*+"

    def reason(value: str) -> str | None:
        if re.fullmatch(whole, value) or (untyped and type(value) is Number):
            return None
        return r"it is not \x and two digits for each byte"

    return Check(whole, reason)


def _bits(_: BulkColumn, _untyped: bool) -> Check:
    return Check("[01]++", lambda value: None if re.fullmatch("[01]+", value) else "it is not of 0 and 1")


def _read_by(read: Callable[[str], object], what: str, plain: str | None = None) -> Check:
    def reason(value: str) -> str | None:
        try:
            read(value)
        except ValueError:
            return f"it is no {what}"
        return None

    return Check(plain, reason, read)


_LEAP = r"(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29"
_DAY = (
    r"(?!0000)(?:\d{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    rf"|{_LEAP})"
)
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6}+)?+)?+"

_ZONE = re.compile(r"\d(?:Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)\s*\Z", re.ASCII | re.IGNORECASE)
_PLAIN_MOMENT = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6}+)?+)?+"


def _timestamp(column: BulkColumn, untyped: bool) -> Check:
    """Refuse a zone, which a column without one would drop."""
    if untyped:
        return _read_by(datetime.fromisoformat, "day and time", rf"{_DAY}[ T]{_TIME}")
    return Check(
        _PLAIN_MOMENT,
        lambda value: "its time zone would be dropped" if ":" in value and _ZONE.search(value) else None,
    )


def _uuid(column: BulkColumn, _: bool) -> Check | None:
    """Refuse for a text what is none; a type for UUIDs does so by itself."""
    return Check(None, lambda value: None if is_uuid(value) else "it is no UUID") if column.hexed else None


_CHECKS: Mapping[Kind, Callable[[BulkColumn, bool], Check | None]] = {
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.FLOAT: _float,
    Kind.BOOLEAN: _boolean,
    Kind.TEXT: _text,
    Kind.BYTES: _bytes,
    Kind.BITS: _bits,
    Kind.DATE: lambda *_: _read_by(date.fromisoformat, "day", _DAY),
    Kind.TIME: lambda *_: _read_by(time.fromisoformat, "time", _TIME),
    Kind.TIMESTAMP: _timestamp,
    Kind.UUID: _uuid,
    Kind.JSON: _document,
    Kind.OTHER: _other,
}
