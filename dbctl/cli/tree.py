"""The tree of commands, found by walking packages of them; only the one that is asked for is imported."""

import ast
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from dbctl.cli.adapter import command_from, group_callback
from dbctl.mounts import Mount


@dataclass(frozen=True)
class _Found:
    """A command that is there, and not imported yet."""

    module: str
    path: Path
    panel: str | None

    @property
    def is_group(self) -> bool:
        return self.path.name == "__init__.py"


class CommandTree(TyperGroup):
    """A group whose subcommands are the modules of packages: `init_tables.py` is `init-tables`."""

    mounts: Sequence[Mount] = ()

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the packages' modules as a person types them."""
        return sorted(self._found)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command as lists show it, with the first line of its help, without importing it."""
        if cmd_name not in self._found:
            return None
        found = self._found[cmd_name]
        return TyperCommand(cmd_name, help=_summary(found.path), rich_help_panel=found.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that was asked for."""
        name = args[0]
        if name in self._found:
            return name, self._load(self._found[name]), args[1:]
        self.commands = {known: self.get_command(ctx, known) for known in self._found}  # to suggest the nearest
        return super().resolve_command(ctx, args)

    @functools.cached_property
    def _found(self) -> dict[str, _Found]:
        found: dict[str, _Found] = {}
        for mount in self.mounts:
            spec = find_spec(mount.package)
            for folder in map(Path, spec.submodule_search_locations or () if spec else ()):
                for module in iter_modules([str(folder)]):
                    path = folder / module.name / "__init__.py" if module.ispkg else folder / f"{module.name}.py"
                    one = _Found(f"{mount.package}.{module.name}", path, mount.panel)
                    found.setdefault(module.name.rstrip("_").replace("_", "-"), one)
        return found

    def _load(self, found: _Found) -> Any:
        if found.is_group:
            return make_group([Mount(found.module)], _summary(found.path))
        return command_from(import_module(found.module))


def make_group(mounts: Sequence[Mount], help: str, *, root: bool = False, epilog: str | None = None) -> Any:
    """Make packages of command modules into a group of commands.

    Args:
        mounts: The packages.
        help: What its help says first.
        root: Whether it is the whole command line, which has --version and shell completion too.
        epilog: What its help says last.
    """
    app = typer.Typer(
        cls=type("Group", (CommandTree,), {"mounts": mounts}),
        name=mounts[0].package.rpartition(".")[2].replace("_", "-"),
        help=help,
        epilog=epilog,
        add_completion=root,
        invoke_without_command=True,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(group_callback(root=root))
    return typer.main.get_command(app)


def _summary(path: Path) -> str:
    """Return the first line of what a module says of itself: of a command's function, or of a package."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = path.stem.rstrip("_")
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.rstrip("_") == name)
    text = ast.get_docstring(next(functions, tree)) or ""
    return text.partition("\n")[0]
