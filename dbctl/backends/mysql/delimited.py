"""Rows as the server has sent them, made into lines of CSV or tab-separated text, without becoming texts of Python.

What comes is UTF-8 and ASCII, as the file is. The manual's page `formats` says how values stand in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import chain

Value = bytes | None
"""A value; None is NULL."""

_TO_QUOTE = re.compile(rb'[",\r\n]')
_TO_ESCAPE = re.compile(rb"[\\\b\f\n\r\t\v]")
_ESCAPES = {
    **{b"\\": rb"\\", b"\b": rb"\b", b"\f": rb"\f", b"\n": rb"\n"},
    **{b"\r": rb"\r", b"\t": rb"\t", b"\v": rb"\v"},
}
_END_OF_COPY = rb"\."
"""The line that ends COPY's data."""


class Lines:
    """Makes lines of rows.

    Args:
        converts: What makes a column's values those of files, where they are not.
        csv: Whether they are CSV; else they are tab-separated text.
        null: What NULL is in CSV.
    """

    def __init__(self, converts: Sequence[Callable[[bytes], bytes] | None], *, csv: bool, null: str) -> None:
        self._converts, self._csv = converts, csv
        self._null = null.encode() if csv else rb"\N"
        self._empty = b'""' if csv and not null else b""
        self._between = b"," if csv else b"\t"
        self._special = _TO_QUOTE if csv else _TO_ESCAPE
        self._marks = (b'"', b"\r") if csv else (b"\\", b"\b", b"\f", b"\r", b"\v")

    def of(self, rows: Sequence[Sequence[Value]]) -> bytes:
        """Return rows as lines; mostly nothing in them is special, which is seen at all of them at once."""
        width = len(self._converts)
        if width > 1 and not any(self._converts) and all(chain.from_iterable(rows)):  # neither NULL nor empty
            lines = b"\n".join(map(self._between.join, rows)) + b"\n"  # type: ignore[arg-type]
            between = lines.count(self._between) == len(rows) * (width - 1) and lines.count(b"\n") == len(rows)
            null = self._csv and self._null and self._null in lines
            if between and not null and not any(mark in lines for mark in self._marks):
                return lines
        columns = map(self._column, self._converts, zip(*rows, strict=True))
        return b"\n".join(map(self._between.join, zip(*columns, strict=True))) + b"\n"

    def _column(self, convert: Callable[[bytes], bytes] | None, values: Sequence[Value]) -> Sequence[bytes]:
        made: Sequence[Value] = values
        if convert is not None:
            made = [None if value is None else convert(value) for value in values]
        special = self._special.search(b"".join(filter(None, made)))
        if special or len(self._converts) == 1 or (self._csv and self._null in made):
            return [self._null if value is None else self._shown(value) for value in made]
        if all(made):
            return made  # type: ignore[return-value]
        return [self._null if value is None else value or self._empty for value in made]

    def _shown(self, value: bytes) -> bytes:
        if not self._csv:
            return _TO_ESCAPE.sub(lambda found: _ESCAPES[found[0]], value)
        alone = len(self._converts) == 1 and value == _END_OF_COPY
        if alone or value == self._null or _TO_QUOTE.search(value):
            return b'"' + value.replace(b'"', b'""') + b'"'
        return value
