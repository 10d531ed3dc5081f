"""`dbctl ping`."""

from typing import Annotated

import typer

from dbctl import probe
from dbctl.drivers import Driver, run_by
from dbctl.profiles import Profile


def ping(
    profile: Profile,
    count: Annotated[int, typer.Option(min=1, help="How many round trips to measure.")] = 1,
    driver: Annotated[
        Driver, typer.Option(help="The driver to connect by: the sync one, or the async one.")
    ] = Driver.SYNC,
) -> probe.PingReport:
    """Connect as the profile says, run SELECT 1, and tell who answered and how fast.

    Whether the connection is encrypted is asked of this end's own socket, not of the configuration.
    """
    return run_by(driver, probe.ping, probe.async_ping, profile, count)
