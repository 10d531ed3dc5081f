"""Where a profile's password comes from. It is read when it is used, never before, and kept nowhere."""

import os
from pathlib import Path

from dbctl.errors import ConfigError
from dbctl.profiles.model import Profile

SOURCES = ("password", "password_env", "password_file")


def password_of(profile: Profile) -> str | None:
    """Return the profile's password, or None where it names no source.

    Raises:
        ConfigError: The variable is not set, or the file can't be read or is empty.
    """
    if profile.password is not None:
        return profile.password.get_secret_value()
    if profile.password_env is not None:
        return _from_environment(profile, profile.password_env)
    if profile.password_file is not None:
        return _from_file(profile, Path(profile.password_file))
    return None


def _where(profile: Profile, key: str) -> str:
    return f"{profile.origins.get(key, 'profile ' + profile.name)}: {key}"


def _from_environment(profile: Profile, variable: str) -> str:
    try:
        return os.environ[variable]
    except KeyError:
        message = f"{_where(profile, 'password_env')}: the environment variable {variable} is not set"
        raise ConfigError(message, "set it to the password") from None


def _from_file(profile: Profile, path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{_where(profile, 'password_file')}: can't read {path}: {reason}") from error
    if not lines or not lines[0]:
        raise ConfigError(f"{_where(profile, 'password_file')}: {path} is empty", "put the password on its first line")
    return lines[0]
