"""Records for people: a line for each value, where no table is made or the screen is too narrow for one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from dbctl.cli.render.layout import GAP, folded, padded, width_of
from dbctl.cli.render.screen import Screen
from dbctl.cli.render.sheets import Row
from dbctl.cli.render.values import shown
from dbctl.cli.report import visible


class Records:
    """A record below another, a line for each value; of data also for each that is null."""

    def __init__(
        self,
        columns: Sequence[str],
        write: Callable[[Any], str],
        screen: Screen,
        cut: Collection[str] = (),
        *,
        declared: bool = True,
    ) -> None:
        self._columns = columns
        self._cut = cut
        self._declared = declared
        self._write = write
        self._screen = screen
        self._between = ""

    def head(self) -> str:
        """Return nothing: each line has its own heading."""
        return ""

    def lines(self, rows: Sequence[Row]) -> str:
        """Return the lines of some rows, with an empty one between two."""
        written = []
        for row in rows:
            values = [self._short(value) if name in self._cut else value for name, value in self._named(row)]
            one = record(self._columns, values, self._screen, self._write, declared=self._declared)
            written.append(self._between + one)
            self._between = "\n"
        return "".join(written)

    def _named(self, row: Row) -> Iterator[tuple[str, Any]]:
        return zip(self._columns, row, strict=True)

    def _short(self, value: Any) -> Any:
        """Return a text of which a screen shows no more than fits in one line of it, all told."""
        if not isinstance(value, str) or self._screen.width is None:
            return value
        line = " ".join(value.split())
        return line if len(line) <= self._screen.width else f"{line[: self._screen.width - 1]}…"


def record(
    columns: Sequence[str],
    row: Row,
    screen: Screen,
    write: Callable[[Any], str] = shown,
    *,
    declared: bool = True,
) -> str:
    """Return a line for each value that is there, behind its name; of data also for each that is null."""
    there = [
        (screen.own(heading(name, declared=declared)), "" if value is None else screen.visible(write(value)))
        for name, value in zip(columns, row, strict=True)
        if value is not None or not declared
    ]
    width = max((width_of(name) for name, _ in there), default=0)
    lines: list[str] = []
    for name, value in there:
        room = None if screen.width is None else max(1, screen.width - width - len(GAP))
        first, *others = [value] if room is None else list(folded(value, room)) or [""]
        lines.append(f"{screen.bold(padded(name, width, right=False))}{GAP}{first}".rstrip(" "))
        lines += [f"{' ' * width}{GAP}{other}".rstrip(" ") for other in others]
    return "".join(f"{line}\n" for line in lines)


def heading(column: str, *, declared: bool = True) -> str:
    """Return a column's name as a person reads it, or for data, as the database has it."""
    return visible(column.replace("_", " ").replace(".", " · ") if declared else column)
