"""What commands return beside frozen dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from itertools import count, starmap
from typing import Any, Generic, TypeVar

from dbctl.records import record

T = TypeVar("T")


class PlainText:
    """Base of result rows that are text to be read, or piped on, as it is, such as SQL."""

    def __str__(self) -> str:
        raise TypeError(f"{type(self).__name__} does not say what its text is")


@record
class Unshown:
    """What is not shown, and yet counted: so many rows."""

    rows: int


class Step:
    """Base of records of which one tells of several rows: of `rows`, or of none that are counted where that is None."""

    rows: int | None


class Markdown(PlainText):
    """Base of text of dbctl's own that is Markdown: laid out on a terminal, and as it is elsewhere."""


@dataclass(frozen=True, slots=True)
class Values:
    """One record, whose columns are known only when it is there; several of them may have different ones.

    Args:
        columns: The columns' names; a value may be such a record itself.
        values: A value for each.
    """

    columns: tuple[str, ...]
    values: Sequence[Any]


class Rows(Generic[T]):
    """Rows as tuples of values below columns, such as a query's, whose columns are known only when it is run.

    To iterate over them draws them, once where the values are an iterator. What shows them takes the values as they
    are, and so makes no object for each row.

    Args:
        columns: The columns' names. One that is there again gets a number, so that no format loses a value.
        values: The rows: each has a value for each column. They may come as they are drawn.
        make: Makes what iterating yields of a row's values.
        conclude: Called when all is shown, where it comes as it is drawn; what it raises is the command's error.
        changed: How many rows were changed, where the rows tell of that.
    """

    def __init__(
        self,
        columns: Sequence[str],
        values: Iterable[Sequence[Any]],
        make: Callable[..., T] | None = None,
        conclude: Callable[[], None] = lambda: None,
        changed: int | None = None,
    ) -> None:
        self.columns = told_apart(columns)
        self.values = values
        self.declared = make is not None
        """Whether the rows are of a declared kind."""
        self._make = make
        self.conclude = conclude
        self.changed = changed

    @classmethod
    def of(cls, kind: Callable[..., T], values: Iterable[Sequence[Any]]) -> Rows[T]:
        """Return rows of a declared dataclass, whose fields the values are in their order."""
        return cls([field.name for field in fields(kind)], values, kind)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[T]:
        made: Any = map(tuple, self.values) if self._make is None else starmap(self._make, self.values)
        return iter(made)

    def through(self, draw: Callable[[Iterable[Sequence[Any]]], Iterable[Sequence[Any]]]) -> Rows[T]:
        """Return the same rows, whose values are drawn by a function."""
        return Rows(self.columns, draw(self.values), self._make, self.conclude)

    def drawn(self) -> Rows[T]:
        """Return the same rows with all values drawn."""
        return Rows(self.columns, list(self.values), self._make, changed=self.changed)


@record
class Single:
    """One value, shown bare: without a name, and as it is."""

    value: Any


@record
class Result:
    """What one of several statements gave.

    Args:
        line: The line that it begins in, from 1.
        statement: Its beginning.
        changed: How many rows it changed; None where it changes none, or does not count them.
        rows: Its rows; None where it returns none.
    """

    line: int
    statement: str
    changed: int | None = None
    rows: Rows[Any] | None = None


class Results:
    """What several statements gave, one after the other.

    Args:
        values: The results. They may come as they are drawn: the rows of one have to be drawn before the next.
        conclude: Called when all is shown, where it comes as it is drawn; what it raises is the command's error.
    """

    def __init__(self, values: Iterable[Result], conclude: Callable[[], None] = lambda: None) -> None:
        self.values = values
        self.conclude = conclude

    def drawn(self) -> Results:
        """Return the same results with all rows drawn."""
        return Results([replace(one, rows=one.rows and one.rows.drawn()) for one in self.values])


@record
class Frame(Generic[T]):
    """What there is at one moment, and what is to be said of it.

    Args:
        rows: Records of one kind.
        notes: Sentences for a person.
    """

    rows: Sequence[T]
    notes: Sequence[str] = ()


class Frames(Iterator[T]):
    """What there is now, and now again: on a screen each in the place of the last one, elsewhere one after another.

    To iterate over them draws their rows.

    Args:
        frames: The frames, as they come.
        leave: Ends them soon: called when a person has seen enough.
    """

    def __init__(self, frames: Iterator[Frame[T]], leave: Callable[[], object] = lambda: None) -> None:
        self.values = frames
        self.leave = leave
        self._rows = (row for frame in frames for row in frame.rows)

    def __next__(self) -> T:
        return next(self._rows)


@record
class Part:
    """Rows of a result below its columns, or a piece of text of it, and whose it is.

    Args:
        whose: The name of what it is of.
        columns: The columns; none of a text.
        rows: A value for each column of each row.
        text: The text.
    """

    whose: str
    columns: tuple[str, ...] = ()
    rows: Sequence[Sequence[Any]] = ()
    text: str = ""


class Gathered:
    """The results of the same on several things, as they come: the thing's name is the first column of each row.

    Args:
        title: What that column is called.
        parts: The parts, as they come.
        whole: Tells at their end whether they are all that there is, and not what is left where some have failed.
    """

    def __init__(self, title: str, parts: Iterable[Part], whole: Callable[[], bool] = lambda: True) -> None:
        self.title, self.whole = title, whole
        self.values = iter(parts)

    def __iter__(self) -> Iterator[Part]:
        return self.values


class Sections:
    """Base of a dataclass of which one is shown in sections: its plain fields, and a table for each list of records.

    JSON has it as one object. What has one header has a row for each record of the lists: the list's name, the
    record's `name`, and its `definition`.
    """


_shower: ContextVar[Callable[[Any], object] | None] = ContextVar("dbctl_shower", default=None)


@contextmanager
def shown_by(shower: Callable[[Any], object]) -> Iterator[None]:
    """Have what is shown in the block before it ends handed to somebody who knows how: a record, several, or Rows."""
    token = _shower.set(shower)
    try:
        yield
    finally:
        _shower.reset(token)


def show(result: Any) -> bool:
    """Show a result at once, as a prompt does, and tell whether there is somebody who does."""
    shower = _shower.get()
    if shower is not None:
        shower(result)
    return shower is not None


def is_drawn(result: object) -> bool:
    """Tell whether a command's result is there as a whole, and not yet to be computed or fetched."""
    return not isinstance(result, Iterator | Rows | Results) or isinstance(getattr(result, "values", None), Sequence)


def drawn(result: Any) -> Any:
    """Return a command's result with all of it computed and fetched."""
    if isinstance(result, Rows | Results):
        return result.drawn()
    return list(result) if isinstance(result, Iterator) else result


def told_apart(names: Sequence[str]) -> tuple[str, ...]:
    """Return columns' names; one that is there again gets a number."""
    taken = set(names)
    seen: set[str] = set()
    found = []
    for name in names:
        unique = name
        if name in seen:
            unique = next(other for number in count(2) if (other := f"{name}_{number}") not in taken)
            taken.add(unique)
        seen.add(unique)
        found.append(unique)
    return tuple(found)
