"""What commands return beside frozen dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from itertools import count, starmap
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class PlainText:
    """Base of result rows that are text to be read, or piped on, as it is, such as SQL."""

    def __str__(self) -> str:
        raise TypeError(f"{type(self).__name__} does not say what its text is")


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
    """

    def __init__(
        self, columns: Sequence[str], values: Iterable[Sequence[Any]], make: Callable[..., T] | None = None
    ) -> None:
        self.columns = told_apart(columns)
        self.values = values
        self.declared = make is not None
        """Whether the rows are of a declared kind."""
        self._make = make

    @classmethod
    def of(cls, kind: Callable[..., T], values: Iterable[Sequence[Any]]) -> Rows[T]:
        """Return rows of a declared dataclass, whose fields the values are in their order."""
        return cls([field.name for field in fields(kind)], values, kind)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[T]:
        made: Any = map(tuple, self.values) if self._make is None else starmap(self._make, self.values)
        return iter(made)

    def drawn(self) -> Rows[T]:
        """Return the same rows with all values drawn."""
        return Rows(self.columns, list(self.values), self._make)


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
    return not isinstance(result, Iterator | Rows) or isinstance(getattr(result, "values", None), Sequence)


def drawn(result: Any) -> Any:
    """Return a command's result with all of it computed and fetched."""
    if isinstance(result, Rows):
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
