"""Finding the tables that a service's own modules define.

SQLAlchemy is imported where it is used, so that reading a command's help loads none of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dbctl.errors import ConfigError, Remedy
from dbctl.profiles.presets import BUILT_IN_MODELS
from dbctl.runtime.foreign import guarded, is_ending
from dbctl.tables.modules import import_all, left_out
from dbctl.tables.references import check_references

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from dbctl.profiles import Profile

_log = logging.getLogger(__name__)

_SHOWN = 5


def models_of(profile: Profile) -> Sequence[str]:
    """Return the modules that a profile names; where those of the sample serve for them, say so."""
    if profile.origins.get("models") == BUILT_IN_MODELS:
        _log.info("no models are configured: these are the sample's tables (name yours with the profile's key models)")
    return profile.models


def metadata_for(
    profile: Profile, models: Sequence[str] | None, app_dir: str | None, exclude: Sequence[str] | None
) -> list[MetaData]:
    """Return what `metadata_of` finds by what was said, or else by what the profile says.

    Raises:
        ConfigError: As of `metadata_of`.
    """
    return metadata_of(models or models_of(profile), app_dir or profile.app_dir or ".", exclude or profile.exclude)


def metadata_of(models: Sequence[str], app_dir: str = ".", exclude: Sequence[str] = ()) -> list[MetaData]:
    """Import modules, and return every MetaData that can be reached from them and holds a table.

    That is the metadata of each declarative base or model, SQLModel's own and any Table's, in the modules and in those
    modules of the same package that they refer to. Modules beside them that define tables too are told in a note.

    Args:
        models: The modules' names; a package's stands for all in it that define tables, `app.*` for all that are in it.
        app_dir: Where they are imported from, put first on the path.
        exclude: What is left alone in packages: names, or patterns of names.

    Raises:
        ConfigError: None is named, one can't be imported, no table was found, or one refers to a table that is not
            defined in any of them.
    """
    if not models:
        raise ConfigError("models: there are none", Remedy.NAME_MODELS)
    modules = import_all(models, app_dir, exclude)
    with guarded():
        found = {id(metadata): metadata for module in modules for metadata in _reachable(module)}
    with_tables = [metadata for metadata in found.values() if metadata.tables]
    others = left_out(modules, app_dir, exclude)
    if not with_tables:
        hint = f"name {_listed(others)}" if others else "name the modules that define them"
        raise ConfigError(f"models: no table is defined in {', '.join(models)}", hint)
    for metadata in with_tables:
        check_references(metadata, others)
    if others:
        _log.info("tables are left out that %s: name them too, or their package", _define(others))
    return with_tables


def _define(modules: Sequence[str]) -> str:
    return f"{_listed(modules)} {'defines' if len(modules) == 1 else 'define'}"


def _listed(modules: Sequence[str]) -> str:
    more = len(modules) - _SHOWN
    return ", ".join(modules[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _reachable(module: ModuleType) -> Iterator[MetaData]:
    package = module.__name__.partition(".")[0]
    waiting, seen = [module], {id(module)}
    while waiting:
        for value in list(vars(waiting.pop()).values()):
            # By its type alone, for to ask an object what it is may be to run what is behind it.
            if issubclass(type(value), ModuleType):
                if id(value) not in seen and _name(value).partition(".")[0] == package:
                    seen.add(id(value))
                    waiting.append(value)
            elif (metadata := _metadata(value)) is not None:
                yield metadata


def _name(module: ModuleType) -> str:
    name = vars(module).get("__name__")
    return name if isinstance(name, str) else ""


def _metadata(value: Any) -> MetaData | None:
    """Return the metadata that a value is or has; what it raises when it is asked says that it has none."""
    from sqlalchemy import MetaData

    if issubclass(type(value), MetaData):
        return value  # type: ignore[no-any-return]
    try:
        found = getattr(value, "metadata", None)
    except BaseException as error:
        if is_ending(error):
            raise
        return None
    return found if issubclass(type(found), MetaData) else None
