"""`dbctl profiles check`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer

from dbctl import fleet, probe
from dbctl.backends import backend_of
from dbctl.errors import ConfigError, worst_of
from dbctl.profiles import Profiles
from dbctl.profiles.choosing import Wanted, chosen

PLACE = 9
PAGE = "profile-file"


@dataclass(frozen=True)
class Checked:
    """A profile, or one of several things that are wrong with it; `server` is who answered, where that was asked."""

    profile: str
    url: str | None
    server: str | None
    error: str | None = field(metadata={"across": True})


def check(
    profiles: Profiles,
    connect: Annotated[bool, typer.Option("--connect", help="Connect to each, which needs its secrets too.")] = False,
) -> Sequence[Checked]:
    """Check every profile of the profile file; without a file, the one that is taken.

    An error is a row. The exit code is 3 where a profile is wrong, 4 where a database can't be reached, 5 where one
    takes too long: the highest of them. With --connect the rows of each fleet are asked for, and checked too.

    Examples:
        $ dbctl profiles check
        $ dbctl profiles check --connect
    """
    in_file = profiles.document.profiles or profiles.document.fleet
    names = [name for name in profiles.document.profiles if not profiles.document.is_half(name)]
    if not in_file:
        names = [profiles.chosen_name()]
    elif connect:
        names = chosen(profiles, Wanted(every=True))
    urls: dict[str, str] = {}

    def checked(name: str) -> Checked:
        profile = profiles.select(name if in_file else None)
        backend_of(profile)
        urls[name] = profile.shown_url
        answer = probe.ping(profile) if connect else None
        return Checked(name, urls[name], f"{answer.server} {answer.version}" if answer else None, None)

    outcomes = fleet.on_each(names, checked, profiles.at_a_time)
    rows = [row for outcome in outcomes for row in _rows(outcome, urls.get(outcome.name))]
    if errors := [outcome.error for outcome in outcomes if outcome.error]:
        raise worst_of(errors, f"{len(errors)} of {len(names)} profiles can't be used", rows)
    return rows


def _rows(outcome: fleet.Outcome[Checked], url: str | None) -> Iterator[Checked]:
    if outcome.error is None:
        assert outcome.result is not None, "there is a result or an error"
        yield outcome.result
    else:
        findings = str(outcome.error).split("\n") if isinstance(outcome.error, ConfigError) else [str(outcome.error)]
        for finding in findings:
            yield Checked(outcome.name, url, None, finding)
