"""A service's modules: imported by name, a package with what is in it, and those that nobody has named."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from fnmatch import fnmatchcase
from importlib.machinery import PathFinder
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from dbctl.errors import ConfigError, Remedy
from dbctl.records import record
from dbctl.runtime.importing import directory_of, imported, put_on_path

ALL = ".*"
"""Stands behind a package's name for all modules in it."""

_DEFINES_TABLES = re.compile(rb"^[^#\n]*(?:\btable\s*=\s*True\b|\b__tablename__\b|\bTable\s*\(\s*[\"'])", re.MULTILINE)

_NO_PACKAGES = {"__pycache__", "node_modules"}


@record
class Source:
    """A module that is there, imported or not.

    Attributes:
        name: Its dotted name.
        path: Its file; None where it has none that could be read.
        folders: Where its submodules are, if it is a package.
    """

    name: str
    path: str | None
    folders: Sequence[str] = ()

    def defines_tables(self) -> bool:
        """Tell by its text whether it defines any table; without a text it does not."""
        if self.path is None or not self.path.endswith(".py"):
            return False
        try:
            return bool(_DEFINES_TABLES.search(Path(self.path).read_bytes()))
        except OSError:
            return False


def import_all(
    names: Sequence[str],
    app_dir: str,
    exclude: Sequence[str] = (),
    failed: Callable[[ConfigError], object] | None = None,
) -> list[ModuleType]:
    """Import modules by name, from a directory that is put first on the path.

    A package is taken whole: with those of its modules that define tables, or by `app.*` with all of them.

    Args:
        names: The modules' names.
        app_dir: The directory.
        exclude: Modules and packages of a package that are left alone, as names or patterns (`app.legacy`, `*.tests`).
        failed: Called with the error of a module in a package that can't be imported, which is left out then.

    Raises:
        ConfigError: There is no such directory or module, or one can't be imported.
    """
    put_on_path(app_dir)
    modules: dict[str, ModuleType] = {}
    for name in names:
        package = name.removesuffix(ALL)
        modules[package] = imported(package, app_dir, "models")
        everything = package != name
        if everything and not _folders(modules[package]):
            raise ConfigError(f"models: {name}: {package} is no package", f"name it {package}")
        for source in _within(package, _folders(modules[package]), exclude):
            if (everything and source.path is not None) or source.defines_tables():
                try:
                    modules[source.name] = imported(source.name, app_dir, "models", Remedy.EXCLUDE_MODULE)
                except ConfigError as error:
                    if failed is None:
                        raise
                    failed(error)
    return list(modules.values())


def left_out(modules: Sequence[ModuleType], app_dir: str, exclude: Sequence[str] = ()) -> list[str]:
    """Return the modules that stand beside those that were named, define tables, and have not been imported.

    Args:
        modules: The modules that were named.
        app_dir: The directory that they were imported from.
        exclude: Those that are left out on purpose.
    """
    imported = {identity for module in list(sys.modules.values()) if (identity := _identity(_file(module)))}
    beside: dict[str, Source] = {}
    for module in modules:
        if parent := module.__name__.rpartition(".")[0]:
            found = _within(parent, _folders(sys.modules.get(parent)), exclude)
        else:
            directory = directory_of(app_dir)
            file = None if _folders(module) else _file(module)
            alone = file is not None and os.path.dirname(os.path.realpath(file)) == directory
            found = _in_folder("", [directory] if alone else [])
        beside |= {source.name: source for source in found if not _excluded(source.name, exclude)}
    return [
        source.name
        for source in beside.values()
        if source.path and _identity(source.path) not in imported and source.defines_tables()
    ]


def _within(
    package: str, folders: Sequence[str], exclude: Sequence[str], seen: Collection[str] = ()
) -> Iterator[Source]:
    """Yield what is in a package, and in those in it, without importing any of it."""
    for source in _in_folder(f"{package}." if package else "", folders):
        if _excluded(source.name, exclude):
            continue
        yield source
        new = [folder for folder in source.folders if os.path.realpath(folder) not in seen]
        if new:
            yield from _within(source.name, new, exclude, {*seen, *map(os.path.realpath, new)})


def _in_folder(prefix: str, folders: Sequence[str]) -> Iterator[Source]:
    known = set()
    for found in iter_modules(folders):
        known.add(found.name)
        if found.name == "__main__":
            continue  # it is a program
        spec = PathFinder.find_spec(found.name, folders)
        if spec is not None:
            yield Source(prefix + found.name, spec.origin, list(spec.submodule_search_locations or ()))
    for folder in folders:
        yield from (
            Source(prefix + name, None, [os.path.join(folder, name)])
            for name in _directories(folder)
            if name not in known and name.isidentifier()
        )


def _directories(folder: str) -> list[str]:
    """Return what may be packages without an `__init__.py`: there may be modules in them."""
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and entry.name not in _NO_PACKAGES)
    except OSError:
        return []


def _excluded(name: str, exclude: Sequence[str]) -> bool:
    parts = name.split(".")
    names = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return any(fnmatchcase(each, pattern.removesuffix(ALL)) for pattern in exclude for each in names)


def _folders(module: ModuleType | None) -> list[str]:
    try:
        return [str(folder) for folder in getattr(module, "__path__", ())]
    except Exception:
        return []


def _file(module: object) -> str | None:
    """Return the path of a module's file, where there is one; of what only stands for a module nothing is asked.

    A library of cffi, as cryptography has one there, would make all that is in it, and not in two threads at once.
    """
    file = vars(module).get("__file__") if issubclass(type(module), ModuleType) else None
    return file if isinstance(file, str) else None


def _identity(path: str | None) -> tuple[int, int] | None:
    """Return what a file is the same by under each of its names, which one call tells; None where there is none."""
    try:
        found = os.stat(path) if path else None
    except (OSError, ValueError):  # ValueError: the path has a null in it
        return None
    return (found.st_dev, found.st_ino) if found else None
