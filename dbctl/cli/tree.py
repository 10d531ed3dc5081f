"""The tree of commands; only the one that is asked for is imported."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import cached_property
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from dbctl.cli.adapter import command_from, group_callback
from dbctl.cli.docstrings import Description
from dbctl.cli.line import config_named
from dbctl.cli.mounted import Found, by_panel, commands_of
from dbctl.cli.options import TERM_OPTIONS
from dbctl.cli.parser import TyperError
from dbctl.errors import ConfigError, DbctlError
from dbctl.mounts import Mount


class CommandTree(TyperGroup):
    """A group whose subcommands are the modules of packages: `init_tables.py` is `init-tables`."""

    mounts: Sequence[Mount] = ()
    description = Description()
    page: str | None = None
    others: str | None = None
    """The command that takes the line where it begins with none of the group's."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the packages' modules as a person types them, in the order of the help."""
        return [found.name for panel in by_panel(self.available(ctx)).values() for found in panel]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command as lists show it, with the first line of its help, without importing it."""
        found = self._found.get(cmd_name)
        return found and TyperCommand(cmd_name, help=found.description.summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that was asked for."""
        if self.others and args[0] not in self._found:
            args = [self.others, *args]
        name = args[0]
        if name in self.available(ctx, args):
            command = self._loaded(self._found[name])
            command.suggest = lambda word: self._elsewhere(ctx, name, word)
            return name, command, args[1:]
        if name in self._found:
            ctx.fail(f"No such command {name!r}: the profile file has {self._found[name].mount.key} = false")
        self.commands = dict.fromkeys(self.available(ctx, args), self)  # by their names the nearest is suggested
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse the group's arguments; an option that goes after the command is told to."""
        try:
            return super().parse_args(ctx, args)
        except TyperError as error:
            error.ctx = error.ctx or ctx
            option = getattr(error, "option_name", None)
            if option in TERM_OPTIONS:
                error.message = f"{option} goes after the command: {ctx.command_path} COMMAND {option} …"
                error.possibilities = None
            raise

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help in dbctl's own layout, and note on stderr what can't be listed."""
        from dbctl.cli import layout, report

        panels = by_panel(self.available(ctx))
        for note in [*self._notes, *(found.problem for panel in panels.values() for found in panel if found.problem)]:
            report.say_note(note)
        rows = {panel: [(one.name, one.description.summary) for one in found] for panel, found in panels.items()}
        formatter.write(layout.group_page(self, ctx, rows))

    def available(self, ctx: Any, said: Sequence[str] = ()) -> Mapping[str, Found]:
        """Return the commands that there are: the profile file can take those of a mount away.

        Args:
            ctx: The group's context.
            said: What stands on the line after the group.
        """
        wanted = [found for name, found in self._found.items() if not said or name == said[0]]
        keys = {found.mount.key for found in wanted if found.mount.key}
        if not keys:
            return self._found
        gone = _taken_away(keys, _config(ctx, said[1:]))
        return {name: found for name, found in self._found.items() if found.mount.key not in gone}

    def first(self, ctx: Any, number: int) -> list[Found]:
        """Return the commands that stand first in the help."""
        return [found for panel in by_panel(self.available(ctx)).values() for found in panel][:number]

    @property
    def _found(self) -> dict[str, Found]:
        return self._walked[0]

    @property
    def _notes(self) -> list[str]:
        return self._walked[1]

    @cached_property
    def _walked(self) -> tuple[dict[str, Found], list[str]]:
        return commands_of(self.mounts)

    def _elsewhere(self, ctx: Any, name: str, word: str) -> str | None:
        """Return the command `transfers list` for the words `transfer list`: that of a group with nearly this name."""
        from difflib import get_close_matches

        groups = [other for other, found in self.available(ctx).items() if found.is_group and other != name]
        for group in get_close_matches(name, groups):
            if word in commands_of([_inside(self._found[group])])[0]:
                return f"{group} {word}"
        return None

    def _loaded(self, found: Found) -> Any:
        if found.is_group:
            return make_group([_inside(found)], found.description, found.page, others=found.others)
        try:
            with redirect_stdout(sys.stderr):  # what a module prints while it is imported is talk, not data
                command = command_from(import_module(found.module))
        except (Exception, SystemExit) as error:
            raise _explained(found, error) from error
        command.page = found.page
        return command


def make_group(
    mounts: Sequence[Mount],
    description: Description,
    page: str | None = None,
    *,
    cls: type[CommandTree] = CommandTree,
    callback: Callable[..., None] | None = None,
    others: str | None = None,
) -> Any:
    """Make packages of command modules into a group of commands.

    Args:
        mounts: The packages.
        description: What its help says.
        page: The page of `dbctl help` that tells more.
        cls: What it is made into.
        callback: What is called with its options, else that of a group within the command line.
        others: The command that takes the line where it begins with none of them.
    """
    app = typer.Typer(
        cls=type("Group", (cls,), {"mounts": mounts, "description": description, "page": page, "others": others}),
        name=mounts[0].package.rpartition(".")[2].replace("_", "-"),
        help=description.text,
        add_completion=False,
        invoke_without_command=True,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(callback or group_callback())
    return typer.main.get_command(app)


def _inside(group: Found) -> Mount:
    """Return the package of a group as a mount of its own."""
    return Mount(group.module)


def _config(ctx: Any, said: Sequence[str]) -> str | None:
    """Return the profile file that the line names, before the command or after it; the last one counts."""
    named = config_named(said)
    while named is None and ctx is not None:
        named, ctx = ctx.params.get("config"), ctx.parent
    return named


def _taken_away(keys: Iterable[str], config: str | None) -> set[str]:
    """Return those of the keys that are false in the profile file."""
    from dbctl.profiles.document import Document

    try:
        document = Document.found(config)
    except ConfigError:
        return set()  # a command that reads it tells what is wrong with it; the others have no need of it
    return {key for key in keys if not getattr(document, key)}


def _explained(found: Found, error: BaseException) -> Exception:
    """Return the error for a command that can't be loaded: one of dbctl's own is a bug, another's is its owner's."""
    if isinstance(error, DbctlError):
        return error
    what = " ".join(f"{type(error).__name__}: {error}".split())
    message = f"command {found.name} can't be loaded: {found.path}: {what}"
    return RuntimeError(message) if found.module.startswith("dbctl.") else ConfigError(message)
