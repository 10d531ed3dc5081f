"""Finding the tables that a service's own modules define.

SQLAlchemy is imported where it is used, so that reading a command's help loads none of it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from dbctl.errors import ConfigError, Remedy
from dbctl.profiles.presets import BUILT_IN_MODELS

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from dbctl.profiles import Profile

_log = logging.getLogger(__name__)


def models_of(profile: Profile) -> Sequence[str]:
    """Return the modules that a profile names; where those of the sample serve for them, say so."""
    if profile.origins.get("models") == BUILT_IN_MODELS:
        _log.info("no models are configured: these are the sample's tables (name yours with the profile's key models)")
    return profile.models


def metadata_of(models: Sequence[str], app_dir: str = ".") -> list[MetaData]:
    """Import modules, and return every MetaData that can be reached from them and holds a table.

    That is the metadata of each declarative base or model, SQLModel's own and any Table's, in the modules and in those
    modules of the same package that they refer to.

    Args:
        models: The modules' names.
        app_dir: Where they are imported from, put first on the path.

    Raises:
        ConfigError: None is named, one can't be imported, or no table was found.
    """
    if not models:
        raise ConfigError("models: there are none", Remedy.NAME_MODELS)
    with suppress(FileNotFoundError):  # the working directory is gone, where nothing can be imported from
        directory = str(Path(app_dir).resolve())
        if directory not in sys.path:
            sys.path.insert(0, directory)
    found = {id(metadata): metadata for name in models for metadata in _reachable(_import(name, app_dir), set())}
    with_tables = [metadata for metadata in found.values() if metadata.tables]
    if not with_tables:
        raise ConfigError(f"models: no table is defined in {', '.join(models)}", "name the modules that define them")
    return with_tables


def _import(name: str, app_dir: str) -> ModuleType:
    try:
        # What a module prints while it is imported is talk, not data.
        with redirect_stdout(sys.stderr):
            return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            message = f"models: there is no module {name} in {app_dir}, nor where Python finds its packages"
            raise ConfigError(message, Remedy.NAME_APP_DIR) from error
        raise ConfigError(f"models: {name} can't be imported: {error}") from error
    except (Exception, SystemExit) as error:
        raise ConfigError(f"models: {name} can't be imported: {type(error).__name__}: {error}") from error


def _reachable(module: ModuleType, seen: set[str]) -> Iterator[MetaData]:
    from sqlalchemy import MetaData

    seen.add(module.__name__)
    package = module.__name__.partition(".")[0]
    for value in list(vars(module).values()):
        if isinstance(value, ModuleType):
            if value.__name__.partition(".")[0] == package and value.__name__ not in seen:
                yield from _reachable(value, seen)
            continue
        metadata = value if isinstance(value, MetaData) else getattr(value, "metadata", None)
        if isinstance(metadata, MetaData):
            yield metadata
