"""CSV and tab-separated text, taken apart: whole lines by the megabyte, as they stand or as rows.

The manual's page `formats` says what is NULL in them.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial
from typing import Any

from dbctl.backends.bulk import Delimited, Ragged, Rows
from dbctl.bulk import advice
from dbctl.bulk.whole_lines import LONGEST, PART, whole_lines
from dbctl.errors import UsageError, WorkRefused
from dbctl.records import record

_EMPTY = "\ue000dbctl\ue000"
"""What stands for `""`, which Python's reader does not tell from nothing: private characters."""

_QUOTED = re.compile(r'"(?:[^"]++|"")*+"')
"""A value in quotes; nothing in it is tried twice, nor kept to be."""

_LINE = re.compile(r"[^\r\n]*+(?:\r\n|[\r\n])|[^\r\n]++")

_ESCAPED = re.compile(r"\\(?:x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

csv.field_size_limit(LONGEST)


@record
class Shape:
    """How values stand in a file.

    Args:
        file: The file's name, for messages.
        format: csv or tsv.
        delimiter: What separates values.
        null: The text that is NULL where it is not quoted.
        skip: How many lines come before the header, or before the rows where there is none.
        columns: The columns' names where the file has no header.
    """

    file: str
    format: str = "csv"
    delimiter: str = ","
    null: str = ""
    skip: int = 0
    columns: Sequence[str] | None = None

    @property
    def quote(self) -> bytes:
        """What quotes a value, in which a line may end; nothing does in tab-separated text."""
        return b'"' if self.format == "csv" else b""


def delimited(stream: Any, shape: Shape) -> tuple[Sequence[str], Iterator[Delimited]]:
    """Return a file's columns, and its lines part by part.

    Args:
        stream: The file as UTF-8.
        shape: How values stand in it.

    Raises:
        UsageError: It has no header, or two columns of one name.
        WorkRefused: Drawn, or for the header: a value's quotes are not closed.
    """
    parts = whole_lines(stream, shape)
    line, data = next(parts, (1, b""))
    for _ in range(shape.skip):
        cut = data.find(b"\n") + 1
        line, data = line + 1, data[cut:] if cut else b""
    names: Sequence[str]
    if shape.columns is None:
        names, used = _header(data, shape, line)
        line, data = line + data.count(b"\n", 0, used), data[used:]
    else:
        names = shape.columns
    if again := next((place for place, name in enumerate(names) if name in names[:place]), None):
        first = names.index(names[again]) + 1  # told by their places: of a file without a header these are values
        raise UsageError(f"{shape.file}: columns {first} and {again + 1} have the same name", advice.NAME_APART)

    def lines() -> Iterator[Delimited]:
        for first, part in _chain((line, data), parts):
            read = partial(rows_of, part, shape, names, first)
            yield Delimited(names, shape.format, shape.delimiter, shape.null, part, read)

    return names, lines()


def _chain(first: tuple[int, bytes], rest: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    if first[1]:
        yield first
    yield from rest


def _header(data: bytes, shape: Shape, line: int) -> tuple[list[str], int]:
    """Return the names in the first line, and how many bytes it takes."""
    end = 0
    while end < len(data):
        end = data.find(b"\n", end) + 1 or len(data)
        if not shape.quote or data.count(shape.quote, 0, end) % 2 == 0:
            break
    if not data[:end].strip():
        raise UsageError(f"{shape.file}: there is no header", advice.NAME_COLUMNS)
    text = _decoded(data[:end], shape, line).rstrip("\r\n")
    if shape.format == "tsv":
        return [name or "" for name in _unescaped(text.split(shape.delimiter), shape.null)], end
    try:
        return next(csv.reader([text], delimiter=shape.delimiter, strict=True)), end
    except csv.Error as error:
        message = f"{shape.file}, line {line}: the header can't be read: {error}"
        raise UsageError(message, advice.SAY_DELIMITER) from error


def rows_of(data: bytes, shape: Shape, names: Sequence[str], first: int) -> tuple[Rows, Sequence[Ragged]]:
    """Return whole lines as rows, and those that have more or fewer values.

    Args:
        data: The lines, in UTF-8.
        shape: How values stand in them.
        names: The columns.
        first: The number of the first line.

    Raises:
        WorkRefused: They are no UTF-8, or quotes stand where none can.
    """
    text = _decoded(data, shape, first)
    if (plain := _cut(text, shape, len(names))) is not None:
        return Rows(shape.file, names, range(first, first + len(plain[0])), plain), []
    read = _tsv if shape.format == "tsv" else _csv
    lines, rows = read(text, shape, len(names), first)
    ragged: list[Ragged] = []
    if set(map(len, rows)) - {len(names)}:
        ragged = [Ragged(at, row, len(names)) for at, row in zip(lines, rows, strict=True) if len(row) != len(names)]
        kept = [(at, row) for at, row in zip(lines, rows, strict=True) if len(row) == len(names)]
        lines, rows = [at for at, _ in kept], [row for _, row in kept]
    columns: Sequence[Any] = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return Rows(shape.file, names, lines, columns), ragged


@cache
def _even(width: int, delimiter: str) -> re.Pattern[str]:
    """Return the pattern of lines that all have so many values; nothing in it is tried twice."""
    value = rf"[^{re.escape(delimiter)}\n]*+"
    return re.compile(rf"(?:{value}(?:{re.escape(delimiter)}{value}){{{width - 1}}}\n)*+")


def _cut(text: str, shape: Shape, width: int) -> list[Sequence[Any]] | None:
    """Return lines by columns, cut at each delimiter; None where there is more to it, as quotes or another width."""
    delimiter = shape.delimiter
    special = '"' if shape.format == "csv" else "\\"
    if not text or width == 1 or special in text or "\r" in text or len(delimiter) > 1:
        return None
    if _even(width, delimiter).fullmatch(text) is None:
        return None
    values: list[Any] = text[:-1].replace("\n", delimiter).split(delimiter)
    if shape.null in values:
        values = [None if value == shape.null else value for value in values]
    return [values[place::width] for place in range(width)]


def _decoded(data: bytes, shape: Shape, first: int) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = first + data.count(b"\n", 0, error.start)
        raise WorkRefused(f"{shape.file}, line {line}: it is no UTF-8", advice.SAY_ENCODING) from error


def _tsv(text: str, shape: Shape, width: int, first: int) -> tuple[Sequence[int], list[Any]]:
    lines = text.replace("\r\n", "\n").split("\n")[:-1]
    numbers: Sequence[int] = range(first, first + len(lines))
    if width > 1 and "" in lines:
        numbers = [number for number, line in zip(numbers, lines, strict=True) if line]
        lines = list(filter(None, lines))
    rows: list[Any] = [line.split(shape.delimiter) for line in lines]
    if "\\" in text or shape.null != r"\N":
        rows = [_unescaped(row, shape.null) for row in rows]
    return numbers, rows


def _unescaped(values: Sequence[str], null: str) -> list[str | None]:
    return [None if value == null else _ESCAPED.sub(_unescape, value) if "\\" in value else value for value in values]


def _unescape(found: re.Match[str]) -> str:
    if found[3] is None:
        return chr(int(found[1], 16) if found[1] else int(found[2], 8))
    return _ESCAPES.get(found[3], found[3])


def _csv(text: str, shape: Shape, width: int, first: int) -> tuple[Sequence[int], list[Any]]:
    """Read lines of CSV, of which a value without quotes is NULL where it is the text that stands for that."""
    if '""' in text:
        text = _QUOTED.sub(lambda found: f'"{_EMPTY}"' if found[0] == '""' else found[0], text)
    quoted_null = f'"{shape.null}"' if shape.null else None
    marked = quoted_null is not None and quoted_null in text
    if marked:
        text = _QUOTED.sub(lambda found: f'"{_EMPTY}{shape.null}"' if found[0] == quoted_null else found[0], text)
    reader = csv.reader(_lines(text), delimiter=shape.delimiter, strict=True)
    try:
        rows: list[Any] = list(reader)
    except csv.Error as error:
        line = first + reader.line_num - 1
        raise WorkRefused(
            f"{shape.file}, line {line}: {error}", "a quote in a value is written twice, in quotes"
        ) from error
    counted = reader.line_num
    del reader  # which keeps the room that the largest value took
    numbers: Sequence[int] = range(first, first + len(rows)) if counted == len(rows) else _begins(text, shape, first)
    if [] in rows:
        if width == 1:
            rows = [row or [""] for row in rows]
        else:
            numbers = [number for number, row in zip(numbers, rows, strict=True) if row]
            rows = list(filter(None, rows))
    return numbers, _with_nulls(rows, shape.null, _EMPTY in text)


def _lines(text: str) -> Iterable[str]:
    """Return lines with their ends: of a large text one by one, of which StringIO would take four times as much."""
    return io.StringIO(text, newline="") if len(text) < 2 * PART else (found[0] for found in _LINE.finditer(text))


def _begins(text: str, shape: Shape, first: int) -> list[int]:
    """Return in which line each row begins, where some have several."""
    found, line = [], first
    reader = csv.reader(_lines(text), delimiter=shape.delimiter, strict=True)
    for _ in reader:
        found.append(line)
        line = first + reader.line_num
    return found


def _with_nulls(rows: list[Any], null: str, marks: bool) -> list[Any]:
    if not marks:
        if null == "":
            return [[value or None for value in row] if "" in row else row for row in rows]
        return [[None if value == null else value for value in row] if null in row else row for row in rows]
    return [[_value(value, null) for value in row] for row in rows]


def _value(value: str, null: str) -> str | None:
    if value == null:
        return None
    return value.replace(_EMPTY, "")  # also from within a value, where quotes stand for themselves
