"""`dbctl profiles check`."""

from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from typing import Annotated

import typer

from dbctl import fleet, probe
from dbctl.backends import backend_of
from dbctl.errors import ConfigError, DbctlError, worst_of
from dbctl.profiles import Profiles
from dbctl.records import record

PLACE = 9
PAGE = "profile-file"


@record
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
    """Check every profile of the profile file, templates of fleets too; without a file, the one that is taken.

    An error is a row. The exit code is 3 where a profile is wrong, 4 where a database can't be reached, 5 where one
    takes too long: the highest of them. With --connect the rows of each fleet are asked for, and checked too.

    Examples:
        $ dbctl profiles check
        $ dbctl profiles check --connect
    """
    document = profiles.document
    in_file = document.profiles or document.fleet
    halves = [name for name in document.profiles if document.is_half(name)]
    names = [*document.profiles] if in_file else [profiles.chosen_name()]
    unasked = dict[str, DbctlError]()
    for each in document.fleet.values() if connect else ():
        try:
            names += profiles.rows(each)
        except DbctlError as error:
            unasked[each.pattern] = error
    urls: dict[str, str] = {}

    def checked(name: str) -> Checked:
        profile = (_whole(profiles) if name in halves else profiles).select(name if in_file else None)
        if name in halves:
            return Checked(name, None, None, None)
        backend_of(profile)
        urls[name] = profile.shown_url
        answer = probe.ping(profile) if connect else None
        return Checked(name, urls[name], f"{answer.server} {answer.version}" if answer else None, None)

    outcomes = fleet.on_each(names, checked, profiles.at_a_time)
    outcomes = [each for each in outcomes if each.error or each.name not in halves]
    outcomes += [fleet.Outcome(name, error=error) for name, error in unasked.items()]
    rows = [row for outcome in outcomes for row in _rows(outcome, urls.get(outcome.name))]
    if errors := [outcome.error for outcome in outcomes if outcome.error]:
        raise worst_of(errors, f"{len(errors)} of {len(outcomes)} profiles can't be used", rows)
    return rows


def _whole(profiles: Profiles) -> Profiles:
    """Return the profiles with templates as if they led somewhere, which is their rows' to say."""
    document = profiles.document
    return replace(profiles, document=replace(document, fleet={}, defaults={"driver": "sqlite", **document.defaults}))


def _rows(outcome: fleet.Outcome[Checked], url: str | None) -> Iterator[Checked]:
    if outcome.error is None:
        assert outcome.result is not None, "there is a result or an error"
        yield outcome.result
    else:
        findings = str(outcome.error).split("\n") if isinstance(outcome.error, ConfigError) else [str(outcome.error)]
        for finding in findings:
            yield Checked(outcome.name, url, None, finding)
