"""Rows of JSON: an object a line, or an array of objects, of which as much is read at a time as is loaded."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from dbctl.backends.bulk import Rows
from dbctl.backends.exports import Number
from dbctl.bulk import advice
from dbctl.bulk.reading_delimited import Shape
from dbctl.bulk.whole_lines import whole_lines
from dbctl.errors import WorkRefused

_PART = 1 << 20
"""Characters of an array that are looked at a time."""

_AT_ONCE = 5000
"""Objects of an array that are handed on at a time."""

_BETWEEN = re.compile(r"[\s,]*")
_COLON = re.compile(r"[\s:]*")
_HALF = re.compile("[\ud800-\udfff]")


class _Twice(dict[str, Any]):
    """An object that has a name twice."""


_NESTED = frozenset({dict, list, _Twice})


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Twice(found)


# As it stands: -0, and all of its digits, of which a float has 17 at most.
_DECODER = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=Number, object_pairs_hook=_object)

_Found = Sequence[tuple[int, Any, bytes]]
"""Values, each behind its line and before its bytes."""


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
        alike: dict[tuple[str, ...], list[tuple[int, Mapping[str, Any]]]] = {}
        for line, one, raw in found:
            if not isinstance(one, dict):
                raise WorkRefused(f"{file}, line {line}: it is no object", 'each row is to be one, as {"id": 1}')
            if isinstance(one, _Twice):
                raise WorkRefused(f"{file}, line {line}: {_again(raw)} is in it twice", "leave one of them out")
            alike.setdefault(tuple(one), []).append((line, _flat(file, line, one, raw)))
        for names, rows in alike.items():
            numbers = [line for line, _ in rows]
            columns = [texts([one[name] for _, one in rows]) for name in names]
            for name, column in zip(names, columns, strict=True):
                _refuse_halves(file, numbers, name, column)
            yield Rows(file, names, numbers, columns)


def _flat(file: str, line: int, one: dict[str, Any], raw: bytes) -> Mapping[str, Any]:
    """Return an object with its objects and arrays as they stand, and not as they would be written again."""
    if _NESTED.isdisjoint(map(type, one.values())):
        return one
    try:
        standing = dict(_cut(raw))
        return {name: standing[name] if type(value) in _NESTED else value for name, value in one.items()}
    except (ValueError, KeyError) as error:  # lines that are no values but in a row
        raise WorkRefused(f"{file}, line {line}: it is no JSON") from error


def _cut(raw: bytes) -> Iterator[tuple[str, str]]:
    """Yield the names in an object, and the texts of their values."""
    text = raw.decode()
    at = _BETWEEN.match(text, text.index("{") + 1).end()  # type: ignore[union-attr]
    while text[at : at + 1] != "}":
        name, end = _DECODER.raw_decode(text, at)
        begin = _COLON.match(text, end).end()  # type: ignore[union-attr]
        _, end = _DECODER.raw_decode(text, begin)
        yield name, text[begin:end]
        at = _BETWEEN.match(text, end).end()  # type: ignore[union-attr]


def _again(raw: bytes) -> str:
    names = [name for name, _ in _cut(raw)]
    return next(f'"{name}"' for name in names if names.count(name) > 1)


def _refuse_halves(file: str, lines: Sequence[int], name: str, column: Sequence[str | None]) -> None:
    r"""Do nothing where a column is text: JSON may have half a character by itself, as \ud800, which is none."""
    whole = "".join(filter(None, column))
    if not name.isascii() and _HALF.search(name):
        raise WorkRefused(f"{file}, line {lines[0]}: a name has half a surrogate pair")
    if not whole.isascii() and _HALF.search(whole):
        line = next(line for line, value in zip(lines, column, strict=True) if value and _HALF.search(value))
        raise WorkRefused(f"{file}, line {line}, column {name}: half a surrogate pair is no character")


def _of_lines(stream: Any, file: str) -> Iterator[_Found]:
    for first, part in whole_lines(stream, Shape(file, "jsonl")):
        numbered = [(number, line) for number, line in enumerate(part.split(b"\n"), first) if line.strip()]
        try:
            whole = b",".join(line for _, line in numbered).decode()
            objects = _DECODER.decode(f"[{whole}]")
        except (ValueError, RecursionError):
            objects = None
        if objects is None or len(objects) != len(numbered):
            objects = [_decoded(line, file, number) for number, line in numbered]
        yield [(number, one, line) for (number, line), one in zip(numbered, objects, strict=True)]


def _decoded(line: bytes, file: str, number: int) -> Any:
    try:
        return _DECODER.decode(line.decode())
    except UnicodeDecodeError as error:
        raise WorkRefused(f"{file}, line {number}: it is no UTF-8", advice.SAY_ENCODING) from error
    except json.JSONDecodeError as error:
        raise WorkRefused(f"{file}, line {number}, character {error.pos + 1}: {_told(error)}") from error
    except RecursionError as error:
        raise WorkRefused(f"{file}, line {number}: {_TOO_DEEP}") from error


_TOO_DEEP = "it has more objects and arrays in each other than can be read"


def _told(error: json.JSONDecodeError) -> str:
    return f"it is no JSON: {error.msg[0].lower()}{error.msg[1:]}"


def _of_array(stream: Any, file: str) -> Iterator[_Found]:
    """Yield the elements of one array, some at a time."""
    text, line, at = _Text(stream, file), 1, 0
    text.more()
    at = _BETWEEN.match(text.text).end()  # type: ignore[union-attr]
    if text.text[at : at + 1] != "[":
        raise WorkRefused(f"{file}: it is no array", advice.SAY_LINES)
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
        except RecursionError as error:
            raise WorkRefused(f"{file}, line {line}: {_TOO_DEEP}") from error
        found.append((line, one, text.text[at:end].encode()))
        at = end
        if len(found) == _AT_ONCE:
            yield found
            found = []
    yield found
    at += 1
    while not (rest := text.text[at:].lstrip()) and text.more():
        pass
    if rest:
        line += text.text.count("\n", counted, len(text.text) - len(rest))
        raise WorkRefused(f"{file}, line {line}: there is more behind the array", "one file has one array")


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
                raise WorkRefused(f"{self._file}: it is no UTF-8", advice.SAY_ENCODING) from error
            whole = part[: error.start]
            text = whole.decode()
        if len(part) == len(self._rest) and part:
            raise WorkRefused(f"{self._file}: it is no UTF-8", advice.SAY_ENCODING)
        self._rest = part[len(whole) :]
        self.text += text
        return bool(text)


def texts(values: Sequence[Any]) -> Sequence[str | None]:
    """Return values as the texts that stand for them in all formats."""
    if {*map(type, values)} <= {str, Number, type(None)}:
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
    (float, _float),
    (Decimal, lambda value: f"{value:f}"),
    (bytes, lambda value: f"\\x{value.hex()}"),
    (datetime, lambda value: value.isoformat(" ")),
    ((date, time), lambda value: value.isoformat()),
    ((dict, list), lambda value: json.dumps(value, ensure_ascii=False, default=_text)),
)
