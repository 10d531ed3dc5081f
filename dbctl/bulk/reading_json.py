"""Rows of JSON: an object a line, or an array of objects, of which as much is read at a time as is loaded."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from dbctl.backends.bulk import Rows
from dbctl.bulk.reading_delimited import Shape, whole_lines
from dbctl.errors import WorkRefused

_PART = 1 << 20
"""Characters of an array that are looked at a time."""

_AT_ONCE = 5000
"""Objects of an array that are handed on at a time."""

_BETWEEN = re.compile(r"[\s,]*")


class _Number(float):
    """A number with its digits, of which a float has 17 at most."""

    text: str


def _number(text: str) -> _Number:
    number = _Number(text)
    number.text = text
    return number


_DECODER = json.JSONDecoder(parse_float=_number)


def json_rows(stream: Any, file: str, *, lines: bool) -> Iterator[Rows]:
    """Yield the rows of a file; those of a part that have the same keys together.

    Args:
        stream: The file as UTF-8.
        file: Its name.
        lines: Whether each line is an object; else all of it is an array.

    Raises:
        WorkRefused: It is no JSON, or has something else than objects.
    """
    for found in _of_lines(stream, file) if lines else _of_array(stream, file):
        alike: dict[tuple[str, ...], list[tuple[int, Any]]] = {}
        for line, one in found:
            if not isinstance(one, dict):
                raise WorkRefused(f"{file}, line {line}: it is no object", 'each row is to be one, as {"id": 1}')
            alike.setdefault(tuple(one), []).append((line, one))
        for names, rows in alike.items():
            columns = [texts([one[name] for _, one in rows]) for name in names]
            yield Rows(file, names, [line for line, _ in rows], columns)


def _of_lines(stream: Any, file: str) -> Iterator[Sequence[tuple[int, Any]]]:
    for first, part in whole_lines(stream, Shape(file, "jsonl")):
        numbered = [(number, line) for number, line in enumerate(part.split(b"\n"), first) if line.strip()]
        try:
            whole = b",".join(line for _, line in numbered).decode()
            objects = _DECODER.decode(f"[{whole}]")
        except ValueError:
            objects = None
        if objects is None or len(objects) != len(numbered):
            objects = [_decoded(line, file, number) for number, line in numbered]
        yield list(zip((number for number, _ in numbered), objects, strict=True))


def _decoded(line: bytes, file: str, number: int) -> Any:
    try:
        return _DECODER.decode(line.decode())
    except UnicodeDecodeError as error:
        raise WorkRefused(f"{file}, line {number}: it is no UTF-8", "say --encoding") from error
    except json.JSONDecodeError as error:
        raise WorkRefused(f"{file}, line {number}, character {error.pos + 1}: {_told(error)}") from error


def _told(error: json.JSONDecodeError) -> str:
    return f"it is no JSON: {error.msg[0].lower()}{error.msg[1:]}"


def _of_array(stream: Any, file: str) -> Iterator[Sequence[tuple[int, Any]]]:
    """Yield the elements of one array, some at a time."""
    text, line, at = _Text(stream, file), 1, 0
    text.more()
    at = _BETWEEN.match(text.text).end()  # type: ignore[union-attr]
    if text.text[at : at + 1] != "[":
        raise WorkRefused(f"{file}: it is no array", "say --format jsonl for an object a line")
    counted, at, found = 0, at + 1, []
    while True:
        at = _BETWEEN.match(text.text, at).end()  # type: ignore[union-attr]
        if text.text[at : at + 1] == "]":
            break
        line += text.text.count("\n", counted, at)
        counted = at
        try:
            one, end = _DECODER.raw_decode(text.text, at)
        except json.JSONDecodeError as error:
            text.text, at, counted = text.text[at:], 0, 0
            if not text.more():
                raise WorkRefused(f"{file}, line {line + error.lineno - 1}: {_told(error)}") from error
            continue
        found.append((line, one))
        at = end
        if len(found) == _AT_ONCE:
            yield found
            found = []
    yield found


class _Text:
    """What has been read of a file and is not taken yet.

    Args:
        stream: The file as UTF-8.
        file: Its name.
    """

    def __init__(self, stream: Any, file: str) -> None:
        self._stream, self._file = stream, file
        self._rest = b""
        self.text = ""

    def more(self) -> bool:
        """Read more, twice as much as there is; tell whether there was any."""
        part = self._rest + self._stream.read(max(_PART, len(self.text)))
        whole = part
        try:
            text = part.decode()
        except UnicodeDecodeError as error:
            if error.end < len(part) or not part[error.start :]:
                raise WorkRefused(f"{self._file}: it is no UTF-8", "say --encoding") from error
            whole = part[: error.start]
            text = whole.decode()
        if len(part) == len(self._rest) and part:
            raise WorkRefused(f"{self._file}: it is no UTF-8", "say --encoding")
        self._rest = part[len(whole) :]
        self.text += text
        return bool(text)


def texts(values: Sequence[Any]) -> Sequence[str | None]:
    """Return values as the texts that stand for them in all formats."""
    if {*map(type, values)} <= {str, type(None)}:
        return values
    return [_text(value) for value in values]


def _text(value: Any) -> str | None:
    write = next((write for kinds, write in _TEXTS if isinstance(value, kinds)), str)
    return write(value)


def _float(value: float) -> str:
    return repr(value) if math.isfinite(value) else "NaN" if math.isnan(value) else f"{'-' * (value < 0)}Infinity"


_TEXTS: Sequence[tuple[Any, Callable[[Any], str | None]]] = (
    ((str, type(None)), lambda value: value),
    (bool, lambda value: "true" if value else "false"),
    (_Number, lambda value: value.text),
    (float, _float),
    (Decimal, lambda value: f"{value:f}"),
    (bytes, lambda value: f"\\x{value.hex()}"),
    (datetime, lambda value: value.isoformat(" ")),
    ((date, time), lambda value: value.isoformat()),
    ((dict, list), lambda value: json.dumps(value, ensure_ascii=False, default=_text)),
)
