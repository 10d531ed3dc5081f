"""Values that PostgreSQL makes others of without a word: https://www.postgresql.org/docs/current/datatype.html."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

from dbctl.backends.exact import NUMBER_OF_SIX_DIGITS, Exact, fraction, of_fraction, of_seconds, of_single
from dbctl.backends.kinds import BulkColumn, Kind

_NAME_BYTES = 63
_DAY = r"\d{4,7}-\d\d-\d\d"
_CLOCK = r"\d\d:\d\d(?::\d\d{fraction})?+"
_ZONE = r"(?:Z|[+-]\d\d(?::?\d\d)?+)"

_TIME_BEHIND_DAY = re.compile(r"[:+]|\dT\d|Z\Z|[AP]M\b|\d[-/.]\w+[-/.]\d+\s+[-\d]", re.ASCII | re.IGNORECASE)
_DAY_BEFORE_TIME = re.compile(r"\d[^:]*[\sT]\d+:|\d-\w+-\d|\d/\d+/\d", re.ASCII | re.IGNORECASE)
_ZONED = re.compile(
    r"\d\s*(?:Z|[+-]\d\d?(?::?\d\d){0,2}|(?!AM\b|PM\b|BC\b|AD\b)[A-Z][\w/+-]+)\Z", re.ASCII | re.IGNORECASE
)
_SEVEN_DIGITS = r"\.\d{7}"
_BLANK_AT_END = r' [,;|\t"\r\n]'

_FIELDS = ("year", "month", "day", "hour", "minute", "second")
_WORDS = (r"y|c|dec|mil(?!lis)", r"mon|q", r"w|d", r"h", r"mi(?!c)|m\Z", r"s|m|u")
"""How the words of an interval's parts begin, for each of the fields; the first that fits."""

_PART = re.compile(r"(\d*)(?:\.(\d*))?\s*([a-z]+)", re.ASCII)
_OF_NUMBERS = re.compile(r"(\d+)-(\d+)(?:-(\d+))?")
_CLOCK_OF_INTERVAL = re.compile(r"(\d+):(\d+)(?::([\d.]+))?", re.ASCII)


def exact(column: BulkColumn) -> Exact | None:
    """Return which values a column keeps as they are; None where it refuses all others by itself."""
    make = _BY_KIND.get(column.kind)
    return make(column) if make else None


def _precision(column: BulkColumn) -> int:
    found = re.search(r"\((\d)\)", column.type)
    return int(found[1]) if found else 6


def _date(_: BulkColumn) -> Exact:
    return Exact(
        lambda value: "its time would be dropped" if _TIME_BEHIND_DAY.search(value) else None,
        rf"(?:{_DAY}(?: BC)?+|-?+infinity)",
    )


def _time(column: BulkColumn) -> Exact:
    digits, zoned = _precision(column), "with time zone" in column.type
    longer = of_seconds(digits)

    def reason(value: str) -> str | None:
        if _DAY_BEFORE_TIME.search(value):
            return "its day would be dropped"
        if not zoned and _ZONED.search(value):
            return "its time zone would be dropped"
        return longer(value)

    return Exact(reason, _CLOCK.format(fraction=fraction(digits)) + (rf"{_ZONE}?+" if zoned else ""))


def _moment(column: BulkColumn) -> Exact:
    digits, zoned = _precision(column), column.kind is Kind.INSTANT
    longer = of_seconds(digits)

    def reason(value: str) -> str | None:
        if not zoned and ":" in value and _ZONED.search(value):
            return "its time zone would be dropped"
        return longer(value)

    plain = rf"{_DAY}[ T]{_CLOCK.format(fraction=fraction(digits))}" + (rf"{_ZONE}?+" if zoned else "")
    return Exact(reason, plain, sign=_SEVEN_DIGITS if zoned and digits == 6 else None)


def _interval(column: BulkColumn) -> Exact:
    digits = _precision(column)
    longer = of_fraction(digits)
    last = next((place for place, name in enumerate(_FIELDS) if column.type.partition("(")[0].endswith(name)), 5)

    def reason(value: str) -> str | None:
        if last < 5 and _smallest(value) > last:
            return f"what is less than a {_FIELDS[last]} would be dropped"
        return longer(value)

    return Exact(reason, None if last < 5 else rf"\d\d:\d\d:\d\d{fraction(digits)}")


def _smallest(value: str) -> int:
    """Return the smallest field of which an interval has something, whichever way it is written."""
    text = value.lower()
    if text.startswith("p"):  # in ISO 8601 the first M is months, and one behind the T minutes
        days, _, clock = text[1:].partition("t")
        text = f"{days.replace('m', 'mon ')} {clock}"
    found = [0]
    for pattern, first in ((_OF_NUMBERS, 0), (_CLOCK_OF_INTERVAL, 3)):
        for numbers in pattern.finditer(text):
            found += [first + place for place, part in enumerate(numbers.groups("")) if part.strip("0.")]
        text = pattern.sub(" ", text)
    for whole, behind, word in _PART.findall(text):
        field = next((place for place, start in enumerate(_WORDS) if re.match(start, word)), 0)
        if behind.strip("0"):
            found.append(field + 1)
        elif whole.strip("0"):
            found.append(field)
    return max(found)


def _text(column: BulkColumn) -> Exact | None:
    if column.type == '"char"':
        return Exact(partial(_cut, bytes_=1), text="{0,1}+")
    if column.type == "name":
        return Exact(partial(_cut, bytes_=_NAME_BYTES), text=f"{{0,{_NAME_BYTES // 4}}}+")
    sized = re.fullmatch(r"character varying\((\d+)\)", column.type)
    if sized is None:
        return None
    length = int(sized[1])

    def reason(value: str) -> str | None:
        return "blanks at its end would be cut" if len(value) > length and value.endswith(" ") else None

    return Exact(reason, text=f"{{0,{length}}}+", sign=_BLANK_AT_END)


def _cut(value: str, bytes_: int) -> str | None:
    size = len(value.encode())
    return f"it has {size} bytes, and {bytes_} are kept" if size > bytes_ else None


def _other(column: BulkColumn) -> Exact | None:
    return Exact(of_fraction(2), r"-?+\$?+\d++(?:\.\d\d?+)?+") if column.type == "money" else None


_BY_KIND: Mapping[Kind, Callable[[BulkColumn], Exact | None]] = {
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.TIMESTAMP: _moment,
    Kind.INSTANT: _moment,
    Kind.INTERVAL: _interval,
    Kind.FLOAT: lambda column: Exact(of_single, NUMBER_OF_SIX_DIGITS) if column.type == "real" else None,
    Kind.TEXT: _text,
    Kind.OTHER: _other,
}
