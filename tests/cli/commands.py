"""The commands that there are, found as dbctl finds them: a module is a command, a package a group of them."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

from dbctl.mounts import MOUNTS

Words = tuple[str, ...]


def _typed(root: Path, path: Path) -> Words:
    return tuple(part.replace("_", "-") for part in path.relative_to(root).with_suffix("").parts)


_ROOTS = {mount.package: Path(str(import_module(mount.package).__file__)).parent for mount in MOUNTS}
_PACKAGES: dict[Words, str] = {
    _typed(root, path): package
    for package, root in _ROOTS.items()
    for path in root.rglob("*.py")
    if path.stem != "__init__"
}

COMMANDS = sorted(_PACKAGES)
GROUPS = sorted(
    (path.name.replace("_", "-"),)
    for root in _ROOTS.values()
    for path in root.iterdir()
    if (path / "__init__.py").is_file()
)


def function(words: Sequence[str]) -> Callable[..., Any]:
    """Return a command's function."""
    module = import_module(".".join([_PACKAGES[tuple(words)], *words]).replace("-", "_"))
    name = words[-1].replace("-", "_")
    found: Callable[..., Any] = getattr(module, name, None) or getattr(module, f"{name}_")
    return found


# Those that return rows; the others run until they are ended.
WITH_RESULT = [words for words in COMMANDS if get_type_hints(function(words))["return"] is not type(None)]
