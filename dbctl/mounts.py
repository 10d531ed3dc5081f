"""Where commands come from: packages of command modules, mounted one over the other. Nothing here imports them."""

import os
import sys
from collections.abc import Iterator

from dbctl.records import record


@record
class Mount:
    """A package of command modules: one module a command, one package a group of them.

    Args:
        package: Its dotted name.
        panel: The heading under which help lists its commands; where it is None each module says its own.
        models: The modules whose tables serve where a profile names none.
        key: The profile file's key that takes the commands away where it is false.
        directory: Where the package is imported from before all other places, if anywhere.
        origin: What names it, for messages.
    """

    package: str
    panel: str | None = None
    models: tuple[str, ...] = ()
    key: str | None = None
    directory: str | None = None
    origin: str = ""


OWN = Mount("dbctl.commands")
SAMPLE = Mount("dbctl.sample.commands", "Sample", ("dbctl.sample.models",), "sample")

MOUNTS = (OWN, SAMPLE)
"""All that there are; where two have a command of the same name the first has it."""

GROUP = "dbctl.commands"
"""The group of entry points by which an installed package names a package of its own as a mount."""


def installed() -> Iterator[Mount]:
    """Yield what installed packages mount: `[project.entry-points."dbctl.commands"]` names each by `name = "package"`.

    https://packaging.python.org/en/latest/specifications/entry-points/
    """
    if not any(map(_names_mounts, _entry_points())):
        return
    from importlib import metadata  # which takes as long to import as all of the help

    for point in metadata.entry_points(group=GROUP):
        distribution = f" of {point.dist.name}" if point.dist else ""
        yield Mount(point.value, origin=f"entry point {point.name}{distribution}")


def _entry_points() -> Iterator[str]:
    """Yield the paths where the entry points of installed packages would be."""
    for folder in sys.path:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        yield from (os.path.join(folder, name, "entry_points.txt") for name in names if name.endswith("-info"))


def _names_mounts(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return f"[{GROUP}]".encode() in file.read()
    except OSError:
        return False
