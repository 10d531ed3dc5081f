"""Whether a database's file is there: whoever opens one that is not creates it."""

from __future__ import annotations

import os
from pathlib import Path

from dbctl.errors import ConnectError, Remedy
from dbctl.profiles import Profile


def is_missing(path: str) -> bool:
    """Tell whether there is no such file; one that the system does not let one look at may be there."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def missing_directory(path: str) -> str | None:
    """Return the directory in which a file would be, as its path has it, where there is none."""
    directory = Path(path).parent
    return None if os.path.isdir(directory) else str(directory)


def refuse_missing(profile: Profile) -> None:
    """Do nothing where a profile's file is there, or might be.

    Raises:
        ConnectError: It is not there.
    """
    if is_missing(profile.database or ""):
        told = f"{profile.called}: there is no database file {profile.database}"
        error = ConnectError(told, "database", Remedy.CREATE_DATABASE)
        error.whose = profile.name
        raise error
