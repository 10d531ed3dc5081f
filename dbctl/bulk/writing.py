"""The formats of files: rows of texts, as databases are read in bulk, made into the bytes of a file.

The manual's page `formats` says how each kind of value is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from json import JSONDecodeError, loads
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Protocol

from dbctl.backends.exports import Number, Numerals
from dbctl.backends.kinds import BulkColumn, Kind
from dbctl.bulk.forms import Form

if TYPE_CHECKING:
    from dbctl.backends.exports import Texts

Columns = Sequence["Texts"]
"""Some rows, column by column."""

Write = Callable[[bytes], None]

_QUOTED = ('"', ",", "\r", "\n")
_TO_QUOTE = re.compile(r'[",\r\n]')
_TO_ESCAPE = re.compile(r"[\\\b\f\n\r\t\v]")
_ESCAPES = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")
"""What JSON takes for a number: https://www.rfc-editor.org/rfc/rfc8259#section-6."""

_END_OF_COPY = "\\."
"""The line that ends COPY's data."""


class Writer(Protocol):
    """Writes rows in one format."""

    def rows(self, columns: Columns) -> None:
        """Write some rows."""

    def end(self) -> None:
        """Write what stands behind the last row."""


def writer_for(form: Form, columns: Sequence[BulkColumn], write: Write) -> Writer:
    """Return what writes rows in a format; what stands before the first row is written at once.

    Args:
        form: The format.
        columns: The rows' columns.
        write: Takes the bytes.

    Raises:
        ConfigError: Parquet's package is not installed.
    """
    if form.format == "parquet":
        from dbctl.bulk.writing_parquet import ParquetWriter

        return ParquetWriter(columns, write)
    if form.delimited:
        return DelimitedWriter(form, columns, write)
    return JSONWriter(columns, write, array=form.format == "json")


class DelimitedWriter:
    """Writes CSV, or tab-separated text, with a header.

    Args:
        form: Which of them, and what NULL is in it.
        columns: The columns.
        write: Takes the bytes.
    """

    def __init__(self, form: Form, columns: Sequence[BulkColumn], write: Write) -> None:
        self._write, self._alone = write, len(columns) == 1
        self._null = form.null or ""
        csv = form.format == "csv"
        self._between = "," if csv else "\t"
        self._cells = self._quoted if csv else self._escaped
        self.rows([[one.name] for one in columns])

    def rows(self, columns: Columns) -> None:
        """Write a line for each."""
        lines = map(self._between.join, zip(*map(self._cells, columns), strict=True))
        self._write(("\n".join(lines) + "\n").encode())

    def end(self) -> None:
        """Write nothing more."""

    def _quoted(self, values: Texts) -> Sequence[str]:
        null = self._null
        if not self._alone and (type(values) is Numerals or not _any_in(_QUOTED, "".join(filter(None, values)))):
            if all(values) and (not null or null not in values):  # neither NULL, nor empty, nor like NULL
                return values  # type: ignore[return-value]
            if not null:
                return ["" if value is None else value or '""' for value in values]
        return [null if value is None else self._quoted_if_needed(value) for value in values]

    def _quoted_if_needed(self, value: str) -> str:
        needed = value == self._null or (self._alone and value == _END_OF_COPY) or _TO_QUOTE.search(value)
        return '"' + value.replace('"', '""') + '"' if needed else value

    def _escaped(self, values: Texts) -> Sequence[str]:
        if not _any_in(_ESCAPES, "".join(filter(None, values))):
            return values if None not in values else ["\\N" if value is None else value for value in values]  # type: ignore[return-value]
        return ["\\N" if value is None else _TO_ESCAPE.sub(lambda at: _ESCAPES[at[0]], value) for value in values]


def _any_in(marks: Iterable[str], text: str) -> bool:
    return any(mark in text for mark in marks)


