"""`dbctl profiles check`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from dbctl import probe
from dbctl.backends import backend_of
from dbctl.errors import ConfigError, ConnectError, DbctlError, OutOfTime
from dbctl.profiles import Profiles

_WORST_FIRST = (OutOfTime, ConnectError, ConfigError, DbctlError)


@dataclass(frozen=True)
class Checked:
    """A profile, or one of several things that are wrong with it; `server` is who answered, where that was asked."""

    profile: str
    url: str | None
    server: str | None
    problem: str | None


def check(
    profiles: Profiles,
    connect: Annotated[bool, typer.Option("--connect", help="Connect to each, which needs its secrets too.")] = False,
) -> Sequence[Checked]:
    """Check every profile of the profile file; without a file, the one that is taken.

    A problem is a row. The exit code is 3 where a profile is wrong, 4 where a database can't be reached, 5 where one
    takes too long: the highest of them.
    """
    rows: list[Checked] = []
    errors: list[DbctlError] = []
    names = list(profiles.document.profiles) or [profiles.chosen_name()]
    for name in names:
        url = None
        try:
            profile = profiles.select(name if profiles.document.profiles else None)
            backend_of(profile)
            url = profile.shown_url
            answer = probe.ping(profile) if connect else None
            rows.append(Checked(name, url, f"{answer.server} {answer.version}" if answer else None, None))
        except DbctlError as error:
            errors.append(error)
            findings = str(error).split("\n") if isinstance(error, ConfigError) else [str(error)]
            rows += [Checked(name, url, None, finding) for finding in findings]
    for kind in _WORST_FIRST:
        if any(isinstance(error, kind) for error in errors):
            summary = kind(f"{len(errors)} of {len(names)} profiles can't be used")
            summary.result = rows
            raise summary
    return rows
