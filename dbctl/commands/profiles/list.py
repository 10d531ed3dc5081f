"""`dbctl profiles list`."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dbctl.backends import backend_of
from dbctl.errors import ConfigError
from dbctl.profiles import Profiles
from dbctl.profiles.presets import BUILT_IN

PLACE = 1
PAGE = "profiles"


@dataclass(frozen=True)
class ProfileRow:
    """A profile that can be named: where it leads, or why it can't be used; `default` is the one taken unless named."""

    name: str
    default: bool
    url: str | None
    origin: str
    error: str | None = field(metadata={"across": True})


def list_(profiles: Profiles) -> Iterator[ProfileRow]:
    """List the profiles that can be named, and which one is taken when none is.

    Examples:
        $ dbctl profiles list
        $ dbctl profiles list --json
    """
    default = _default(profiles)
    for name in dict.fromkeys([*profiles.names(), *([default] if default else [])]):
        in_file = name in profiles.document.profiles
        url = error = None
        origin = str(profiles.path) if in_file else BUILT_IN
        try:
            profile = profiles.select() if name == default else profiles.select(name)
            backend_of(profile)
            url = profile.shown_url
            origin = origin if in_file else _where_from(profile.origins.get("driver", ""))
        except ConfigError as found:
            if not in_file and name != default:
                continue  # production waits for its URL: nobody has asked for it yet
            error = str(found)
        yield ProfileRow(name, name == default, url, origin, error)


def _default(profiles: Profiles) -> str | None:
    """Return the profile that is taken when none is named; None where one has to be named."""
    try:
        return profiles.choice().name
    except ConfigError:
        if profiles.document.profiles and profiles.name is None:
            return None
        raise


def _where_from(origin: str) -> str:
    """Return what gave a URL that is not in the file; a preset's is built in."""
    return BUILT_IN if origin.endswith(" preset") else origin or BUILT_IN
