"""The tree of commands, found by walking the package `dbctl.commands`; only the one that is asked for is imported."""

import ast
import functools
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from dbctl.cli.adapter import command_from, group_callback


class CommandTree(TyperGroup):
    """A group whose subcommands are the modules of a package: `init_tables.py` is `init-tables`."""

    package = "dbctl.commands"

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the package's modules as a person types them."""
        return sorted(self._modules)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command as lists show it, with the first line of its help, without importing it."""
        if cmd_name not in self._modules:
            return None
        return TyperCommand(cmd_name, help=_summary(self._modules[cmd_name]))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that was asked for."""
        name = args[0]
        if name in self._modules:
            return name, self._load(name), args[1:]
        self.commands = {known: self.get_command(ctx, known) for known in self._modules}  # to suggest the nearest
        return super().resolve_command(ctx, args)

    @functools.cached_property
    def _modules(self) -> dict[str, Path]:
        folder = Path(import_module(self.package).__path__[0])
        return {
            module.name.replace("_", "-"): folder / module.name / "__init__.py" if module.ispkg
            else folder / f"{module.name}.py"
            for module in iter_modules([str(folder)])
        }  # fmt: skip

    def _load(self, name: str) -> Any:
        path = self._modules[name]
        module = f"{self.package}.{name.replace('-', '_')}"
        return make_group(module, _summary(path)) if path.name == "__init__.py" else command_from(import_module(module))


def make_group(package: str, help: str, *, root: bool = False, epilog: str | None = None) -> Any:
    """Make a package of command modules into a group of commands.

    Args:
        package: The package's dotted name.
        help: What its help says first.
        root: Whether it is the whole command line, which has --version and shell completion too.
        epilog: What its help says last.
    """
    app = typer.Typer(
        cls=type("Group", (CommandTree,), {"package": package}),
        name=package.rpartition(".")[2].replace("_", "-"),
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
