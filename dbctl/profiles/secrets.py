"""Where a profile's password comes from. It is read when it is used, and never before.

A source gives the password as one line of UTF-8 text. Where a profile names none, PostgreSQL's drivers look for one
themselves, as all of PostgreSQL's own programs do: in `PGPASSWORD`, and in `~/.pgpass` or the file that `PGPASSFILE`
names.
"""

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from dbctl.errors import ConfigError
from dbctl.profiles.files import content_of, decoded, exposed
from dbctl.profiles.model import Profile
from dbctl.runtime.distribution import how_to_install

COMMAND_TIMEOUT = 30.0
"""Seconds that a `password_command` may take: it may have to ask a vault, and that a person."""


def password_of(profile: Profile, seconds: float = math.inf) -> str | None:
    """Return the profile's password, or None where it names no source.

    Args:
        profile: The profile.
        seconds: How long a program may take, which its `connect_timeout` and `COMMAND_TIMEOUT` bound too.

    Raises:
        ConfigError: The source gives none.
    """
    if profile.password is not None:
        return profile.password.get_secret_value()
    for key, read in _READERS.items():
        if getattr(profile, key) is not None:
            try:
                return read(profile, min(seconds, profile.connect_timeout, COMMAND_TIMEOUT))
            except ConfigError as error:
                where = profile.origins.get(key, profile.called)
                raise ConfigError(f"{where}: {key}: {error.message}", error.hint) from error.__cause__
    return None


def _from_environment(profile: Profile, _seconds: float) -> str:
    return from_environment(str(profile.password_env))


def _from_file(profile: Profile, _seconds: float) -> str:
    return from_file(str(profile.password_file))


def from_environment(variable: str) -> str:
    """Return the password in an environment variable.

    Raises:
        ConfigError: It is not set, or no text.
    """
    try:
        os.environ[variable].encode()
    except KeyError:
        raise ConfigError(f"the environment variable {variable} is not set", "set it to the password") from None
    except UnicodeEncodeError:
        raise ConfigError(f"the environment variable {variable} is not UTF-8 text") from None
    return os.environ[variable]


def from_file(name: str) -> str:
    """Return the password that is the first line of a file.

    Raises:
        ConfigError: There is none, or others may read the file.
    """
    path = Path(name)
    try:
        content = content_of(path)
        problem = exposed(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ConfigError(f"can't read {path}: {getattr(error, 'strerror', None) or error}") from error
    if problem:
        raise ConfigError(problem)
    return _first_line(content, str(path))


def _from_command(profile: Profile, seconds: float) -> str:
    from dbctl.runtime.children import TookTooLong, answer_of

    words = profile.password_command or ()
    program = words[0]
    try:
        done = answer_of(words, seconds)
    except TookTooLong:
        bound = f"{seconds:g} s"
        if seconds < COMMAND_TIMEOUT:
            bound = f"connecting may: connect_timeout is {profile.connect_timeout:g} s"
        raise ConfigError(f"{program} took longer than {bound}") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"can't run {program}: {getattr(error, 'strerror', None) or error}") from error
    if done.code:
        said = " ".join(done.err.decode(errors="replace").split())
        raise ConfigError(f"{program} failed with exit code {done.code}" + (f": {said}" if said else ""))
    return _first_line(done.out, f"what {program} wrote")


def _from_keyring(profile: Profile, _seconds: float) -> str:
    service, user = str(profile.password_keyring), profile.user or ""
    try:
        import keyring
    except ImportError:
        raise ConfigError("keyring is not installed", how_to_install("keyring")) from None
    try:
        password = keyring.get_password(service, user)
    except keyring.errors.KeyringError as error:
        raise ConfigError(f"the keyring can't be read: {error}") from error
    if not password:
        raise ConfigError(
            f'the keyring has no password of user "{user}" for "{service}"', f"store it: keyring set {service} {user}"
        )
    return password


_READERS: Mapping[str, Callable[[Profile, float], str]] = {
    "password_env": _from_environment,
    "password_file": _from_file,
    "password_command": _from_command,
    "password_keyring": _from_keyring,
}
SOURCES = ("password", *_READERS)

_PLACES = {"password": "the url", "password_env": "{}", "password_file": "{}"}


def doubt_of(profile: Profile) -> str:
    """Return what to do about a password that was refused, where it ends as one does that was written with `echo`."""
    for key, place in _PLACES.items():
        if (source := getattr(profile, key)) is not None:
            try:
                password = password_of(profile) or ""
            except ConfigError:
                return ""
            if password == password.rstrip():
                return ""
            end = "a line's end" if password[-1] in "\r\n" else "a blank"
            return f"the password in {place.format(source)} ends with {end}, which may be none of it: take it away"
    return ""


def _first_line(content: bytes, what: str) -> str:
    try:
        # Not splitlines: of all the characters at which that would end a line, only one ends it here.
        first = decoded(content).partition("\n")[0].removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError(f"{what} is not UTF-8 text") from None
    if not first:
        raise ConfigError(f"{what} is empty", "its first line has to be the password")
    return first
