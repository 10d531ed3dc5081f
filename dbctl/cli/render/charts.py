"""Charts in a terminal, a pipe or a file: each line is drawn by itself, in blocks whose heights say its course."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dbctl.charts.model import Bars, Chart, Line, amount
from dbctl.cli.render.layout import padded
from dbctl.cli.render.screen import Screen

_BLOCKS, _IN_ASCII = "▁▂▃▄▅▆▇█", "_.-=+*#@"
_ROWS = 4
"""Rows of text that a line of a chart has."""

_NO_SCREEN = 80
_AXIS = 9
"""Cells for the numbers beside an axis."""


def drawn(charts: Sequence[Chart | Bars], screen: Screen) -> Iterator[str]:
    """Yield each chart, below an empty line."""
    for chart in charts:
        lines = _bars(chart, screen) if isinstance(chart, Bars) else _lines(chart, screen)
        unit = chart.y if isinstance(chart, Bars) else f"{chart.y}, by {chart.x}"
        yield f"\n{screen.bold(screen.own(f'{chart.title} ({unit})'))}\n" + "".join(f"{line}\n" for line in lines)


def spark(values: Sequence[float | None], top: float, *, ascii_only: bool) -> str:
    """Return values as blocks, of which the highest is `top`; a blank where there is none."""
    blocks = _IN_ASCII if ascii_only else _BLOCKS
    return "".join(
        " " if value is None else blocks[min(len(blocks) - 1, int(value / top * len(blocks)))] for value in values
    )


def _width(screen: Screen) -> int:
    return max(20, min(screen.width or _NO_SCREEN, 120) - _AXIS - 1)


def _lines(chart: Chart, screen: Screen) -> Iterator[str]:
    for line in chart.lines:
        if len(chart.lines) > 1:
            yield screen.dim(line.name)
        yield from _course(line, screen)
    xs = [x for line in chart.lines for x, _ in line.points]
    if xs:
        first, last = amount(min(xs)), amount(max(xs))
        yield f"{' ' * _AXIS} {first}{last.rjust(max(1, _width(screen) - len(first)))}"


def _course(line: Line, screen: Screen) -> Iterator[str]:
    """Draw a line as columns of blocks, each as wide as all fill the screen; the highest in a column counts."""
    width = _width(screen)
    values = _columns([y for _, y in line.points], width)
    top = max(values, default=0.0) or 1.0
    blocks = _IN_ASCII if screen.ascii_only else _BLOCKS
    full = len(blocks)
    for row in range(_ROWS, 0, -1):
        cells = []
        for value in values:
            height = round(value / top * _ROWS * full) - (row - 1) * full
            cells.append(" " if height <= 0 else blocks[min(height, full) - 1])
        label = amount(top) if row == _ROWS else "0" if row == 1 else ""
        yield f"{padded(label, _AXIS, right=True)} {''.join(cells)}".rstrip()


def _columns(values: Sequence[float], width: int) -> Sequence[float]:
    if not values:
        return ()
    if len(values) >= width:
        return [
            max(values[place * len(values) // width : (place + 1) * len(values) // width]) for place in range(width)
        ]
    return [values[place * len(values) // width] for place in range(width)]


def _bars(chart: Bars, screen: Screen) -> Iterator[str]:
    names = [screen.own(name) for name, _ in chart.bars]
    widest = max((len(name) for name in names), default=0)
    numbers = [amount(value) for _, value in chart.bars]
    room = max(10, _width(screen) - widest - max((len(number) for number in numbers), default=0))
    for name, number, (_, value) in zip(names, numbers, chart.bars, strict=True):
        bar = ("#" if screen.ascii_only else "█") * max(1 if value else 0, round(value / chart.top * room))
        yield f"{padded(name, widest, right=True)} {bar} {number}"
