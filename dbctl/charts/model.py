"""What a chart or a live screen shows, whoever draws it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import TypeVar

from dbctl.records import record
from dbctl.results import Frame

T = TypeVar("T")


@record
class Line:
    """Points that belong together, by their x.

    Args:
        name: What they are of.
        points: Pairs of x and y, in the chart's units.
    """

    name: str
    points: Sequence[tuple[float, float]]

    @classmethod
    def of(cls, name: str, points: Iterable[tuple[float, float | None]]) -> Line:
        """Return a line of those points that have a y."""
        return cls(name, [(x, y) for x, y in points if y is not None])


@record
class Chart:
    """Lines over one axis.

    Args:
        title: What it shows.
        x: What x is, with its unit.
        y: What y is, with its unit.
        lines: The lines, four at most: so many are told apart without colours.
    """

    title: str
    x: str
    y: str
    lines: Sequence[Line]

    @property
    def top(self) -> float:
        """The greatest y, or 1 where all are 0."""
        return max((y for line in self.lines for _, y in line.points), default=0.0) or 1.0


@record
class Bars:
    """An amount for each of several names.

    Args:
        title: What it shows.
        y: What the amounts are of.
        bars: Pairs of name and amount.
    """

    title: str
    y: str
    bars: Sequence[tuple[str, float]]

    @property
    def top(self) -> float:
        """The greatest amount, or 1 where all are 0."""
        return max((amount for _, amount in self.bars), default=0.0) or 1.0


@record
class Gauge:
    """How much there is of something now.

    Args:
        label: What it is.
        value: How much.
        of: How much there may be; None where that has no limit.
    """

    label: str
    value: float
    of: float | None = None


@record
class Spark:
    """How something went until now.

    Args:
        label: What it is, with its unit.
        values: Its values, the newest last; None where there was none.
    """

    label: str
    values: Sequence[float | None]


@record
class Board:
    """What a live screen shows at one moment.

    Args:
        title: What is looked at.
        gauges: The gauges, a line each.
        sparks: What is drawn as small lines.
        tables: Each a title, the columns' names, and rows of texts.
    """

    title: str
    gauges: Sequence[Gauge] = ()
    sparks: Sequence[Spark] = ()
    tables: Sequence[tuple[str, Sequence[str], Sequence[Sequence[str]]]] = ()


@record
class LiveFrame(Frame[T]):
    """A frame that a screen shows as a board; elsewhere its rows are written."""

    board: Board = field(default_factory=lambda: Board(""))


def ticks(top: float, wanted: int = 4) -> Sequence[float]:
    """Return round numbers from 0 on that an axis is marked with, the last at `top` or beyond it."""
    step = 10 ** math.floor(math.log10(top / wanted))
    step *= next(factor for factor in (1, 2, 5, 10) if top / (step * factor) <= wanted)
    return [round(step * number, 10) for number in range(math.ceil(round(top / step, 9)) + 1)]


def amount(value: float) -> str:
    """Return a number as it is read off a chart: three digits, and thousands told apart."""
    if value and abs(value) < 100:
        digits = max(0, 2 - math.floor(math.log10(abs(value))))
        text = f"{value:.{min(digits, 4)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:,.0f}"
