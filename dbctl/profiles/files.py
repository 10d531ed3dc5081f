"""Profile files and the files that a profile names: what is in them, and whether nobody else can read it."""

import os
import shlex
import stat
from pathlib import Path

from dbctl.errors import ConfigError

_ROOTS_OWN = 0o640
_ONES_OWN = 0o600


def absolute(path: str | Path) -> Path:
    """Return a path from the root.

    Raises:
        ConfigError: It is a relative one, and the working directory has been removed.
    """
    try:
        return Path(os.path.abspath(path))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: the working directory is gone", "change to one that is there") from error


def text_of(path: Path) -> str:
    """Return a file's text, to the letter.

    Raises:
        ConfigError: It can't be read; the cause is a FileNotFoundError where it is not there.
    """
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from error


def unreadable(path: Path) -> str | None:
    """Return why a file can't be read, or None where it can."""
    try:
        with path.open("rb"):
            return None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return getattr(error, "strerror", None) or str(error)


def exposed(path: Path) -> str | None:
    """Return who besides its owner may read or write a file, and the chmod that ends it; None where nobody may.

    The rule is libpq's for private keys (https://www.postgresql.org/docs/current/libpq-ssl.html): a file that root owns
    may be readable by its group, so that a service can read it; any other is its owner's alone.
    """
    found = path.stat()
    allowed = _ONES_OWN if found.st_uid else _ROOTS_OWN
    mode = stat.S_IMODE(found.st_mode)
    if not mode & 0o077 & ~allowed:
        return None
    return f"others can read or change {path} (mode {mode:04o}); chmod {allowed:o} {shlex.quote(str(path))}"
