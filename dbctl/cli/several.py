"""How commands are opened that look at several profiles themselves, and not at one at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbctl.cli.calls import Call
from dbctl.errors import UsageError
from dbctl.profiles.choosing import chosen

if TYPE_CHECKING:
    from dbctl.cli.opening import Work


def on_profiles(call: Call) -> Work:
    """Hand over all profiles that can be named."""
    from dbctl.profiles import Profiles

    profiles = call.profiles()
    several = call.said.wanted.are_several and call.effects.several
    if (call.said.tagged or call.said.all_profiles) and not several:
        raise UsageError("several profiles are named", "this command takes one at a time")
    named = chosen(profiles, call.said.wanted) if several else call.said.profile or ()
    at_a_time = call.said.at_a_time or Profiles.at_a_time
    profiles = replace(profiles, named=tuple(named), several=several, at_a_time=at_a_time)
    return lambda: call.on(profiles)


def on_several(call: Call) -> Work:
    """Hand over the profiles that are named, to be looked at together."""
    from dbctl.cli.exits import exit_code
    from dbctl.fleet import Several

    if not (call.said.wanted.are_several or call.said.profile):
        raise UsageError("no profiles are named", "name several: --profile 'PATTERN', --tag or --all")
    profiles = call.profiles()

    def work() -> Any:
        names = chosen(profiles, call.said.wanted)
        return call.on(Several(names, profiles.select, exit_code, call.said.at_a_time or Several.at_a_time))

    return work
