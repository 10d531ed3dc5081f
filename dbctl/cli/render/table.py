"""A table for people: columns side by side, or a record below another where the screen is too narrow for that.

Its widths are settled on the first rows. On a screen, a later cell that is wider is folded; in a pipe nothing is, so
that a row is a line there and no value is broken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from dbctl.cli.render.layout import GAP, folded, is_simple, longest_word, padded, shares, width_of
from dbctl.cli.render.records import Records, heading, record
from dbctl.cli.render.screen import Screen
from dbctl.cli.render.sheets import Row, Sheet
from dbctl.cli.render.values import PLAIN, is_number, shown, text

_FIRST_ROWS = 1000
_FIRST_SECONDS = 1.0
"""What the widths are settled on: so many rows, or those that came in so many seconds."""

_WIDEST = 200
"""Cells of a column in a pipe, at most: one very long value is not to make each line as long."""

_LEAST_BELOW = 20
"""Cells that the last column needs where long texts stand below it, whose words may be broken."""

_ACROSS = "  "
"""What a text begins with that stands below its row."""


def table(sheet: Sheet, screen: Screen) -> Iterator[str]:
    """Write a result as a table; a single record as a line for each of its values."""
    sheet = sheet.for_people()
    batches = sheet.uniform()
    columns: Sequence[str] = sheet.columns
    rows: list[Row] = []
    began = time.monotonic()
    whole = True
    for batch in batches:
        columns = batch.columns
        rows += batch.rows
        if len(rows) >= _FIRST_ROWS or time.monotonic() - began > _FIRST_SECONDS:
            whole = False
            break
    if sheet.single:
        yield record(columns, rows[0], screen)
        return
    if not columns:
        return
    laid_out = _layout(sheet, columns, rows, screen, whole=whole)
    yield laid_out.head()
    shown_any = bool(rows)
    if rows:
        yield laid_out.lines(rows)
        del rows
    for batch in batches:
        shown_any = shown_any or bool(batch.rows)
        yield laid_out.lines(batch.rows)
    if screen.width is not None and not shown_any:
        yield f"{screen.dim('(no rows)')}\n"


def _layout(
    sheet: Sheet, columns: Sequence[str], rows: Sequence[Row], screen: Screen, *, whole: bool
) -> _Columns | Records:
    """Settle the columns and their widths.

    Where not all fit side by side, those go that no row has a value for, if there will be no more rows.
    """
    found = _widths_of(sheet, columns, rows, screen, ())
    if rows and whole and sheet.declared and (isinstance(found, Records) or not found.fits):
        empty = [name for name, values in zip(columns, zip(*rows, strict=True), strict=True) if _is_empty(values)]
        return _widths_of(sheet, columns, rows, screen, empty) if empty else found
    return found


def _widths_of(
    sheet: Sheet, columns: Sequence[str], rows: Sequence[Row], screen: Screen, left_out: Sequence[str]
) -> _Columns | Records:
    cells = _Cells(columns, sheet, screen, left_out)
    drawn = cells.of(rows)
    headings = [screen.own(heading(columns[index], declared=sheet.declared)) for index in cells.beside]
    wanted = [max([width_of(head), *_widths(column)]) for head, column in zip(headings, drawn, strict=True)]
    numbers = [all(is_number(row[index]) for row in rows if row[index] is not None) for index in cells.beside]
    below = [screen.own(line) for lines in cells.below(rows) for line, _ in lines]
    wanted[-1] = max([wanted[-1], *map(width_of, below)])
    if screen.width is None:
        return _Columns(cells, headings, [min(width, _WIDEST) for width in wanted], numbers, screen)
    if sum(wanted) + len(GAP) * (len(wanted) - 1) <= screen.width:
        return _Columns(cells, headings, wanted, numbers, screen)
    least = [max(map(longest_word, [head, *column])) for head, column in zip(headings, drawn, strict=True)]
    if cells.has_below:
        least[-1] = min(_LEAST_BELOW, max([least[-1], *map(longest_word, below)]))
    if widths := shares(wanted, least, screen.width):
        return _Columns(cells, headings, widths, numbers, screen, fits=False)
    return Records(columns, cells.text, screen, sheet.cut, declared=sheet.declared)


class _Cells:
    """What stands in a table's cells.

    A long text would squeeze the other columns: one whose field has a mark for it stands below the last column's, or
    below its row, across all of it.

    Args:
        columns: The columns' names.
        sheet: The result.
        left_out: The names of columns that are not shown.
    """

    def __init__(self, columns: Sequence[str], sheet: Sheet, screen: Screen, left_out: Sequence[str] = ()) -> None:
        self._visible = screen.visible
        marked = [index for index, name in enumerate(columns) if name in sheet.marks]
        self._across = [index for index, name in enumerate(columns) if name in sheet.across]
        self._cut = [index for index in self._across if columns[index] in sheet.cut]
        self._room = None if screen.width is None else max(1, screen.width - len(_ACROSS))
        gone = {*marked, *self._across, *(index for index, name in enumerate(columns) if name in left_out)}
        self.beside = [index for index in range(len(columns)) if index not in gone]
        self._below = [(index, sheet.marks[columns[index]]) for index in marked]
        self.has_below = bool(marked)
        self.text: Callable[[Any], str] = shown if sheet.declared else text

    def of(self, rows: Sequence[Row]) -> list[Sequence[str]]:
        """Return the texts of the cells, by the column."""
        if not rows:
            return [() for _ in self.beside]
        columns = list(zip(*rows, strict=True))
        return [self._texts(columns[index]) for index in self.beside]

    def _texts(self, values: Sequence[Any]) -> Sequence[str]:
        kinds = set(map(type, values))
        if kinds == {int}:
            return list(map(str, values))
        if kinds <= PLAIN:
            values = ["" if value is None else str(value) for value in values]
        else:
            values = ["" if value is None else self.text(value) for value in values]
        return values if "".join(values).isprintable() else list(map(self._visible, values))

    def across(self, row: Row) -> list[str]:
        """Return the texts that stand below a row."""
        return [self._text_across(index, self.text(row[index])) for index in self._across if row[index] is not None]

    def _text_across(self, index: int, found: str) -> str:
        if index not in self._cut:
            return self._visible(found)
        line = self._visible(" ".join(found.split()))
        if self._room is None or width_of(line) <= self._room:
            return line
        return f"{next(folded(line, max(1, self._room - 1)))}…"

    def below(self, rows: Sequence[Row]) -> list[list[tuple[str, bool]]]:
        """Return for each row the lines that stand below its last cell, and whether they are faint."""
        if not self._below:
            return []
        return [
            [
                (f"{mark}{self._visible(self.text(row[index]))}", not mark)
                for index, mark in self._below
                if row[index] is not None
            ]
            for row in rows
        ]


class _Columns:
    """A table with columns of these widths side by side.

    A later cell that is wider moves its column's end, as long as the screen has room, or in a pipe within bounds.
    """

    def __init__(
        self,
        cells: _Cells,
        headings: Sequence[str],
        widths: Sequence[int],
        numbers: Sequence[bool],
        screen: Screen,
        *,
        fits: bool = True,
    ) -> None:
        self.fits = fits
        """Whether each column is as wide as it would like to be."""
        self._cells = cells
        self._headings = headings
        self._widths = list(widths)
        self._most = [min(_WIDEST, 2 * width + 10) for width in widths]
        self._numbers = numbers
        self._screen = screen

    def head(self) -> str:
        """Return the headings and the rule below them."""
        lines = self._folded_row([head or " " for head in self._headings], [])
        return "".join(f"{self._screen.bold(line)}\n" for line in lines) + self._screen.rule(self._total) + "\n"

    @property
    def _total(self) -> int:
        return sum(self._widths) + len(GAP) * (len(self._widths) - 1)

    def lines(self, rows: Sequence[Row]) -> str:
        """Return the lines of some rows."""
        columns = self._cells.of(rows)
        simple = [is_simple("".join(column)) for column in columns]
        self._grow([max(_widths(column)) for column in columns])
        template = GAP.join(map(_template, simple, self._widths, self._numbers))
        fitted = zip(*map(_fitted, columns, simple, self._widths, self._numbers), strict=True)
        lines = list(map(_without_end, map(template.__mod__, fitted)))
        below = self._cells.below(rows)
        for index in range(len(rows)) if below else self._tall(columns):
            row = [column[index] for column in columns]
            lines[index] = "\n".join(self._folded_row(row, below[index] if below else []))
        for index, row_values in enumerate(rows):
            for text_across in self._cells.across(row_values):
                lines[index] += "".join(f"\n{_ACROSS}{line}" for line in self._folded_across(text_across))
        return "\n".join(lines) + "\n"

    def _folded_across(self, text_across: str) -> Iterable[str]:
        width = self._screen.width
        return [text_across] if width is None else folded(text_across, max(1, width - len(_ACROSS)))

    def _grow(self, found: Sequence[int]) -> None:
        for index, width in enumerate(found):
            more = width - self._widths[index]
            room = self._most[index] - self._widths[index]
            if self._screen.width is not None:
                room = self._screen.width - self._total
            if 0 < more <= room:
                self._widths[index] = width

    def _tall(self, columns: Sequence[Sequence[str]]) -> Iterable[int]:
        """Return which rows take more than one line."""
        if self._screen.width is None:
            return ()
        tall: set[int] = set()
        for column, most in zip(columns, self._widths, strict=True):
            tall.update(index for index, width in enumerate(_widths(column)) if width > most)
        return tall

    def _folded_row(self, row: Sequence[str], below: Sequence[tuple[str, bool]]) -> Iterator[str]:
        """Return the lines of one row, each cell folded to its width."""
        folds = self._screen.width is not None
        cells = [list(folded(cell, width)) if folds else [cell] for cell, width in zip(row, self._widths, strict=True)]
        styles = [False] * len(cells[-1])
        for text_below, faint in below:
            own = self._screen.own(text_below)
            some = list(folded(own, self._widths[-1])) if folds else [own]
            cells[-1] = [*cells[-1], *some]
            styles += [faint] * len(some)
        for number in range(max(map(len, cells))):
            parts = [
                padded(lines[number] if number < len(lines) else "", width, right=right)
                for lines, width, right in zip(cells, self._widths, self._numbers, strict=True)
            ]
            if number < len(styles) and styles[number]:
                parts[-1] = self._screen.dim(parts[-1].rstrip(" "))
            yield GAP.join(parts).rstrip(" ")


def _template(simple: bool, width: int, number: bool) -> str:
    """Return what makes a cell as wide as its column; it counts characters, and so is no use where one takes two."""
    return f"%{'' if number else '-'}{width}s" if simple else "%s"


def _fitted(column: Sequence[str], simple: bool, width: int, number: bool) -> Sequence[str]:
    return column if simple else [padded(cell, width, right=number) for cell in column]


def _is_empty(values: Sequence[Any]) -> bool:
    return all(value is None for value in values)


def _widths(cells: Sequence[str]) -> Iterator[int]:
    return map(len if is_simple("".join(cells)) else width_of, cells)


def _without_end(line: str) -> str:
    return line.rstrip(" ")
