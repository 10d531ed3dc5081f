"""The profiles that a command is run on: all of them valid and confirmed before any is connected to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from dbctl.cli.calls import Call
from dbctl.errors import UsageError
from dbctl.profiles.choosing import chosen, is_pattern

if TYPE_CHECKING:
    from dbctl.cli.opening import Opener
    from dbctl.profiles import Profile


@dataclass(frozen=True)
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
    if call.effects.owns_terminal or not opener.takes_one:
        raise UsageError("several profiles are named", "this command takes one at a time")
    if call.said.url is not None:
        raise UsageError("--url and several profiles are given", "give one of them")
    wanted = call.said.wanted
    profiles = replace(replace(call, said=replace(call.said, profile=None)).profiles(), heard=lambda _: None)
    members = []
    for name in chosen(profiles.document, wanted):
        confirmed = call.terms.confirm
        if confirmed is not None and _confirms(confirmed, name, wanted.names):
            confirmed = name
        own = replace(call, said=replace(call.said, profile=[name]), terms=replace(call.terms, confirm=confirmed))
        profile = profiles.select(name)
        own.agree_first(profile)
        members.append(Member(profile, replace(own, chosen=profile)))
    return members


def _confirms(said: str, name: str, patterns: Sequence[str]) -> bool:
    """Tell whether what was said confirms a profile: its name among others, or the pattern that has named it."""
    return name in said.split(",") or (is_pattern(said) and said in patterns and fnmatchcase(name, said))
