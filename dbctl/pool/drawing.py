"""A run, or a sweep, as charts, and as the page that has them beside their figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbctl.charts import svg
from dbctl.charts.model import Bars, Chart, Line, amount
from dbctl.charts.page import Table, page
from dbctl.errors import OutputLost
from dbctl.pool.figures import Measured, Run
from dbctl.pool.sweeping import SizeStats, Sweep
from dbctl.pool.times import Times, bars_of
from dbctl.runtime.replacing import check_replaceable, replace_whole

Charts = Sequence[Chart | Bars]


def charts_of(measured: Measured) -> Charts:
    """Return the charts of a run: over its time, and of how long requests waited."""
    moments = measured.moments
    return [
        Chart(
            "Wait for a connection",
            "seconds",
            "ms",
            [
                Line.of("p99", ((each.at, _ms(each.p99_wait)) for each in moments)),
                Line.of("median", ((each.at, _ms(each.median_wait)) for each in moments)),
            ],
        ),
        Chart(
            "Checkouts", "seconds", "a second", [Line("checkouts", [(each.at, each.per_second) for each in moments])]
        ),
        Chart(
            "Connections",
            "seconds",
            "number",
            [
                Line("open", [(each.at, each.open) for each in moments]),
                Line("in use", [(each.at, each.in_use) for each in moments]),
            ],
        ),
        Bars("How long requests waited", "requests", bars_of(measured.waits.histogram)),
    ]


def charts_of_sweep(found: Sweep) -> Charts:
    """Return the charts of a sweep, by size."""
    sizes = found.sizes
    return [
        Chart(
            "Checkouts by size", "pool size", "a second", [Line("checkouts", [(s.size, s.per_second) for s in sizes])]
        ),
        Chart(
            "Wait by size",
            "pool size",
            "ms",
            [
                Line("p99", [(each.size, each.wait_p99_ms) for each in sizes]),
                Line("median", [(each.size, each.wait_median_ms) for each in sizes]),
            ],
        ),
    ]


def refuse_unwritable(to: Path) -> None:
    """Find out before a load, whose figures would be lost, whether a file can be written when it is over.

    Raises:
        OutputLost: It can't be.
    """
    try:
        check_replaceable(to)
    except OSError as error:
        raise OutputLost(f"{to}: can't be written: {error.strerror}") from error


def write_charts(drawn: Charts, to: Path) -> None:
    """Write charts as one SVG file, whole or not at all.

    Raises:
        OutputLost: It can't be written.
    """
    _write(to, svg.document(drawn))


def write_page(measured: Measured, to: Path) -> None:
    """Write a run as a page.

    Raises:
        OutputLost: It can't be written.
    """
    stats, run = measured.stats, measured.stats.run
    load = f"{amount(run.rate)} requests/s" if run.rate else f"{run.concurrency} at a time"
    views = [(name, usage) for name in ("server", "peak", "after") if (usage := getattr(stats, name))]
    tables: list[Table] = [
        _times(run),
        ("Run", ["", ""], _plain(run)),
        ("Limits", ["", ""], _plain(stats.limits)),
    ]
    if views:
        names = list(asdict(views[0][1]))
        rows = [[_BEFORE.get(name, name), *(str(getattr(usage, each)) for each in names)] for name, usage in views]
        tables.append(("Server", ["", *(each.replace("_", " ") for each in names)], rows))
    _write(to, page(f"Pool of {stats.profile}: {load}", stats.verdict, charts_of(measured), tables, _made()))


def write_sweep_page(profile: str, found: Sweep, to: Path) -> None:
    """Write a sweep as a page.

    Raises:
        OutputLost: It can't be written.
    """
    names = [each.name for each in fields(SizeStats)]
    rows = [[_cell(getattr(each, name)) for name in names] for each in found.sizes]
    table = ("Sizes", [each.replace("_", " ") for each in names], rows)
    _write(to, page(f"Pool of {profile} by size", found.verdict, charts_of_sweep(found), [table], _made()))


_TIMES = ("count", "min", "median", "p95", "p99", "p99.9", "max")
_BEFORE = {"server": "before"}


def _times(run: Run) -> Table:
    """Return the spreads side by side: so they fit on a telephone's screen."""
    there = {name: times for name in ("connect", "checkout", "usage") if (times := getattr(run, name))}
    values = [list(asdict(times).values()) for times in there.values()]
    rows = [[name, *(amount(each[place]) for each in values)] for place, name in enumerate(_TIMES)]
    return "Times in ms", ["", *there], rows


def _plain(record: Any) -> Sequence[Sequence[str]]:
    values = ((each.name, getattr(record, each.name)) for each in fields(record))
    return [
        [name.replace("_", " "), _cell(value)]
        for name, value in values
        if value is not None and not isinstance(value, Times)
    ]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return amount(value) if isinstance(value, int | float) else str(value)


def _made() -> str:
    return f"dbctl pool-stats, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _write(to: Path, text: str) -> None:
    try:
        replace_whole(to, text.encode(), 0o644)
    except OSError as error:
        raise OutputLost(f"{to}: can't be written: {error.strerror}") from error