class JSONWriter:
    """Writes an object for each row: on a line of its own, or in an array.

    Args:
        columns: The columns.
        write: Takes the bytes.
        array: Whether they are in an array.
    """

    def __init__(self, columns: Sequence[BulkColumn], write: Write, *, array: bool) -> None:
        self._write, self._array, self._began = write, array, False
        self._encode = [_COLUMNS.get(one.kind) or partial(_encoded, _BY_KIND.get(one.kind, _own)) for one in columns]
        keys = ", ".join(f"{encode_basestring(one.name).replace('%', '%%')}: %s" for one in columns)
        self._template = f"{{{keys}}}"

    def rows(self, columns: Columns) -> None:
        """Write an object for each."""
        encoded = [encode(values) for encode, values in zip(self._encode, columns, strict=False)]
        objects = map(self._template.__mod__, zip(*encoded, strict=True) if encoded else [()] * len(columns[0]))
        before, between, after = ((",\n" if self._began else "[\n"), ",\n", "") if self._array else ("", "\n", "\n")
        self._write(f"{before}{between.join(objects)}{after}".encode())
        self._began = True

    def end(self) -> None:
        """End the array."""
        if self._array:
            self._write(b"\n]\n" if self._began else b"[]\n")


def _encoded(make: Callable[[str], str], values: Texts) -> Sequence[str]:
    if None in values:
        return ["null" if value is None else make(value) for value in values]
    return list(map(make, values))  # type: ignore[arg-type]


_string: Callable[[str], str] = encode_basestring


def _number(value: str) -> str:
    """Return a number as it is, and what JSON has no number for as a string."""
    return value if _NUMBER.fullmatch(value) else _string(value)


def _own(value: str) -> str:
    return value if type(value) is Number else _string(value)


_DAY_AND_TIME = r"(?!0000)\d{4}-(?!00)\d\d-(?!00)\d\d \d\d:\d\d:\d\d(?:\.\d++)?+"


class _Moments:
    """Writes days and times as RFC 3339 has them, all of a column at once; what it has no form for stays as it is.

    https://www.rfc-editor.org/rfc/rfc3339#section-5.6

    Args:
        zone: What each ends with here.
        utc: What it ends with there.
    """

    def __init__(self, zone: str = "", utc: str = "") -> None:
        self._zone, self._utc = zone, utc
        one = _DAY_AND_TIME + re.escape(zone)
        self._known = re.compile(rf"(?:{one}\n)*+{one}", re.ASCII)

    def __call__(self, values: Texts) -> Sequence[str]:
        if None in values:
            there = iter(self([value for value in values if value is not None]))
            return ["null" if value is None else next(there) for value in values]
        text = "\n".join(values)  # type: ignore[arg-type]
        if self._known.fullmatch(text) and text.count("\n") == len(values) - 1:
            whole = text.removesuffix(self._zone).replace(" ", "T").replace(f"{self._zone}\n", f'{self._utc}"\n"')
            return f'"{whole}{self._utc}"'.split("\n")
        if len(values) == 1:
            return [_own(values[0])]  # type: ignore[arg-type]
        return [self([value])[0] for value in values]


def _truth(value: str) -> str:
    return value if value in {"true", "false"} else _number(value)


def _document(value: str) -> str:
    """Return an object, an array, a number or a truth as it is; what could be taken for another thing as its text."""
    if value[:1] in {'"', "n", ""} or "\n" in value or "\r" in value or value != value.strip():
        return _string(value)
    try:
        loads(value, parse_constant=_refuse)
    except (JSONDecodeError, ValueError, RecursionError):
        return _string(value)  # SQLite takes any text for one
    return value


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


_COLUMNS = {Kind.TIMESTAMP: _Moments(), Kind.INSTANT: _Moments("+00", "Z")}
_BY_KIND = {Kind.INTEGER: _number, Kind.FLOAT: _number, Kind.BOOLEAN: _truth, Kind.JSON: _document}
