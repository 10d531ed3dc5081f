"""What a command returned, as batches of tuples below columns: the one form that all formats are written from.

Rows come in batches so that they are turned into text by the column, at the speed of C. The first batch has one row, so
that whoever waits for it gets it at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, get_args, get_type_hints

from dbctl.cli.render.values import is_range, is_record
from dbctl.errors import ConfigError, UsageError
from dbctl.records import record
from dbctl.results import Frames, Gathered, PlainText, Rows, Values

Row = Sequence[Any]

MOST: int = 1000
"""Rows of a batch, at most."""

_AT_ONCE = 10
"""Rows after which is looked at the clock; where it is not known yet how soon they come, after each."""

_SLOW = 0.1
"""Seconds after which a batch is handed on with what it has: what is there is to be seen."""


@record
class Batch:
    """Rows below the same columns."""

    columns: tuple[str, ...]
    rows: Sequence[Row]


@record
class Sheet:
    """A result.

    Args:
        batches: Its rows as they come.
        columns: Its columns, where they are known without a row.
        single: Whether it is one record, and no list that happens to have one.
        marks: The columns whose text stands below the last one's, and what it is marked with.
        across: The columns whose text stands below its row, across all of it.
        for_programs: The columns that no table shows: it says in words what they say in figures.
        declared: Whether it was made for people to read too; else it is data, to be shown as it is.
        cut: Those of the columns across of which a screen shows no more than fits in one line.
        whole: Tells at the end whether the rows are all that there are; a part of them is never to be taken for that.
    """

    batches: Iterator[Batch]
    columns: tuple[str, ...] = ()
    single: bool = False
    marks: Mapping[str, str] = field(default_factory=dict)
    across: Collection[str] = ()
    for_programs: Collection[str] = ()
    declared: bool = True
    cut: Collection[str] = ()
    whole: Callable[[], bool] = lambda: True

    def for_people(self) -> Sheet:
        """Return the same without the columns for programs."""
        if not self.for_programs:
            return self

        def kept(names: Sequence[str], values: Sequence[Any]) -> tuple[Any, ...]:
            return tuple(value for name, value in zip(names, values, strict=True) if name not in self.for_programs)

        batches = (
            Batch(kept(batch.columns, batch.columns), [kept(batch.columns, row) for row in batch.rows])
            for batch in self.batches
        )
        return replace(self, batches=batches, columns=kept(self.columns, self.columns), for_programs=())

    def uniform(self) -> Iterator[Batch]:
        """Return the batches, for a format in which all rows have the same columns.

        Raises:
            UsageError: A row has others.
        """
        columns = None
        for batch in self.batches:
            columns = columns or batch.columns
            if batch.columns != columns:
                raise UsageError(
                    "the result's rows have different columns, which only JSON can show", "say --output jsonl"
                )
            yield batch


def is_text(first: object) -> bool:
    """Tell whether a result that begins so is text to be read, or piped on, as it is."""
    return isinstance(first, PlainText)


def sheet_of(
    result: Any, function: Callable[..., Any], extra: Mapping[str, Any], *, flat: bool, people: bool = False
) -> Sheet:
    """Return a command's result as a sheet.

    Args:
        result: What it returned: a dataclass or Values, several, or Rows.
        function: The command function, whose return annotation tells the columns where there are no rows.
        extra: Values to add to each row, by column.
        flat: Whether dataclasses within a row become columns with dotted names.
        people: Whether it is for people, who get some columns that programs do not.

    Raises:
        ConfigError: It is nothing that can be shown.
    """
    names, values = tuple(extra), tuple(extra.values())
    if isinstance(result, Gathered):
        batches = (Batch(part.columns, part.rows) for part in result.values)
        return replace(_marked(function), batches=batches, whole=result.whole)
    if isinstance(result, Rows):
        columns = (*result.columns, *names)
        batches = (Batch(columns, rows) for rows in _batched(result.values))
        if values:
            batches = (Batch(columns, [(*row, *values) for row in batch.rows]) for batch in batches)
        return Sheet(batches, columns, declared=result.declared)
    single = is_record(result)
    if not single and (isinstance(result, str | bytes | Mapping) or not isinstance(result, Iterable)):
        raise _not_shown(function, result)
    kind = _declared(function)
    reading = _Reading(function, names, values, flat, single, people)
    several = _frames(result) if isinstance(result, Frames) else _batched([result] if single else result)
    batches = (Batch(*part) for rows in several for part in reading.parts(rows))
    known = (*(name for name, _ in reading.columns_of(kind, None)), *names) if kind else ()
    return replace(_marked(function), batches=batches, columns=known, single=single)


def _marked(function: Callable[..., Any]) -> Sheet:
    """Return a sheet without rows, which knows how the columns of a function's results are shown."""
    every = [each for kind in _dataclasses(_returned(function)) for each in fields(kind)]
    marks = {each.name: each.metadata["below"] for each in every if "below" in each.metadata}
    across = [each.name for each in every if "across" in each.metadata]
    for_programs = [each.name for each in every if not each.metadata.get("table", True)]
    cut = [each.name for each in every if each.metadata.get("across") == "cut"]
    return Sheet(iter(()), (), False, marks, across, for_programs, cut=cut)


