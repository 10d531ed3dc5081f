"""Values that MySQL and MariaDB make others of, and warn of nothing.

https://dev.mysql.com/doc/refman/8.4/en/data-types.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from dbctl.backends.exact import NUMBER_OF_SIX_DIGITS, Exact, fraction, of_fraction, of_seconds, of_single
from dbctl.backends.kinds import BYTES, BulkColumn, Kind

_MEMBER = re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)|''", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "Z": "\x1a"}
_CLOCK = r"\d\d:\d\d(?::\d\d{fraction})?+"


def exact(column: BulkColumn) -> Exact | None:
    """Return which values a column keeps as they are; None where it refuses, or warns of, all others."""
    word = re.match(r"[a-z]+", column.type)
    make = _BY_WORD.get(word[0]) if word and column.kind is not Kind.UUID else None
    return make(column) if make else None


def _size(column: BulkColumn) -> int:
    found = re.search(r"\((\d+)\)", column.type)
    return int(found[1]) if found else 0


def _char(_: BulkColumn) -> Exact:
    return Exact(
        lambda value: "blanks at its end would be left out" if value.endswith(" ") else None,
        text="*+(?<! )",
        alike=lambda value: value.rstrip(" "),
    )


def _binary(column: BulkColumn) -> Exact:
    size = _size(column) or 1

    def reason(value: str) -> str | None:
        short = len(value) < len(BYTES) + 2 * size
        return f"it is shorter than {size} bytes, and zeros would be added" if short else None

    return Exact(
        reason,
        rf"\\x[0-9A-Fa-f]{{{2 * size}}}+",
        alike=lambda value: BYTES + value.removeprefix(BYTES).ljust(2 * size, "0"),
    )


def _bits(column: BulkColumn) -> Exact:
    size = _size(column) or 1

    def reason(value: str) -> str | None:
        return f"it is shorter than {size} digits, and zeros would come before them" if len(value) < size else None

    return Exact(reason, rf"[01]{{{size}}}+", alike=lambda value: value.zfill(size))


def _year(_: BulkColumn) -> Exact:
    def reason(value: str) -> str | None:
        digits = value.lstrip("+-0")
        return "of one or two digits a year of 1970 to 2069 would be made" if len(digits) in {1, 2} else None

    return Exact(reason, r"[12]\d{3}")


def _moment(column: BulkColumn) -> Exact:
    digits = _size(column)
    zoned = column.type.startswith("timestamp")
    longer = of_seconds(digits)
    plain = rf"\d{{4}}-\d\d-\d\d[ T]{_CLOCK.format(fraction=fraction(digits))}"
    return Exact(longer, plain + (r"(?:Z|\+00(?::00)?+)?+" if zoned else ""))


def _time(column: BulkColumn) -> Exact:
    digits = _size(column)
    longer = of_seconds(digits)
    return Exact(longer, rf"-?+\d{{2,3}}:\d\d:\d\d{fraction(digits)}")


def _float(column: BulkColumn) -> Exact | None:
    sizes = re.search(r"\(\d+,(\d+)\)", column.type)
    if sizes is not None:
        digits = int(sizes[1])
        return Exact(of_fraction(digits), rf"-?+\d++{fraction(digits)}")
    return Exact(of_single, NUMBER_OF_SIX_DIGITS) if column.single else None


def _members(column: BulkColumn) -> frozenset[str]:
    """Return the values of an ENUM or SET, as its type has them in quotes."""
    quoted = _MEMBER.findall(column.type)
    return frozenset(_ESCAPED.sub(_unescaped, one) for one in quoted)


def _unescaped(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[1], found[1]) if found[1] else "'"


def _plain(members: frozenset[str]) -> str | None:
    """Return a regular expression of those that have in them nothing but letters, digits, blanks and the like."""
    plain = [re.escape(one) for one in members if re.fullmatch(r"[\w .-]+", one)]
    return f"(?:{'|'.join(plain)})" if plain else None


def _enum(column: BulkColumn) -> Exact:
    """Refuse what differs in case, accents or blanks, and a member's number."""
    members = _members(column)
    return Exact(lambda value: None if value in members else "it is none of the column's members", _plain(members))


def _set(column: BulkColumn) -> Exact:
    """Take members in any order, which a SET has none of."""
    members = _members(column)

    @lru_cache(1 << 10)
    def reason(value: str) -> str | None:
        named = value.split(",") if value else []
        if not members.issuperset(named):
            return "it has what is none of the column's members"
        return "a member is in it twice" if len({*named}) < len(named) else None

    return Exact(reason, _plain(members), alike=lambda value: ",".join(sorted(value.split(","))))


_BY_WORD: Mapping[str, Callable[[BulkColumn], Exact | None]] = {
    "char": _char,
    "binary": _binary,
    "bit": _bits,
    "year": _year,
    "datetime": _moment,
    "timestamp": _moment,
    "time": _time,
    "float": _float,
    "double": _float,
    "enum": _enum,
    "set": _set,
}
