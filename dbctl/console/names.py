"""The names of a console: its session and engine, and all models that the service's modules lead to."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import class_mapper, registry
from sqlmodel import func, select

from dbctl.errors import ConfigError
from dbctl.runtime.foreign import guarded
from dbctl.tables.models import models_of
from dbctl.tables.modules import import_all

if TYPE_CHECKING:
    from dbctl.console.sessions import Desk
    from dbctl.profiles import Profile

_log = logging.getLogger("dbctl")


def own_names(desk: Desk) -> dict[str, Any]:
    """Return what is there besides the models."""
    session = desk.session
    return {
        "session": session,
        "engine": desk.engine,
        "select": select,
        "func": func,
        "profile": desk.profile,
        "commit": session.commit,
        "rollback": session.rollback,
    }


def models_by_name(
    profile: Profile, models: Sequence[str] | None, app_dir: str | None, taken: Mapping[str, Any]
) -> dict[str, type]:
    """Import the modules that were named, or that the profile names, and return their models and enums by name.

    A module that can't be imported is told and left out. Of several models of one name each has its module's before it:
    which one is meant by the plain name nobody could know.

    Args:
        profile: The profile.
        models: The modules that were named.
        app_dir: Where they are imported from; the profile's own unless given.
        taken: Names that are no model's, and stay what they are.
    """
    directory = app_dir or profile.app_dir or "."
    modules: list[ModuleType] = []
    for name in models or models_of(profile):
        try:
            modules += import_all([name], directory, profile.exclude, _tell)
        except ConfigError as error:
            _tell(error)
    by_name: dict[str, list[type]] = defaultdict(list)
    with guarded():
        for model in dict.fromkeys(_models(modules)):
            by_name[model.__name__].append(model)
    found = dict(_told_apart(by_name, taken))
    enums = {enum.__name__: enum for model in found.values() for enum in _enums_of(model)}
    return {name: enum for name, enum in enums.items() if name not in taken} | found


def _tell(error: ConfigError) -> None:
    _log.warning("left out: %s", error)


def _models(modules: Sequence[ModuleType]) -> Iterator[type]:
    """Yield the mapped classes of all registries that the modules' values belong to."""
    seen: set[int] = set()
    for module in modules:
        for value in list(vars(module).values()):
            for found in _registries(value):
                if id(found) not in seen:
                    seen.add(id(found))
                    yield from sorted((mapper.class_ for mapper in found.mappers), key=_full_name)


def _registries(value: Any) -> Iterator[registry]:
    """Yield the registries that a module's value is, or belongs to, as a base or a model does."""
    candidates = [value]
    # By its type alone, for to ask an object what it is may be to run what is behind it.
    if issubclass(type(value), type):
        candidates = [getattr(value, name, None) for name in ("registry", "_sa_registry")]
        candidates.append(getattr(getattr(value, "__mapper__", None), "registry", None))
    yield from (each for each in candidates if issubclass(type(each), registry))


def _enums_of(model: type) -> Iterator[type]:
    """Yield the enums that columns of a model are of; its relationships need not lead anywhere for that."""
    columns: Iterable[Any] = class_mapper(model, configure=False).columns
    for column in columns:
        if isinstance(enum := getattr(column.type, "enum_class", None), type):
            yield enum


def _full_name(model: type) -> str:
    return f"{model.__module__}.{model.__qualname__}"


def _told_apart(by_name: Mapping[str, Sequence[type]], taken: Mapping[str, Any]) -> Iterator[tuple[str, type]]:
    for name, models in by_name.items():
        if len(models) == 1 and name not in taken:
            yield name, models[0]
            continue
        used: dict[str, type] = {}
        for model in models:
            used[_alias(model, {*taken, *by_name, *used})] = model
        listed = ", ".join(f"{alias} is {_full_name(model)}" for alias, model in used.items())
        why = f"{len(models)} models have the name {name}" if len(models) > 1 else f"the name {name} is the console's"
        _log.warning("%s: %s", why, listed)
        yield from used.items()


def _alias(model: type, taken: set[str]) -> str:
    """Return a model's name behind as much of its module's as tells it apart."""
    parts = model.__module__.split(".")
    aliases = ["_".join([*parts[-count:], model.__name__]) for count in range(1, len(parts) + 1)]
    free = (alias for alias in aliases if alias not in taken)
    return next(free, "_".join([*parts, model.__qualname__.replace(".", "_")]))
