"""Importing a service's modules by name: from a directory of its own, guarded, and told in one line where it fails."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType

from dbctl.errors import ConfigError, Remedy
from dbctl.runtime.foreign import guarded, is_ending
from dbctl.runtime.foreign_errors import described, place_of, stand_in


def directory_of(app_dir: str) -> str:
    """Return the real path of the directory that modules are imported from.

    Raises:
        ConfigError: It is not there, or can't be read.
    """
    path = os.path.expanduser(app_dir)
    try:
        if not (os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK)):
            os.listdir(path)  # which says why
        return os.path.realpath(path)
    except (OSError, ValueError) as error:
        if app_dir == os.curdir:
            return app_dir  # the working directory is gone, and packages that are installed do not lie in it
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"app_dir: the directory {app_dir} can't be read: {reason}", Remedy.NAME_APP_DIR) from error


def put_on_path(app_dir: str) -> str:
    """Have modules imported from a directory before all others, and return its real path.

    Raises:
        ConfigError: It is not there, or can't be read.
    """
    directory = directory_of(app_dir)
    if directory not in sys.path:
        sys.path.insert(0, directory)
    return directory


def imported(name: str, app_dir: str, about: str, hint: str = "", *, keep_logging: bool = False) -> ModuleType:
    """Import a module, and leave the process as it was.

    Args:
        name: The module's dotted name.
        app_dir: Where it is imported from, for the message.
        about: What named it, at the beginning of the message.
        hint: What to do where it can't be imported.
        keep_logging: Whether the logging that it sets up stays.

    Raises:
        ConfigError: There is none, or it can't be imported.
    """
    try:
        with guarded(keep_logging=keep_logging):
            module = import_module(name)
    except BaseException as error:
        if is_ending(error):
            raise
        if isinstance(error, ModuleNotFoundError) and _is_part(error.name, name):
            message = f"{about}: there is no module {name} in {app_dir}, nor where Python finds its packages"
            raise ConfigError(message, Remedy.NAME_APP_DIR) from error
        what = str(error) if isinstance(error, ModuleNotFoundError) else described(error)
        where = f" ({place})" if (place := place_of(error)) else ""
        raise ConfigError(f"{about}: {name} can't be imported: {what}{where}", hint) from stand_in(error)

    if not issubclass(type(module), ModuleType):
        raise ConfigError(
            f"{about}: {name} can't be imported: it puts something that is no module in its own place", hint
        )
    return module


def _is_part(missing: object, name: str) -> bool:
    return isinstance(missing, str) and f"{name}.".startswith(f"{missing}.")
