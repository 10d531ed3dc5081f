"""`dbctl ping`."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer

from dbctl import fleet, probe
from dbctl.backends.base import Missing
from dbctl.connections.drivers import Driver, run_by
from dbctl.errors import ConfigError, UsageError
from dbctl.profiles import Profile, Profiles
from dbctl.profiles.choosing import Wanted, chosen
from dbctl.profiles.completion import complete_profile
from dbctl.work.effects import takes_several

PANEL = "Service"
PLACE = 10
PAGE = "ping"


@takes_several
def ping(
    profiles: Profiles,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME", help="Profiles to ping at once, a row for each.", autocompletion=complete_profile
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Ping every profile of the file, a row for each.")] = False,
    wait: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="Try again for so long, where the trouble may heal by itself."),
    ] = None,
    stages: Annotated[
        bool, typer.Option("--stages", help="Measure name resolution and TCP too, on a socket of dbctl's own.")
    ] = False,
    count: Annotated[int, typer.Option(min=1, help="How many round trips to measure.")] = 1,
    driver: Annotated[
        Driver, typer.Option(help="The driver to connect by: the sync one, or the async one.")
    ] = Driver.SYNC,
) -> probe.PingReport | Sequence[fleet.ProfilePing]:
    """Connect as the profile says, run SELECT 1, and tell who answered and how fast.

    Whether the connection is encrypted is asked of this end's own socket, not of the configuration.

    With --wait it is tried again while the server is on its way: refused, reset, starting up, full, silent, or its name
    not known yet. A wrong password, an unknown database or a refused certificate ends it at once, with exit code 4; the
    end of the time with 5. A file of SQLite is waited for by nobody: what writes first makes it.

    Examples:
        $ dbctl ping
        $ dbctl -p prod ping --wait 60
        $ dbctl ping --all --json
    """

    missing = Missing.REFUSE if wait is None else Missing.PRETEND

    def attempt(profile: Profile, count: int = count) -> probe.PingReport:
        return run_by(driver, probe.ping, probe.async_ping, profile, count, stages=stages, missing=missing)

    def ping_one(name: str | None) -> probe.PingReport:
        profile = profiles.select(name)
        if wait is None:
            return attempt(profile)
        report = probe.when_up(profile, wait, partial(attempt, count=1))
        return report if count == 1 else attempt(profile)

    if several := _several(profiles, names or [], every=every):
        return fleet.ping_each(several, ping_one, profiles.at_a_time if wait is None else None)
    return ping_one(None)


def _several(profiles: Profiles, names: Sequence[str], *, every: bool) -> Sequence[str]:
    """Return the names of the profiles that were asked for where they are to be rows, even one."""
    named = profiles.named if profiles.several else ()
    if sum(map(bool, (every, names, profiles.named, profiles.url))) > 1:
        raise UsageError("--all, NAME, --profile and --url are given together", "give one of them")
    if every and not (profiles.document.profiles or profiles.document.fleet):
        raise ConfigError(f"--all: there is no profile in {profiles.path or 'a profile file, nor such a file'}")
    wanted = Wanted(every=True) if every else Wanted(names or named)
    return chosen(profiles, wanted) if every or wanted.names else ()
