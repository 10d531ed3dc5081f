"""`dbctl pool-stats`."""

from typing import Annotated

import typer

from dbctl.connections.drivers import Driver, run_by
from dbctl.pool.load import PoolStats, async_measure_pool, measure_pool
from dbctl.profiles import Profile
from dbctl.work.effects import shows_what_it_has

PANEL = "Service"
PLACE = 27
PAGE = "pool"


@shows_what_it_has
def pool_stats(
    profile: Profile,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="How many threads check out at once; the pool's size unless given.")
    ] = None,
    duration: Annotated[float, typer.Option(min=0.01, metavar="SECONDS", help="How long to measure.")] = 1.0,
    driver: Annotated[
        Driver, typer.Option(help="The driver to connect by: the sync one, or the async one.")
    ] = Driver.SYNC,
) -> PoolStats:
    """Measure the profile's pool at work, beside its limits and the server's.

    Threads check connections out, run SELECT 1 and give them back. Shown are how long they waited, how long the driver
    took to connect, how many connections it took, and what the server said of its own limit just before. Ctrl-C ends it
    early, and shows what was measured until then.

    Examples:
        $ dbctl pool-stats
        $ dbctl -p prod pool-stats --concurrency 40 --duration 10
    """
    return run_by(driver, measure_pool, async_measure_pool, profile, concurrency, duration)
