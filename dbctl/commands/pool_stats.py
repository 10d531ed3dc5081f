"""`dbctl pool-stats`."""

import logging
import math
from collections.abc import Mapping, Sequence, Set
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from dbctl.backends import backend_of
from dbctl.charts.shown import Charted, Live
from dbctl.connections.drivers import Driver, run_by
from dbctl.errors import CheckFailed, Remedy, UsageError
from dbctl.pool import advising, comparing, sweeping
from dbctl.pool.figures import MOST_A_SECOND, MOST_AT_ONCE, MOST_HOLD, MOST_SECONDS, Measured, Plan, PoolStats
from dbctl.pool.measuring import Seen, async_measure_pool, measure_pool
from dbctl.pool.reading import is_url
from dbctl.pool.watching import Look, watched
from dbctl.profiles import Profile
from dbctl.scripts.preparing import Script, refuse_transactions
from dbctl.work.effects import goes_without_profile, one_profile, shows_what_it_has, strains

PANEL = "Service"
PLACE = 27
PAGE = "pool"

_log = logging.getLogger(__name__)

_BETWEEN = 1.0
"""Seconds between two looks, unless said."""

_TO_SCRAPE = 10.0
"""Seconds between two readings of a running service's figures, unless said."""

Found = PoolStats | Sequence[sweeping.SizeStats] | Sequence[comparing.Compared] | advising.Advice | Live[Look] | Charted


def _loads(*, advise: str | None, compare: tuple[Path, Path] | None, **_others: Any) -> bool:
    return advise is None and compare is None


def _drawn(*, watch: bool, plot: bool, svg: Path | None, html: Path | None, **_others: Any) -> str:
    return "what is drawn is of one" if watch or plot or svg or html else ""


@strains(_loads)
@goes_without_profile(lambda compare, **_: compare is not None)
@one_profile(_drawn)
@shows_what_it_has
def pool_stats(
    profile: Profile | None,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_AT_ONCE, help="How many threads check out at once; the pool's size unless given."),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            min=0.01, max=MOST_SECONDS, metavar="SECONDS", help="How long to measure; 1, with --watch no end."
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.01, max=MOST_A_SECOND, metavar="NUMBER", help="Requests a second, by chance, whether served or not."
        ),
    ] = None,
    hold: Annotated[
        float | None,
        typer.Option(
            min=0, max=1000 * MOST_HOLD, metavar="MS", help="Hold each connection for so long, in place of SELECT 1."
        ),
    ] = None,
    sql: Annotated[
        str | None, typer.Option(metavar="SQL", help="Run this, which may only read, in place of SELECT 1.")
    ] = None,
    driver: Annotated[
        Driver, typer.Option(help="The driver to connect by: the sync one, or the async one.")
    ] = Driver.SYNC,
    sweep: Annotated[
        str | None, typer.Option(metavar="SIZES", help="Measure pools of several sizes: 1,2,5,10.")
    ] = None,
    advise: Annotated[
        str | None,
        typer.Option(metavar="FILE|URL", help="Size the pool by what a running service's recorder, or /metrics, says."),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None, typer.Option(metavar="A.json B.json", help="Show two runs of --json side by side.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look at it while it runs, until q or Ctrl-C.")] = False,
    interval: Annotated[
        float | None,
        typer.Option(min=0.1, max=MOST_HOLD, metavar="SECONDS", help="How often to look, with --watch; 1."),
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw the figures below them.")] = False,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the charts to an SVG file.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write charts and figures to a page.")] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Open more connections than the server has room for; with fewer than 5 left it ends still."
        ),
    ] = False,
) -> Found:
    """Measure the profile's pool at work, beside its limits and the server's, and say whether it is large enough.

    Threads check connections out, run SELECT 1 and give them back. Shown are how long they waited, how long the driver
    took to connect, how many connections it took, and what the server said of its own limit before, at most, and after.
    Ctrl-C ends it early, and shows what was measured until then.

    With --rate requests come by themselves, and each waits from when it came. --sweep finds the size from which on
    more connections give no more; --advise sizes the pool of a service that runs. Both name what to put into the
    profile. The load ends where the server has fewer than 5 connections left.

    Examples:
        $ dbctl pool-stats
        $ dbctl pool-stats --rate 400 --hold 20 --duration 10 --html pool.html
        $ dbctl -p prod pool-stats --sweep 1,2,5,10,20 --confirm=prod
    """
    _refuse_together({"--sweep": sweep, "--advise": advise, "--compare": compare, "--watch": watch or None})
    for name, number in {"--duration": duration, "--rate": rate, "--hold": hold, "--interval": interval}.items():
        if number is not None and math.isnan(number):  # which no limit excludes
            raise UsageError(f"{name} {number}: it is no number", "such as 10")
    if interval is not None and not watch:
        raise UsageError("--interval is about --watch", "say both")
    measures: dict[str, object] = {
        "concurrency": concurrency,
        "rate": rate,
        "hold": hold,
        "sql": sql,
        "plot": plot,
        "force": force,
    }
    measures |= {"duration": duration, "driver": driver is not Driver.SYNC, "svg": svg, "html": html}
    if advise is not None or compare is not None:
        at_url = advise is not None and is_url(advise)
        _refuse_ignored("--compare" if advise is None else "--advise", measures, {"duration"} if at_url else set())
    _refuse_files(svg, html)
    if compare is not None:
        return comparing.compare(*compare)
    assert profile is not None, "only --compare goes without"
    if advise is not None:
        return advising.advise(profile, advise, _TO_SCRAPE if duration is None else duration)
    if sql is not None:
        refuse_transactions(backend_of(profile), Script("--sql", sql), Remedy.RUN_AS_SCRIPT)
    seconds = (math.inf if watch else 1.0) if duration is None else duration
    plan = Plan(concurrency, seconds, rate, None if hold is None else hold / 1000, sql, force)
    measure = partial(_measured, driver)
    if sweep is not None:
        found = sweeping.sweep(profile, sweeping.sizes_of(sweep), plan, measure)
        return _swept(profile, found, plot=plot, svg=svg, html=html)
    show = partial(_shown, plot=plot, svg=svg, html=html)
    return watched(profile, plan, measure, interval or _BETWEEN, show) if watch else show(measure(profile, plan))


