"""The commands that there are, found by walking the mounts' packages, and what each says of itself.

Nothing of them is imported: their files are read. A module says where help lists it by constants, all optional:

    PANEL = "Data"      the heading that it stands under, else the mount's, else "Commands"
    PLACE = 20          its place, by which the headings of a mount are in order too; without one it stands last
    PAGE = "bulk"       the page of `dbctl help` that tells more
    OTHERS = "rest"     of a group: the command that takes the line where it begins with none of the group's
"""

import ast
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from dbctl.cli.docstrings import Description
from dbctl.errors import ConfigError
from dbctl.mounts import Mount
from dbctl.records import record

_LAST = 1_000_000


@record
class Found:
    """A command, or a group of them, that is there and not imported yet.

    Args:
        name: Its name as a person types it.
        module: Its module's dotted name.
        path: The file.
        mount: Where it comes from.
    """

    name: str
    module: str
    path: Path
    mount: Mount

    @property
    def is_group(self) -> bool:
        """Whether it is a package of commands."""
        return self.path.name == "__init__.py"

    @property
    def is_own(self) -> bool:
        """Whether it is a service's own, and not dbctl's."""
        return not self.module.startswith("dbctl.")

    @cached_property
    def problem(self) -> str | None:
        """Why its file can't be read, or None where it can."""
        return self._read if isinstance(self._read, str) else None

    @cached_property
    def description(self) -> Description:
        """What it says of itself: the docstring of the command's function, or of the package."""
        if isinstance(self._read, str):
            return Description()
        name = self.path.stem.rstrip("_")
        functions = (node for node in self._read.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        own = next((node for node in functions if node.name.rstrip("_") == name), self._read)
        return Description.of(ast.get_docstring(own))

    @property
    def panel(self) -> str:
        """The heading that it stands under."""
        return str(self._constants.get("PANEL") or self.mount.panel or "Commands")

    @property
    def place(self) -> float:
        """Its place among the others of its mount."""
        place = self._constants.get("PLACE")
        return place if isinstance(place, int | float) else _LAST

    @property
    def page(self) -> str | None:
        """The page of `dbctl help` that tells more."""
        page = self._constants.get("PAGE")
        return page if isinstance(page, str) else None

    @property
    def others(self) -> str | None:
        """The command of a group that takes the line where it begins with none of the group's."""
        others = self._constants.get("OTHERS")
        return others if isinstance(others, str) else None

    @cached_property
    def _read(self) -> ast.Module | str:
        try:
            return ast.parse(self.path.read_bytes())
        except (OSError, SyntaxError, ValueError) as error:
            return f"{self.path}: {error}"

    @cached_property
    def _constants(self) -> Mapping[str, Any]:
        body = [] if isinstance(self._read, str) else self._read.body
        return {
            target.id: node.value.value
            for node in body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }


@record
class Commands:
    """The commands of some mounts.

    Args:
        found: They, by their names.
        notes: What is to be said of mounts that are not there.
        clashes: Those of a name that another one has already, by that name.
    """

    found: Mapping[str, Found]
    notes: Sequence[str] = ()
    clashes: Mapping[str, Found] = field(default_factory=dict)

    def clash(self, name: str) -> str | None:
        """Return what is to be said where two commands have a name; None where one has it."""
        if name not in self.clashes:
            return None
        return f"command {name}: there are two of this name: {self.found[name].path} and {self.clashes[name].path}"


def commands_of(mounts: Sequence[Mount]) -> Commands:
    """Return the commands of mounts; a name that several have is the first one's."""
    commands: dict[str, Found] = {}
    clashes: dict[str, Found] = {}
    notes = []
    for mount in mounts:
        try:
            folders = list(_folders(mount.package, mount.directory))
        except ImportError as error:
            origin = f" ({mount.origin})" if mount.origin else ""
            notes.append(f"the commands of {mount.package} are missing: {error}{origin}")
            continue
        for module in iter_modules(folders):
            if module.name.startswith("_"):
                continue  # what commands have in common
            folder = Path(module.module_finder.path)  # type: ignore[union-attr]  # of a folder it is a FileFinder
            path = folder / module.name / "__init__.py" if module.ispkg else folder / f"{module.name}.py"
            name = module.name.rstrip("_").replace("_", "-")
            found = Found(name, f"{mount.package}.{module.name}", path, mount)
            if commands.setdefault(name, found) is not found and commands[name].path != path:
                clashes.setdefault(name, found)
    return Commands(commands, notes, clashes)


def mounted_by_file(config: str | None, environ: Mapping[str, str] = os.environ) -> Iterator[Mount]:
    """Yield what the profile file mounts; where it is wrong nothing: a command that reads it tells what is.

    The packages are imported from its `app_dir`, or else from where it is.

    Args:
        config: The profile file that is named.
        environ: The environment, in which it may be named too.
    """
    from dbctl.profiles.document import Document, find

    try:
        path = find(config, environ)
        document = Document.read(path) if path else Document()
    except ConfigError:
        return
    if path is None or not document.commands:
        return
    directory = os.path.expanduser(document.app_dir or ".")
    if "${" in directory:
        from dbctl.profiles.layers import layer_from_table  # which imports what profiles are made of

        directory = str(layer_from_table({"app_dir": directory}, str(path), path.parent, environ).values["app_dir"])
    for package in document.commands:
        yield Mount(package, directory=str(path.parent / directory), origin=f"{path}: commands")


def by_panel(commands: Mapping[str, Found]) -> dict[str, list[Found]]:
    """Return the commands by the heading that they stand under: in order of the mounts, and there of their places."""
    mounts = list(dict.fromkeys(found.mount for found in commands.values()))
    first: dict[tuple[int, str], float] = {}
    for found in commands.values():
        panel = mounts.index(found.mount), found.panel
        first[panel] = min(first.get(panel, _LAST), found.place)

    def place(found: Found) -> tuple[int, float, str, float, str]:
        mount = mounts.index(found.mount)
        return mount, first[mount, found.panel], found.panel, found.place, found.name

    panels: dict[str, list[Found]] = {}
    for found in sorted(commands.values(), key=place):
        panels.setdefault(found.panel, []).append(found)
    return panels


def _folders(package: str, directory: str | None = None) -> Iterator[str]:
    """Yield the folders of a package without importing it, nor those that it is in.

    Args:
        package: Its dotted name.
        directory: Where it is looked for before all other places.

    Raises:
        ModuleNotFoundError: There is none of this name.
    """
    path: Sequence[str] | None = None
    name = ""
    for part in package.split("."):
        name = f"{name}.{part}".lstrip(".")
        places = [[directory], None] if path is None and directory else [path]
        finders = (finder.find_spec(name, place) for place in places for finder in sys.meta_path)
        spec = next((found for found in finders if found is not None), None)
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError(f"there is no package {name}", name=name)
        path = list(spec.submodule_search_locations)
    yield from path or ()
