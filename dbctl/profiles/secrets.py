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
    where = f"{_where(profile, 'password_env')}: the environment variable {variable}"
    try:
        os.environ[variable].encode()
    except KeyError:
        raise ConfigError(f"{where} is not set", "set it to the password") from None
    except UnicodeEncodeError:
        raise ConfigError(f"{where} is not UTF-8 text") from None
    return os.environ[variable]


def _from_file(profile: Profile, path: Path) -> str:
    try:
        # Not splitlines: of all the characters at which that would end a line, only one ends it here.
        first = path.read_bytes().decode().partition("\n")[0].removesuffix("\r")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{_where(profile, 'password_file')}: can't read {path}: it is not UTF-8 text") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{_where(profile, 'password_file')}: can't read {path}: {reason}") from error
    if not first:
        raise ConfigError(f"{_where(profile, 'password_file')}: {path} is empty", "put the password on its first line")
    return first
