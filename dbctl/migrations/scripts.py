"""Which script of a revision is wrong, where alembic can't make a history of them."""

from __future__ import annotations

import logging
import os
import traceback
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from alembic.util import to_tuple

from dbctl.errors import ConfigError

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

_BROKEN = r"Revision .* is (not present|present more than once)"
"""What alembic warns of before it fails by a KeyError, or takes one of two scripts."""

_log = logging.getLogger("dbctl")


def hear_warnings() -> None:
    """Have a history that does not hold together be an error, and any other warning a line of dbctl's.

    What is deprecated is whoever develops the service to know, and not who migrates its database.
    """
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("error", _BROKEN, UserWarning)
    vars(warnings)["showwarning"] = _say


def places_of(scripts: ScriptDirectory) -> list[str]:
    """Return the directories that the scripts are in."""
    return [os.path.abspath(place) for place in scripts._version_locations]


def script_in(scripts: ScriptDirectory, error: BaseException) -> str | None:
    """Return the path of the script that has raised an error, from the working directory where that is shorter.

    Args:
        scripts: Those that it may be.
        error: What was raised.
    """
    places = tuple(os.path.join(place, "") for place in places_of(scripts))
    own = [name for name in map(os.path.abspath, _files(error)) if name.startswith(places)]
    return _shown(own[-1]) if own else None


def broken_history(scripts: ScriptDirectory) -> ConfigError | None:
    """Return the error for what alembic warns of: two scripts of one revision, or one that follows none; else None.

    Args:
        scripts: All of them.
    """
    paths: dict[str, str] = {}
    found = list(scripts._load_revisions())
    for script in found:
        if earlier := paths.get(script.revision):
            told = f"{earlier} and {_shown(script.path)} are both revision {script.revision}"
            return ConfigError(told, "give one of them another id, or take it away")
        paths[script.revision] = _shown(script.path)
    for script in found:
        for down in to_tuple(script.down_revision, default=()):
            if down not in paths:
                told = f"{paths[script.revision]}: its down_revision {down} has no script"
                return ConfigError(told, "bring that script back, or name the revision that it follows")
    return None


def _files(error: BaseException) -> Iterator[str]:
    """Yield the files that an error may be of: those it was raised in, a module that lacks something, bad syntax."""
    yield from (frame.filename for frame in traceback.extract_tb(error.__traceback__))
    if isinstance(error, AttributeError):
        yield getattr(error.obj, "__file__", None) or ""
    if isinstance(error, SyntaxError):
        yield error.filename or ""


def _say(message: Warning | str, category: type[Warning], *_: Any) -> None:
    _log.warning("%s: %s", category.__name__, " ".join(str(message).split()))


def _shown(path: str) -> str:
    return min(path, os.path.relpath(path), key=len)
