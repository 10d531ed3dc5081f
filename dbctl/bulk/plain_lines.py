"""Lines of a file that need no looking into: one regular expression over a part of it says that all values fit.

Such lines go to the database as they stand, or are cut at their delimiters alone. A part that has any other line is
read value by value, by which those that do not fit are found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from dbctl.backends.bulk import Delimited
from dbctl.bulk.checking import Check

if TYPE_CHECKING:
    from dbctl.backends.bulk import Bulk, Target

_DELIMITERS = {",", ";", "|", "\t"}
"""Those that are in no value but a text."""

_MOST = 4
"""Parts that are loaded at once, and kept as long as that takes."""


class Run:
    """Parts of a file that a database reads one after the other, as long as they fit.

    Args:
        first: The first, which fits.
        rest: Those behind it.
        fits: Tells of a part whether it goes on.
    """

    def __init__(self, first: Delimited, rest: Iterator[Delimited], fits: Callable[[Delimited], bool]) -> None:
        self._rest, self._fits = rest, fits
        self.first = first
        self.taken: list[Delimited] = []
        """What was read."""
        self.left: Delimited | None = None
        """The part behind it, where that does not fit."""

    def __iter__(self) -> Iterator[Delimited]:
        """Yield them."""
        part: Delimited | None = self.first
        while part is not None:
            self.taken.append(part)
            yield part
            if len(self.taken) == _MOST:
                return
            part = next(self._rest, None)
            if part is not None and not (self._fits(part) and _end(part) == _end(self.first)):
                self.left = part
                return


def fitting(backend: Bulk, target: Target, checks: Sequence[Check | None]) -> Callable[[Delimited], bool]:
    """Return what tells of lines that have the columns of a table whether the database may read them as they stand.

    Args:
        backend: What differs between databases.
        target: The table.
        checks: How the values of each column are looked at.
    """
    values = [_value(backend.as_it_is(one), check) for one, check in zip(target.kinds, checks, strict=True)]
    known = None not in values
    looked_at = [one for one in checks if one is not None]
    trusted = backend.looks_itself and all(one.sign for one in looked_at)
    signs = [re.compile(sign.encode()) for sign in sorted({one.sign for one in looked_at if one.sign})]

    def fits(part: Delimited) -> bool:
        if not backend.reads(part):
            return False
        if trusted and known and not signs:
            return True
        if not known or part.delimiter not in _DELIMITERS:
            return False
        if trusted and not any(sign.search(part.data) for sign in signs):
            return True
        csv = part.format == "csv"
        quotes = csv and backend.reads_quotes and part.null == ""  # else NULL and its text are the same within them
        pattern = _lines(tuple(filter(None, values)), part.delimiter, part.null, _end(part), csv, quotes)
        return pattern.fullmatch(part.data) is not None and _is_text(part.data)

    return fits


def _end(part: Delimited) -> str:
    return "\r\n" if part.data.endswith(b"\r\n") else "\n"


def _is_text(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def _value(as_it_is: str | None, check: Check | None) -> str | None:
    """Return the pattern of a column's values that fit, or what stands behind a text's characters; None if unknown."""
    if as_it_is is None:
        return None
    if as_it_is or check is None:
        return as_it_is or "*+"
    return check.plain if check.text is None else check.text


@cache
def _lines(
    values: tuple[str, ...],
    delimiter: str,
    null: str,
    end: str,
    csv: bool,
    quotes: bool,
) -> re.Pattern[bytes]:
    """Return the pattern of lines; nothing in it is tried twice."""
    between, special = re.escape(delimiter), '"' if csv else r"\\"
    columns = []
    for value in values:
        own, within = value, value
        if value.startswith(("*", "{")):
            own = rf"[^{between}{special}\r\n]{value}"
            # Of at least one character: NULL has none.
            within = rf'[^"\r]{value.replace("*", "+", 1).replace("{0", "{1", 1)}'
        columns.append("(?:{})".format("|".join([own, *[f'"{within}"'] * quotes, re.escape(null)])))
    return re.compile(rf"(?:{between.join(columns)}{end})*+".encode(), re.ASCII)
