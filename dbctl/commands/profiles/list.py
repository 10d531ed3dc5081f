"""`dbctl profiles list`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from typing import Annotated

import typer

from dbctl.backends import backend_of
from dbctl.errors import ConfigError, DbctlError
from dbctl.profiles import Profiles
from dbctl.profiles.presets import BUILT_IN
from dbctl.records import record

PLACE = 1
PAGE = "profiles"


@record
class ProfileRow:
    """A profile that can be named: where it leads, or why it can't be used; `default` is the one taken unless named."""

    name: str
    default: bool
    url: str | None
    origin: str
    error: str | None = field(metadata={"across": True})


def list_(
    profiles: Profiles,
    rows: Annotated[
        bool, typer.Option("--rows", help="Ask for the rows of each fleet too, which may need a connection.")
    ] = False,
) -> Iterator[ProfileRow]:
    """List the profiles that can be named, and which one is taken when none is.

    Of a fleet, whose profiles are rows of a query or of what a program writes, it says what names them all.

    Examples:
        $ dbctl profiles list
        $ dbctl profiles list --rows --json
    """
    fleets, default = profiles.document.fleet.values(), _default(profiles)
    named = dict.fromkeys([*profiles.names(), *([default] if default else [])])
    failed: dict[str, DbctlError] = {}
    for fleet in fleets if rows else ():
        try:
            named |= dict.fromkeys(profiles.rows(fleet))
        except DbctlError as error:
            failed[fleet.name] = error
    shown = _shown(profiles, named, default, failed, rows=rows)
    if not failed:
        return shown
    first = next(iter(failed.values()))
    first.result = [*shown]
    raise first


def _shown(
    profiles: Profiles, names: Iterable[str], default: str | None, failed: Mapping[str, DbctlError], *, rows: bool
) -> Iterator[ProfileRow]:
    """Yield what there is to say of each profile, and of each fleet that was not asked for its rows, or has none."""
    for name in names:
        fleet = profiles.document.fleet_of(name)
        if fleet and not rows:
            yield ProfileRow(name, name == default, None, fleet.origin, None)
        elif fleet and fleet.name in failed:
            continue  # it is told once, by what names all of its rows
        elif row := _row(profiles, name, is_default=name == default):
            yield row
    for fleet in profiles.document.fleet.values():
        if not rows or fleet.name in failed:
            why = str(failed[fleet.name]) if fleet.name in failed else None
            yield ProfileRow(fleet.pattern, False, None, f"{fleet.origin}: {fleet.asked}", why)


def _row(profiles: Profiles, name: str, *, is_default: bool) -> ProfileRow | None:
    """Return what there is to say of a profile; None of a preset that waits for its URL, which nobody asked for yet."""
    document, origin = profiles.document, str(profiles.path)
    is_template = any(fleet.template == name for fleet in document.fleet.values())
    in_file = name in document.profiles
    if fleet := document.fleet_of(name):
        origin, in_file = fleet.origin, True
    elif is_template and in_file:
        origin += " (a template)"
    try:
        profile = profiles.select() if is_default else profiles.select(name)
        backend_of(profile)
    except ConfigError as found:
        if not in_file and not is_default:
            return None
        return ProfileRow(
            name, is_default, None, origin if in_file else BUILT_IN, None if document.is_half(name) else str(found)
        )
    origin = origin if in_file else _where_from(profile.origins.get("driver", ""))
    return ProfileRow(name, is_default, profile.shown_url, origin, None)


def _default(profiles: Profiles) -> str | None:
    """Return the profile that is taken when none is named; None where one has to be named."""
    try:
        return profiles.choice().name
    except ConfigError:
        if (profiles.document.profiles or profiles.document.fleet) and profiles.name is None:
            return None
        raise


def _where_from(origin: str) -> str:
    """Return what gave a URL that is not in the file; a preset's is built in."""
    return BUILT_IN if origin.endswith(" preset") else origin or BUILT_IN
