"""A live screen: gauges, small lines and tables in the place of what was there, until q, Ctrl-C, or their end."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dbctl.charts.model import Board, Gauge, amount
from dbctl.charts.shown import Live
from dbctl.cli.prompts import on_the_way_out
from dbctl.cli.render.charts import spark
from dbctl.cli.render.live import LEAVING
from dbctl.cli.render.screen import Screen
from dbctl.cli.report import visible_on_screen
from dbctl.cli.streams import Stdout

_LEAVE = b"\x1b[?1049l\x1b[?25h"
"""Puts the screen back that was there before, and shows the cursor: where a thread is stuck that would have."""

_WIDTH = 40
"""Cells of a gauge's bar, at most."""


class _File:
    """What rich writes to: standard output, past Python's buffer."""

    def __init__(self, output: Stdout) -> None:
        self._output = output
        self.encoding = output.encoding

    def write(self, text: str) -> int:
        self._output.write(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing: all is written."""

    def isatty(self) -> bool:
        return True


def show(result: Live[Any], screen: Screen, output: Stdout) -> None:
    """Show boards as they come, on a screen of their own; what was on the terminal before is there again at the end.

    Args:
        result: The boards.
        screen: The screen.
        output: Where it is.
    """
    file: Any = _File(output)
    console = Console(
        file=file, force_terminal=True, no_color=not screen.styled, highlight=False, markup=False, emoji=False
    )

    live = RichLive(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
    with on_the_way_out(partial(os.write, output.descriptor, _LEAVE)), live:
        for frame in result.values:
            board: Board = frame.board  # type: ignore[attr-defined]
            live.update(_board(board, console, ascii_only=screen.ascii_only), refresh=True)


def _board(board: Board, console: Console, *, ascii_only: bool) -> Group:
    parts: list[Any] = [Text(visible_on_screen(board.title), style="bold"), Text("")]
    width = max(10, min(_WIDTH, console.width - 40))
    gauges = Table.grid(padding=(0, 2))
    for each in board.gauges:
        gauges.add_row(each.label, _bar(each, width), _said(each))
    parts += [gauges, Text("")]
    sparks = Table.grid(padding=(0, 2))
    for line in board.sparks:
        there = [value for value in line.values if value is not None]
        drawn = spark(line.values[-width:], max(there, default=0.0) or 1.0, ascii_only=ascii_only)
        latest = next((value for value in reversed(line.values) if value is not None), None)
        said = "" if latest is None else f"{amount(latest)} (at most {amount(max(there))})"
        sparks.add_row(line.label, Text(drawn.ljust(width)), said)
    parts.append(sparks)
    for title, columns, rows in board.tables:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for name in columns:
            table.add_column(name)
        for row in rows:
            table.add_row(*(Text(visible_on_screen(cell)) for cell in row))
        parts += [Text(""), Text(title, style="bold"), table]
    return Group(*parts, Text(""), Text(LEAVING, style="dim"))


def _bar(gauge: Gauge, width: int) -> ProgressBar | Text:
    if gauge.of is None:
        return Text("")
    return ProgressBar(total=gauge.of or 1, completed=min(gauge.value, gauge.of), width=width)


def _said(gauge: Gauge) -> str:
    return amount(gauge.value) if gauge.of is None else f"{amount(gauge.value)} of {amount(gauge.of)}"
