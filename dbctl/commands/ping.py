"""`dbctl ping`."""

from typing import Annotated

import typer

from dbctl import probe
from dbctl.profiles import Profile


def ping(
    profile: Profile,
    count: Annotated[int, typer.Option("--count", min=1, help="How many round trips to measure.")] = 1,
) -> probe.PingReport:
    """Connect as the profile says, run SELECT 1, and tell who answered and how fast.

    Whether the connection is encrypted is asked of this end's own socket, not of the configuration.
    """
    return probe.ping(profile, count)
