"""Comparing a table with its copy: by a sum of both servers where they can say the same, else row by row, streamed.

A sum does not depend on the order of rows, and is kept for each of some thousand buckets of keys; so what differs is
found by reading once more those buckets that do, in constant memory.
"""

from __future__ import annotations

import json
import logging
import re
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from dbctl.backends.exports import Selection, Texts
from dbctl.backends.kinds import Kind, digits_of
from dbctl.bulk.terms import rows_in_words
from dbctl.connections.watching import raise_if_ended
from dbctl.errors import WorkRefused
from dbctl.work.progress import report

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dbctl.backends.bulk import Bulk
    from dbctl.backends.kinds import BulkColumn
    from dbctl.bulk.plans import Plan
    from dbctl.bulk.reading_out import Moment

_log = logging.getLogger("dbctl")

_BUCKETS = 4096
_FEW = 8
"""Buckets that are read once more, and keys that are told."""

_WORD = 1 << 64
_LIKE_ANOTHER = re.compile(r"b?['\"]|[-+.\d]|inf|nan")
"""How texts begin that are quoted where values have their own types, for a number or bytes could be told so."""

_SINGLE = struct.Struct("f")
_POWER = re.compile(r"-?\d(?:\.\d+)?e[-+]\d{2,3}", re.ASCII)
"""How a float is written that is very large or small."""

_MOST_DIGITS = 4000
"""Digits of a whole number that is compared as such: Python writes few more."""

_NULL, _BETWEEN = "\0NULL", "\x1f"
"""What stands for NULL in a row's text, and between two values."""

Read = Callable[[Callable[[Sequence[Texts]], None]], None]


def verify(moment: Moment, backend: Bulk, connection: Connection, plan: Plan, *, masked: bool) -> None:
    """Compare a table with its copy.

    Args:
        moment: The source.
        backend: That of the target.
        connection: The target's connection, in the transaction that has the copy.
        plan: How it was copied.
        masked: Whether no key is told, for it is a value too.

    Raises:
        WorkRefused: They differ; the message names keys, or how many there are.
    """
    copied = backend.selected(plan.pair.target, plan.own, where=plan.where_there)
    backend.set_texts(connection)
    if moment.backend.__class__ is backend.__class__ and not any(plan.converts) and not plan.masked:
        sums = moment.backend.checksum(moment.connection, plan.readable.selection)
        if sums is not None and sums == backend.checksum(connection, copied):
            return
    if plan.uncertain:
        names = ", ".join(sorted(plan.uncertain))
        _log.warning("%s: of what loses its own it is compared only where there is NULL: %s", plan.pair.name, names)
    comparison = _Comparison(plan, _reader(moment.backend, moment.connection, plan.readable.selection, plan.converted),
                             _reader(backend, connection, copied, list))  # fmt: skip
    keys, more = comparison.differences()
    if keys:
        told = f"{rows_in_words(len(keys))}, of which no key is told" if masked else ", ".join(keys)
        text = f"{plan.pair.name}: the copy is not what is in the source; they differ in {told}"
        raise WorkRefused(f"{text}, and more" if more else text)


def _reader(
    backend: Bulk, connection: Connection, selection: Selection, change: Callable[[Sequence[Texts]], Sequence[Texts]]
) -> Read:
    return lambda take: backend.read_rows(connection, selection, lambda columns: take(change(columns)))


