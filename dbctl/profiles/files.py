"""The files that a profile names: whether they can be read, and whether nobody else can."""

import shlex
import stat
from pathlib import Path

_ROOTS_OWN = 0o640
_ONES_OWN = 0o600


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
