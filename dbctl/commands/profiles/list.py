"""`dbctl profiles list`."""

from collections.abc import Iterator
from dataclasses import dataclass

from dbctl.backends import backend_of
from dbctl.errors import ConfigError
from dbctl.profiles import Profiles

PLACE = 1
PAGE = "profiles"


@dataclass(frozen=True)
class ProfileRow:
    """A profile that can be named: where it leads, or why it can't be used."""

    name: str
    chosen: bool
    url: str | None
    source: str
    problem: str | None


def list_(profiles: Profiles) -> Iterator[ProfileRow]:
    """List the profiles that can be named, and which one is taken when none is.

    Examples:
        $ dbctl profiles list
        $ dbctl profiles list --json
    """
    chosen = profiles.chosen_name()
    for name in profiles.names():
        built_in = name not in profiles.document.profiles
        url = problem = None
        try:
            profile = profiles.select() if name == chosen else profiles.select(name)
            backend_of(profile)
            url = profile.shown_url
        except ConfigError as error:
            if built_in and name != chosen:
                continue  # production waits for its URL: nobody has asked for it yet
            problem = str(error)
        yield ProfileRow(name, name == chosen, url, "built in" if built_in else str(profiles.path), problem)