@dataclass
class _Reading:
    """How objects become tuples."""

    function: Callable[..., Any]
    extra_names: tuple[str, ...]
    extra: tuple[Any, ...]
    flat: bool
    single: bool
    people: bool = False
    _known: dict[type, tuple[tuple[str, ...], Callable[[Any], Row]]] = field(default_factory=dict)

    def parts(self, objects: Sequence[Any]) -> Iterator[tuple[tuple[str, ...], Sequence[Row]]]:
        """Return the tuples of objects, a part for each run of objects of one type."""
        for kind, run in groupby(objects, type):
            some = list(run)
            if kind is Values:
                for columns, values in self._values(some):
                    yield (*columns, *self.extra_names), [(*row, *self.extra) for row in values]
                continue
            if kind not in self._known:
                self._known[kind] = self._learn(some[0])
            columns, read = self._known[kind]
            rows: Sequence[Row] = list(map(read, some))
            yield columns, [(*row, *self.extra) for row in rows] if self.extra else rows

    def _values(self, records: Sequence[Values]) -> Iterator[tuple[tuple[str, ...], list[Row]]]:
        """Yield the columns of records, and the rows that have the same; a record in another is several columns."""
        flat = [_flat(record) for record in records] if self.flat else records
        for columns, same in groupby(flat, attrgetter("columns")):
            yield columns, [record.values for record in same]

    def _learn(self, first: Any) -> tuple[tuple[str, ...], Callable[[Any], Row]]:
        if not is_record(first):
            raise _not_shown(self.function, first)
        columns = self.columns_of(type(first), first)
        names = tuple(name for name, _ in columns)
        paths = [path for _, path in columns]
        plain = len(paths) > 1 and all(len(path) == 1 for path in paths)
        read: Callable[[Any], Row] = attrgetter(*names) if plain else lambda item: [_at(item, path) for path in paths]
        return (*names, *self.extra_names), read

    def columns_of(self, kind: Any, first: Any, above: tuple[str, ...] = ()) -> list[tuple[str, tuple[str, ...]]]:
        """Return the columns of a dataclass, each with the path to its value.

        Where the first row has None for a dataclass within, the annotation tells its columns.
        """
        found: list[tuple[str, tuple[str, ...]]] = []
        for each in fields(kind):
            if not (self.people or each.metadata.get("programs", True)):
                continue
            path = (*above, each.name)
            value = None if first is None else getattr(first, each.name)
            within = type(value) if is_record(value) else None
            if value is None and self.flat and not self.single:
                within = _dataclass_in(kind, each.name)
            if within is not None and self.flat:
                found += self.columns_of(within, value, path)
            else:
                found.append((".".join(path), path))
        return found


def _frames(frames: Frames[Any]) -> Iterator[Sequence[Any]]:
    """Yield the rows of each frame that has some, as soon as it is there."""
    return (frame.rows for frame in frames.values if frame.rows)


def _batched(values: Iterable[Any]) -> Iterator[list[Any]]:
    rows, size = iter(values), 1
    while True:
        began = time.monotonic()
        batch: list[Any] = []
        slow = False
        at_once = _AT_ONCE if size > _AT_ONCE else 1
        while len(batch) < size and not slow:
            some = list(islice(rows, min(at_once, size - len(batch))))
            if not some:
                break
            batch += some
            slow = time.monotonic() - began > _SLOW
        if not batch:
            return
        yield batch
        size = 1 if slow else min(size * 10, MOST)


def _flat(record: Values) -> Values:
    if not any(isinstance(value, Values) for value in record.values):
        return record
    columns: list[str] = []
    values: list[Any] = []
    for name, value in zip(record.columns, record.values, strict=True):
        within = _flat(value) if isinstance(value, Values) else None
        columns += [name] if within is None else [f"{name}.{column}" for column in within.columns]
        values += [value] if within is None else within.values
    return Values(tuple(columns), values)


def _at(item: Any, path: Sequence[str]) -> Any:
    for name in path:
        item = None if item is None else getattr(item, name)
    return item


def _declared(function: Callable[..., Any]) -> Any:
    """Return the dataclass that a command says its rows are; None where they are of several kinds."""
    annotation = _returned(function)
    kind = next(iter(get_args(annotation)), annotation)
    return kind if is_dataclass(kind) else None


def _returned(function: Callable[..., Any]) -> Any:
    """Return the annotation of what a function returns; None where only type checkers can read it."""
    try:
        return get_type_hints(function).get("return")
    except (NameError, TypeError, AttributeError, SyntaxError):
        return None


def _dataclasses(annotation: Any) -> Iterator[Any]:
    """Yield all dataclasses that a result may have as its rows, or be."""
    if is_dataclass(annotation):
        yield annotation
    for each in get_args(annotation):
        yield from _dataclasses(each)


def _dataclass_in(kind: Any, name: str) -> Any:
    """Return the dataclass that a field's value may be by its annotation: `X`, or `X | None`."""
    try:
        hint = get_type_hints(kind)[name]
    except NameError:
        return None  # names that are there only for type checkers
    kinds = (each for each in (hint, *get_args(hint)) if isinstance(each, type) and is_dataclass(each))
    return next((each for each in kinds if not is_range(each)), None)


def _not_shown(function: Callable[..., Any], what: object) -> ConfigError:
    return ConfigError(
        f"{function.__module__}: {type(what).__name__} can't be shown as a result",
        "a command returns a dataclass, several of them, or dbctl.results.Rows",
    )
