"""JSON, as an array that is written as its rows come, and as a line for each row."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from json.encoder import encode_basestring, encode_basestring_ascii
from math import isfinite
from typing import Any

from dbctl.cli.render.sheets import Batch, Sheet
from dbctl.cli.render.values import jsonable

_CONTROLS = re.compile("[\x7f-\x9f]")


def array(sheet: Sheet, *, ascii_only: bool, within: int = 0) -> Iterator[str]:
    """Write an array of objects, or one object where the result is a single record; of a part no end is written.

    Args:
        sheet: The result.
        ascii_only: Whether all else is to be escaped.
        within: How deep what holds it is indented; then no line's end follows.
    """
    writer = _Writer(ascii_only, within if sheet.single else within + 1)
    before = "" if sheet.single else "[\n"
    for batch in sheet.batches:
        yield before + ",\n".join(writer.objects(batch))
        before = ",\n"
    end = "" if within else "\n"
    if not sheet.whole():
        yield "" if before == "[\n" else end
    elif sheet.single:
        yield end
    else:
        yield f"[]{end}" if before == "[\n" else f"\n{'  ' * within}]{end}"


def lines(sheet: Sheet, *, ascii_only: bool) -> Iterator[str]:
    """Write an object a line."""
    writer = _Writer(ascii_only)
    for batch in sheet.batches:
        yield "\n".join(writer.objects(batch)) + "\n"


def value_text(value: Any, *, ascii_only: bool) -> str:
    """Return one value as JSON, on one line."""
    return _Writer(ascii_only).value(value)


class _Writer:
    """Writes rows as objects by a template of their columns.

    Args:
        ascii_only: Whether all else is to be escaped, for an output that is not UTF-8.
        depth: How deep the objects are indented, or None for each on one line.
    """

    def __init__(self, ascii_only: bool, depth: int | None = None) -> None:
        self._quoted: Callable[[str], str] = encode_basestring_ascii if ascii_only else encode_basestring
        indent = None if depth is None else 2
        self._encode = json.JSONEncoder(ensure_ascii=ascii_only, allow_nan=False, indent=indent).encode
        self._depth = depth

    def objects(self, batch: Batch) -> Iterator[str]:
        template = self._template(batch.columns)
        if not batch.columns:
            return iter([template] * len(batch.rows))
        columns = [self._encoded(column) for column in zip(*batch.rows, strict=True)]
        return map(template.__mod__, zip(*columns, strict=True))

    def _template(self, columns: Sequence[str]) -> str:
        keys = [_harmless(self._quoted(column)).replace("%", "%%") for column in columns]
        if self._depth is None:
            return "{" + ", ".join(f"{key}: %s" for key in keys) + "}"
        outer, inner = "  " * self._depth, "  " * (self._depth + 1)
        if not keys:
            return f"{outer}{{}}"
        return f"{outer}{{\n" + ",\n".join(f"{inner}{key}: %s" for key in keys) + f"\n{outer}}}"

    def _encoded(self, values: Sequence[Any]) -> Sequence[Any]:
        """Return a column's values as JSON; numbers may stay what they are."""
        kinds = set(map(type, values))
        if kinds == {int} or (kinds == {float} and all(map(isfinite, values))):
            return values
        encoded = list(map(self._quoted, values)) if kinds == {str} else list(map(self._value, values))
        if "\x7f" in (joined := "".join(encoded)) or not joined.isascii():
            return list(map(_harmless, encoded))
        return encoded

    def value(self, value: Any) -> str:
        """Return a value as JSON that no terminal obeys."""
        return _harmless(self._value(value))

    def _value(self, value: Any) -> str:
        if value is None:
            return "null"
        if type(value) is int:
            return str(value)
        if type(value) is str:
            return self._quoted(value)
        encoded = self._encode(jsonable(value))
        return encoded if self._depth is None else encoded.replace("\n", "\n" + "  " * (self._depth + 1))


def _harmless(encoded: str) -> str:
    """Escape DEL and the C1 controls, which JSON leaves as they are, and a terminal would obey."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", encoded)