class _Comparison:
    """Two readings of what is to be the same rows.

    Args:
        plan: What their columns are, and which of them are the key.
        one: The first reading.
        two: The second.
    """

    def __init__(self, plan: Plan, one: Read, two: Read) -> None:
        self._plan, self._reads = plan, (one, two)
        names = [column.name for column in plan.own]
        self._key = [names.index(name) for name in plan.key if name in names] or list(range(len(names)))
        self._plain = [
            _there if one.name in plan.uncertain else plan.alike.get(one.name) or _plain_of(one) for one in plan.own
        ]

    def differences(self) -> tuple[Sequence[str], bool]:
        """Return the keys of some rows that are not the same in both, and whether there are more."""
        sums = [[0] * _BUCKETS, [0] * _BUCKETS]
        for read, found in zip(self._reads, sums, strict=True):
            self._each(read, partial(_add, found))
        differing = [bucket for bucket in range(_BUCKETS) if sums[0][bucket] != sums[1][bucket]]
        keys = self._keys({*differing[:_FEW]}) if differing else ()
        return keys[:_FEW], len(keys) > _FEW or len(differing) > _FEW

    def _keys(self, buckets: set[int]) -> Sequence[str]:
        there: list[Counter[tuple[str, int]]] = [Counter(), Counter()]
        for read, found in zip(self._reads, there, strict=True):
            self._each(read, partial(_keep, found, buckets))
        return sorted({text for text, _ in (there[0] - there[1]) + (there[1] - there[0])})

    def _each(self, read: Read, take: Callable[[Sequence[str], Sequence[str]], None]) -> None:
        """Call something with some rows' keys and with all that is in them, as texts."""
        seen = 0

        def look(columns: Sequence[Texts]) -> None:
            nonlocal seen
            raise_if_ended()
            plain = list(map(_plain, self._plain, columns))
            take(list(map(_BETWEEN.join, zip(*(plain[place] for place in self._key), strict=True))),
                 list(map(_BETWEEN.join, zip(*plain, strict=True))))  # fmt: skip
            seen += len(columns[0])
            report(seen, None, "rows", f"comparing {self._plan.pair.name}")

        read(look)


def _add(sums: list[int], keys: Sequence[str], rows: Sequence[str]) -> None:
    for key, row in zip(map(hash, keys), map(hash, rows), strict=True):
        sums[key % _BUCKETS] = (sums[key % _BUCKETS] + row) % _WORD


def _keep(there: Counter[tuple[str, int]], buckets: set[int], keys: Sequence[str], rows: Sequence[str]) -> None:
    there.update((key, hash(row)) for key, row in zip(keys, rows, strict=True) if hash(key) % _BUCKETS in buckets)


def _plain(make: Callable[[str], str] | None, values: Texts) -> Sequence[str]:
    if make is None:
        return [_NULL if value is None else value for value in values]
    return [_NULL if value is None else make(value) for value in values]


def _plain_of(column: BulkColumn) -> Callable[[str], str] | None:
    return _as_single if column.single else _PLAIN.get(column.kind)


def _as_single(value: str) -> str:
    """Return a number as the nearest of 32 bits, whose texts may be those of several of 64."""
    return _SINGLE.pack(float(value) + 0.0).hex()


def _as_float(value: str) -> str:
    """Return a number with one text for it, of 0 without a sign, which not all databases have, and which is equal."""
    return repr(float(value) + 0.0)


def _there(_: str) -> str:
    """Return the same for all values, which are as good as any other."""
    return ""


def _without_zeros(value: str) -> str:
    """Return a number, or a time, without the zeros behind its point that mean nothing."""
    number, zone = (value[:-3], value[-3:]) if value.endswith("+00") else (value, "")
    if "." in number and "e" not in number:
        number = number.rstrip("0").rstrip(".")
    return f"{number}{zone}" if number != "-0" else "0"


def _decimal(value: str) -> str:
    """Return a number, which a float's text may be, without the zeros behind its point, and without a power."""
    return _without_zeros(format(Decimal(value), "f") if _POWER.fullmatch(value) else value)


def _document(value: str) -> str:
    """Return a document as each database would have it: without blanks, with its names in order, and 1e2 as 100."""
    try:
        return json.dumps(json.loads(value, parse_float=_number_of_document), sort_keys=True)
    except (ValueError, ArithmeticError, RecursionError):
        return value


def _number_of_document(value: str) -> int | float:
    exact = Decimal(value)
    whole = exact == exact.to_integral_value() and exact.adjusted() < _MOST_DIGITS
    return int(exact) if whole else float(value)


_PLAIN: Mapping[Kind, Callable[[str], str]] = {
    Kind.DECIMAL: _decimal,
    Kind.FLOAT: _as_float,
    Kind.TIME: _without_zeros,
    Kind.SPAN: _without_zeros,
    Kind.INTERVAL: _without_zeros,
    Kind.TIMESTAMP: _without_zeros,
    Kind.INSTANT: _without_zeros,
    Kind.JSON: _document,
    Kind.UUID: digits_of,
    Kind.STORED: lambda value: value if isinstance(value, str) and not _LIKE_ANOTHER.match(value) else repr(value),
}
"""What makes one text of all that databases write for the same value."""
