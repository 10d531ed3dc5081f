"""Rows in bulk into a table: by the database's own way to load, with the row that it refuses told apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from dbctl.backends.base import Backend
from dbctl.backends.exports import Exports
from dbctl.backends.kinds import BulkColumn, Kind, digits_of
from dbctl.errors import Conflict
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection

Column = Sequence[Any]
"""The values of one column: texts, and None for NULL."""

Taken = Callable[[Column], Column]
"""Makes of a column's texts what a database takes for them."""


@record
class Rows:
    """Rows of a file, by columns, as they are checked and loaded.

    Args:
        file: The file's name.
        names: The names of the columns.
        lines: In which line of the file each row begins.
        columns: A column for each name.
        counted: What is counted in the file: lines, or rows where it has none.
    """

    file: str
    names: Sequence[str]
    lines: Sequence[int]
    columns: Sequence[Column]
    counted: str = "line"

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.lines)

    def part(self, start: int, stop: int | None = None) -> Rows:
        """Return some of the rows."""
        return replace(self, lines=self.lines[start:stop], columns=[column[start:stop] for column in self.columns])

    def without(self, bad: Collection[int]) -> Rows:
        """Return the rows but for those with these indexes."""
        if not bad:
            return self
        kept = [index for index in range(len(self)) if index not in bad]
        columns = [[column[index] for index in kept] for column in self.columns]
        return replace(self, lines=[self.lines[index] for index in kept], columns=columns)

    def row(self, index: int) -> tuple[Any, ...]:
        """Return the values of one row."""
        return tuple(column[index] for column in self.columns)


@record
class Ragged:
    """A row with more or fewer values than there are columns."""

    line: int
    values: Sequence[Any]
    expected: int


@record
class Delimited:
    """Rows of a file as they stand in it, whole lines in UTF-8, for a server that reads such by itself.

    Args:
        names: The names of the columns.
        format: csv or tsv.
        delimiter: What separates values.
        null: The text that stands for NULL.
        data: The lines.
        rows: Reads the same as `Rows`, and tells which have more or fewer values than there are columns.
    """

    names: Sequence[str]
    format: str
    delimiter: str
    null: str
    data: bytes
    rows: Callable[[], tuple[Rows, Sequence[Ragged]]]


class Run(Protocol):
    """Lines of one file, part by part."""

    @property
    def first(self) -> Delimited:
        """The first part; the others are of the same kind."""

    def __iter__(self) -> Iterator[Delimited]:
        """Yield the parts."""


@record
class Fault:
    """Why a row can't be loaded.

    Args:
        reason: Why, in a few words.
        index: Which row it is of those that were loaded; None where the database does not tell.
        column: The column, where one is to blame.
        line: Which line of what was loaded, from 1, where the database counts these.
        key: The values of columns by which the row is known.
        bare: Why, where no value may be told, and the reason may hold a part of one; None where it holds none, or all.
    """

    reason: str
    index: int | None = None
    column: str | None = None
    line: int | None = None
    key: Sequence[tuple[str, str]] = ()
    bare: str | None = None


class Refused(Exception):
    """Rows that the database did not take as they are, though it raised nothing."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault


@record
class Target:
    """Where rows are loaded to.

    Args:
        schema: The table's schema, or None for the default one.
        name: The table's name.
        kinds: The columns that the rows have, in their order.
        conflict: What becomes of a row whose key is there already: error, skip or update.
        key: The columns of that key.
        strict: Whether what the database would bend is refused.
        staged: Whether the rows come from a table of their own by one INSERT, which does not tell what it refuses.
        exact: Whether that is so too of a value of the column's kind which it would change.
    """

    schema: str | None
    name: str
    kinds: Sequence[BulkColumn]
    conflict: str = "error"
    key: Sequence[str] = ()
    strict: bool = True
    staged: bool = False
    exact: bool = True

    @property
    def columns(self) -> Sequence[str]:
        """The columns' names."""
        return [one.name for one in self.kinds]

    @property
    def others(self) -> Sequence[str]:
        """The columns that an update sets."""
        return [name for name in self.columns if name not in self.key]


