"""The profiles that a command is run on: all of them valid and confirmed before any is connected to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from dbctl.cli import report
from dbctl.cli.calls import Call
from dbctl.cli.prompts import can_ask
from dbctl.errors import ConfirmationNeeded, UsageError
from dbctl.profiles.choosing import chosen, is_pattern
from dbctl.records import record

if TYPE_CHECKING:
    from dbctl.cli.opening import Opener
    from dbctl.profiles import Profile


@record
class Member:
    """A profile, and the call on it."""

    profile: Profile
    call: Call


def members_of(call: Call, opener: Opener) -> Sequence[Member]:
    """Return a call for each profile that is named, all of them chosen, valid and confirmed before any is connected to.

    Args:
        call: The call, whose global options name several.
        opener: How what its function needs is opened.

    Raises:
        ConfigError: One of them is wrong.
        ConfirmationNeeded: One of them is protected, and not confirmed.
        UsageError: The command is not to be run on several.
    """
    if call.effects.owns_terminal or call.effects.passes_words_on or not opener.takes_one:
        raise UsageError("several profiles are named", "this command takes one at a time")
    if call.effects.one_profile and (why := call.effects.one_profile(**call.arguments)):
        raise UsageError(f"several profiles are named: {why}", "name one of them")
    if call.said.url is not None:
        raise UsageError("--url and several profiles are given", "give one of them")
    from dbctl.backends import backend_of

    wanted = call.said.wanted
    profiles = replace(replace(call, said=replace(call.said, profile=None)).profiles(), heard=lambda _: None)
    found = []
    for name in chosen(profiles, wanted):
        confirmed = call.terms.confirm
        if confirmed is not None and _confirms(confirmed, name, wanted.names):
            confirmed = name
        own = replace(call, said=replace(call.said, profile=[name]), terms=replace(call.terms, confirm=confirmed))
        profile = profiles.select(name)
        backend_of(profile)  # which refuses what only it knows
        found.append((profile, own))
    _refuse_unconfirmed(found)
    members = []
    for profile, own in found:
        with report.speaking_of(profile.name):
            asked = replace(own, effects=replace(own.effects, asks=False))  # now, and not by several at a time
            asked.agree_first(profile)
        confirmed = profile.name if own.needs_name(profile) else own.terms.confirm
        members.append(Member(profile, replace(asked, chosen=profile, terms=replace(own.terms, confirm=confirmed))))
    return members


def _refuse_unconfirmed(found: Sequence[tuple[Profile, Call]]) -> None:
    """Refuse protected profiles that were not confirmed, and that nobody can be asked for, all at once."""
    if can_ask():
        return
    names = [profile.name for profile, own in found if own.needs_name(profile) and own.terms.confirm != profile.name]
    if len(names) > 1:
        said = f"profiles {', '.join(names)} are protected; nothing was connected to"
        raise ConfirmationNeeded(said, f"say --confirm={','.join(names)}")


def _confirms(said: str, name: str, patterns: Sequence[str]) -> bool:
    """Tell whether what was said confirms a profile: its name among others, or the pattern that has named it."""
    return name in said.split(",") or (is_pattern(said) and said in patterns and fnmatchcase(name, said))
