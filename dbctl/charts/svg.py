"""Charts as SVG, by themselves or in a page: light and dark, and told apart by dashes and marks, not by colours alone.

https://www.w3.org/TR/SVG2/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from dbctl.charts.model import Bars, Chart, amount, ticks

WIDTH, HEIGHT = 380, 250
"""Of one chart, in the units that its texts are 12 high of: on a telephone's screen they are about its pixels."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 46, 40
_LABEL = 118
"""What a bar's name has to its left, in the same units."""

_DASHES = ("", "6 4", "2 3", "9 3 2 3")
_MARKS = ("circle", "square", "triangle", "diamond")

STYLE = """
.chart { --ink: #1b1f24; --faint: #d0d7de; --soft: #57606a; --c0: #0550ae; --c1: #bc4c00; --c2: #116329; --c3: #8250df;
  font: 12px system-ui, sans-serif; }
@media (prefers-color-scheme: dark) {
  .chart { --ink: #e6edf3; --faint: #3d444d; --soft: #9198a1;
    --c0: #6cb6ff; --c1: #f0883e; --c2: #57ab5a; --c3: #d2a8ff; }
}
.chart text { fill: var(--ink); }
.chart .title { font-weight: 600; font-size: 13px; }
.chart .soft { fill: var(--soft); }
.chart .grid { stroke: var(--faint); stroke-width: 1; }
.chart .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.chart .bar { fill: var(--c0); }
.chart .s0 { stroke: var(--c0); } .chart .s1 { stroke: var(--c1); }
.chart .s2 { stroke: var(--c2); } .chart .s3 { stroke: var(--c3); }
.chart .f0 { fill: var(--c0); } .chart .f1 { fill: var(--c1); }
.chart .f2 { fill: var(--c2); } .chart .f3 { fill: var(--c3); }
"""


def document(charts: Sequence[Chart | Bars]) -> str:
    """Return one SVG file with charts below each other."""
    height = HEIGHT * max(1, len(charts))
    parts = (f'<g transform="translate(0 {HEIGHT * number})">{_drawn(each)}</g>' for number, each in enumerate(charts))
    background = (
        "<style>.paper { fill: #ffffff; } @media (prefers-color-scheme: dark) { .paper { fill: #0d1117; } }</style>"
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" viewBox="0 0 {WIDTH} {height}"'
        f' width="{2 * WIDTH}" height="{2 * height}"><style>{STYLE}</style>{background}{"".join(parts)}</svg>\n'
    )


def inline(chart: Chart | Bars) -> str:
    """Return one chart as an element of a page that has the style."""
    return (
        f'<svg class="chart" role="img" aria-label="{escape(_said(chart))}" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f"{_drawn(chart)}</svg>"
    )


def _said(chart: Chart | Bars) -> str:
    """Return a chart in words, for whoever does not see it."""
    if isinstance(chart, Bars):
        return f"{chart.title}: " + ", ".join(f"{name} {amount(value)}" for name, value in chart.bars)
    ends = (f"{line.name} last {amount(line.points[-1][1])}" for line in chart.lines if line.points)
    return f"{chart.title}, {chart.y} by {chart.x}: " + ", ".join(ends)


def _drawn(chart: Chart | Bars) -> str:
    parts = _bars(chart) if isinstance(chart, Bars) else _lines(chart)
    return _text(_LEFT if isinstance(chart, Chart) else 8, 18, chart.title, "title") + "".join(parts)


def _lines(chart: Chart) -> Iterator[str]:
    marks = ticks(chart.top)
    xs = [x for line in chart.lines for x, _ in line.points] or [0.0]
    least, most = min(xs), max(xs)
    wide, high = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM

    def across(x: float) -> float:
        return round(_LEFT + (wide * (x - least) / (most - least) if most > least else wide / 2), 1)

    def up(y: float) -> float:
        return round(HEIGHT - _BOTTOM - high * y / marks[-1], 1)

    for mark in marks:
        yield f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{up(mark)}" y2="{up(mark)}"/>'
        yield _text(_LEFT - 6, up(mark) + 4, amount(mark), "soft", anchor="end")
    for x in sorted({least, (least + most) / 2, most}):
        anchor = "start" if x == least < most else "end" if x == most > least else "middle"
        yield _text(across(x), HEIGHT - _BOTTOM + 16, amount(x), "soft", anchor=anchor)
    yield _text(_LEFT + wide / 2, HEIGHT - 6, chart.x, "soft", anchor="middle")
    yield _legend(chart)
    for number, line in enumerate(chart.lines):
        yield _line(number, [(across(x), up(y)) for x, y in line.points])


def _legend(chart: Chart) -> str:
    parts, left = [], float(_LEFT)
    for number, line in enumerate(chart.lines):
        dash = f' stroke-dasharray="{_DASHES[number]}"' if _DASHES[number] else ""
        parts.append(f'<path class="line s{number}"{dash} d="M{left} 34h22"/>{_mark(number, left + 11, 34)}')
        label = line.name if number + 1 < len(chart.lines) else f"{line.name} ({chart.y})"
        parts.append(_text(left + 27, 38, label))
        left += 38 + 6.4 * len(label)
    return "".join(parts)


def _line(number: int, points: Sequence[tuple[float, float]]) -> str:
    if not points:
        return ""
    dash = f' stroke-dasharray="{_DASHES[number]}"' if _DASHES[number] else ""
    path = " ".join(f"{x},{y}" for x, y in points)
    every = max(1, len(points) // 8)
    marks = "".join(_mark(number, x, y) for x, y in points[::every])
    return f'<polyline class="line s{number}"{dash} points="{path}"/>{marks}'


def _mark(number: int, x: float, y: float) -> str:
    shapes = {
        "circle": f'<circle class="f{number}" cx="{x}" cy="{y}" r="3"/>',
        "square": f'<rect class="f{number}" x="{x - 3}" y="{y - 3}" width="6" height="6"/>',
        "triangle": f'<path class="f{number}" d="M{x} {y - 4}l4 7h-8z"/>',
        "diamond": f'<path class="f{number}" d="M{x} {y - 4}l4 4l-4 4l-4 -4z"/>',
    }
    return shapes[_MARKS[number]]


def _bars(chart: Bars) -> Iterator[str]:
    yield _text(8, 36, chart.y, "soft")
    high = (HEIGHT - _TOP - 8) / max(1, len(chart.bars))
    wide = WIDTH - _LABEL - 64
    for number, (name, value) in enumerate(chart.bars):
        top = _TOP + number * high
        length = round(max(1.0 if value else 0.0, wide * value / chart.top), 1)
        yield _text(_LABEL - 6, top + high / 2 + 4, name, "soft", anchor="end")
        yield f'<rect class="bar" x="{_LABEL}" y="{top + 1:.1f}" width="{length}" height="{max(1, high - 2):.1f}"/>'
        yield _text(_LABEL + length + 5, top + high / 2 + 4, amount(value))


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    attributes = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor != "start" else "")
    return f'<text x="{round(x, 1)}" y="{round(y, 1)}"{attributes}>{escape(text)}</text>'