def _measured(driver: Driver, profile: Profile, plan: Plan, seen: Seen | None = None) -> Measured:
    return run_by(driver, measure_pool, async_measure_pool, profile, plan, seen)


def _refuse_together(said: Mapping[str, object]) -> None:
    together = [name for name, value in said.items() if value is not None]
    if len(together) > 1:
        raise UsageError(f"{' and '.join(together)} are given together", "give one of them")


def _refuse_ignored(by: str, said: Mapping[str, object], useful: Set[str]) -> None:
    ignored = [f"--{name}" for name, value in said.items() if value not in (None, False) and name not in useful]
    if ignored:
        raise UsageError(f"{by} measures nothing, and {' and '.join(ignored)} would change nothing", "leave it out")


def _refuse_files(svg: Path | None, html: Path | None) -> None:
    """Refuse, before all is measured, what would not be written then."""
    if svg is None and html is None:
        return
    from dbctl.pool import drawing

    if svg == html:
        raise UsageError("--svg and --html each write a file of their own", "name two files")
    for name, path in {"--svg": svg, "--html": html}.items():
        if str(path) == "-":
            raise UsageError(f"{name} writes a file, and the figures go to stdout", "name a file")
        if path is not None:
            drawing.refuse_unwritable(path)


def _shown(measured: Measured, *, plot: bool, svg: Path | None, html: Path | None) -> Found:
    """Return a run as it is shown, and write what is to be written of it.

    Raises:
        CheckFailed: It was ended early, lest it do harm.
    """
    from dbctl.pool import drawing

    if svg:
        drawing.write_charts(drawing.charts_of(measured), svg)
    if html:
        drawing.write_page(measured, html)
    if measured.stopped:
        raise CheckFailed(f"the load was ended early: {measured.stopped}", measured.stats, "lower --concurrency")
    return Charted(measured.stats, drawing.charts_of(measured)) if plot else measured.stats


def _swept(profile: Profile, found: sweeping.Sweep, *, plot: bool, svg: Path | None, html: Path | None) -> Found:
    from dbctl.pool import drawing

    if svg:
        drawing.write_charts(drawing.charts_of_sweep(found), svg)
    if html:
        drawing.write_sweep_page(profile.name, found, html)
    if found.stopped:
        raise CheckFailed(f"the load was ended early: {found.stopped}", found.sizes, "sweep lesser sizes")
    _log.info("%s", found.verdict)
    return Charted(found.sizes, drawing.charts_of_sweep(found)) if plot else found.sizes
