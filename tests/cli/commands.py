"""The commands that there are, found as dbctl finds them: a module is a command, a package a group of them."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import dbctl

ROOT = Path(dbctl.__file__).parent / "commands"

COMMANDS = sorted(
    tuple(part.replace("_", "-") for part in path.relative_to(ROOT).with_suffix("").parts)
    for path in ROOT.rglob("*.py")
    if path.stem != "__init__"
)
GROUPS = sorted((path.name.replace("_", "-"),) for path in ROOT.iterdir() if (path / "__init__.py").is_file())


def function(words: Sequence[str]) -> Callable[..., Any]:
    """Return a command's function."""
    module = import_module(".".join(["dbctl.commands", *words]).replace("-", "_"))
    name = words[-1].replace("-", "_")
    found: Callable[..., Any] = getattr(module, name, None) or getattr(module, f"{name}_")
    return found


# Those that return rows; the others run until they are ended.
WITH_RESULT = [words for words in COMMANDS if get_type_hints(function(words))["return"] is not type(None)]