class Bulk(Exports, Backend):
    """The part of a backend that loads rows; each database's own way is an override."""

    bends: ClassVar[Collection[Kind]] = ()
    """The kinds whose values this database would bend without a word, so that they are checked before."""
    empties_at_once: ClassVar[bool] = False
    """Whether TRUNCATE is undone by ROLLBACK."""
    searches: ClassVar[bool] = False
    """Whether it does not always tell which row it refuses, so that this is found by loading some at a time."""
    cell_key = re.compile(r"Key \((?P<columns>.*?)\)=\((?P<values>.*?)\)")

    untyped: ClassVar[bool] = False
    """Whether it keeps anything in any column."""

    def taken(self, column: BulkColumn) -> Taken | None:
        """Return what makes of the files' texts what this database takes for them; None where that is the same."""
        if not column.hexed:
            return None
        return lambda values: [None if value is None else digits_of(value) for value in values]

    looks_itself: ClassVar[bool] = False
    """Whether it looks at all that stands in lines which it `reads`, but for what it `bends`."""
    reads_quotes: ClassVar[bool] = True
    """Whether it takes the quotes from values in lines of CSV."""

    def as_it_is(self, column: BulkColumn) -> str | None:
        """Return a regular expression of values that are taken as they stand in lines which it `reads`.

        Returns:
            "" for whatever is no more than text, if it fits; other values fit too; None where there is no saying.
        """
        return "" if self.taken(column) is None else None

    def form(self, column: BulkColumn) -> str:
        """Return the SQL by which the database makes a value of what it was given, which stands as `{}` in it."""
        return "{}"

    def reads(self, delimited: Delimited) -> bool:
        """Tell whether it reads a file's lines by itself, as they stand."""
        return False

    def load_lines(self, connection: Connection, target: Target, lines: Run) -> tuple[int, int]:
        """Load lines of a file as they stand, of which some are drawn at a time, while the others are looked at.

        Returns:
            How many rows there are, and how many were written.

        Raises:
            Refused: The database has bent or left out some.
            Exception: What the driver raises, or what comes of drawing.
        """
        raise NotImplementedError

    @contextmanager
    def takes_rows(self, connection: Connection, *, strict: bool) -> Iterator[None]:
        """Have the session read texts as files have them, within the block.

        Args:
            connection: The connection, in a transaction.
            strict: Whether values that do not fit are refused.
        """
        yield

    def needs_insert(self, connection: Connection, target: Target) -> bool:
        """Tell whether only an INSERT writes a table's rows as its rules and policies want them."""
        return False

    def prepare_load(self, connection: Connection, target: Target) -> None:
        """Do what comes before the first rows of a load."""

    def load_rows(self, connection: Connection, target: Target, rows: Rows) -> int:
        """Load rows in the connection's transaction.

        Returns:
            How many rows were written.

        Raises:
            Refused: The database has bent or left out some.
            Exception: What the driver raises.
        """
        raise NotImplementedError

    def kept_out(self, connection: Connection, target: Target, missing: int) -> int | None:
        """Return how many of the rows loaded last were kept from the table by a trigger, not by a key that is there.

        Args:
            connection: The connection.
            target: The table, where rows are skipped whose key is there.
            missing: How many of them were not written.

        Returns:
            The rows; None where it is some, and the database does not tell.
        """
        return 0

    def conclude_load(self, connection: Connection, target: Target) -> None:
        """Do what comes after the last rows: let numbers that the table gives by itself go on behind those loaded."""

    def fault_of(self, error: BaseException, target: Target) -> Fault | None:
        """Return what a driver's error says of a row; None where it is about something else."""
        raise NotImplementedError

    def is_of_a_row(self, error: BaseException) -> bool:
        """Tell whether an error is about what a row holds."""
        return isinstance(self.translate(error), Conflict)

    def place(self, target: Target) -> str:
        """Return the table's name as SQL."""
        return ".".join(self.sql_name(part) for part in (target.schema, target.name) if part is not None)

    def names(self, names: Iterable[str]) -> str:
        """Return names as a list in SQL."""
        return ", ".join(map(self.sql_name, names))
