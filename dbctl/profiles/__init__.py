"""Connection profiles: TOML and environment in, one frozen and validated `Profile` out."""

from dbctl.profiles.discovery import Profiles
from dbctl.profiles.model import Pool, Profile, Ssl
from dbctl.profiles.secrets import password_of

__all__ = ["Pool", "Profile", "Profiles", "Ssl", "password_of", "select"]


def select(name: str | None = None, *, config: str | None = None) -> Profile:
    """Return a profile, by name or the one that `dbctl` itself would take.

    Args:
        name: The profile's name.
        config: The profile file's path, over where it is looked for.

    Raises:
        ConfigError: There is no such file or profile, or it is wrong.
    """
    return Profiles.load(config, name=name).select()
