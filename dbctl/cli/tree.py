"""The tree of commands; only the one that is asked for is imported."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from dbctl.cli.adapter import command_from, group_callback
from dbctl.cli.docstrings import Description
from dbctl.cli.line import config_named
from dbctl.cli.mounted import Commands, Found, by_panel, commands_of
from dbctl.cli.options import TERM_OPTIONS
from dbctl.cli.parser import TyperError
from dbctl.errors import ConfigError, DbctlError
from dbctl.mounts import Mount
from dbctl.profiles.words import function_meant


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
        found = self.walked(ctx).found.get(cmd_name)
        return found and TyperCommand(cmd_name, help=found.description.summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that was asked for."""
        if self.others and args[0] not in self.walked(ctx, args).found:
            args = [self.others, *args]
        name = args[0]
        commands = self.walked(ctx, args)
        if clash := commands.clash(name):
            raise ConfigError(clash, "rename one")
        if name in self.available(ctx, args):
            found = commands.found[name]
            command = self._loaded(found)
            command.suggest = lambda word: self._elsewhere(ctx, name, word)
            if getattr(command, "names_function", False):
                from dbctl.cli.functions import function_named

                command.suggest = lambda word: (meant := function_meant(word)) and f"{name} {meant}"

                if function := function_named(command, ctx, args[1:]):
                    target, command, rest = function
                    return f"{name} {target}", command, rest
            return name, command, args[1:]
        if name in commands.found:
            ctx.fail(f"No such command {name!r}: the profile file has {commands.found[name].mount.key} = false")
        if commands.notes:
            ctx.fail(f"No such command {name!r}: {'; '.join(commands.notes)}")
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
        commands = self.walked(ctx)
        clashes = filter(None, map(commands.clash, commands.found))
        problems = (found.problem for panel in panels.values() for found in panel if found.problem)
        for note in [*commands.notes, *clashes, *problems]:
            report.say_note(note)
        rows = {panel: [(one.name, one.description.summary) for one in found] for panel, found in panels.items()}
        formatter.write(layout.group_page(self, ctx, rows))

    def walked(self, ctx: Any, said: Sequence[str] = ()) -> Commands:
        """Return the commands of the group's mounts.

        Args:
            ctx: The group's context.
            said: What stands on the line after the group.
        """
        return self._walked

    def available(self, ctx: Any, said: Sequence[str] = ()) -> Mapping[str, Found]:
        """Return the commands that there are: the profile file can take those of a mount away.

        Args:
            ctx: The group's context.
            said: What stands on the line after the group.
        """
        found = self.walked(ctx, said).found
        wanted = [one for name, one in found.items() if not said or name == said[0]]
        keys = {one.mount.key for one in wanted if one.mount.key}
        if not keys:
            return found
        gone = taken_away(keys, config_of(ctx, said[1:]))
        return {name: one for name, one in found.items() if one.mount.key not in gone}

    def first(self, ctx: Any, number: int) -> list[Found]:
        """Return the commands of the lowest places, under whichever heading; those of a mount before the next one's."""
        found = self.available(ctx).values()
        mounts = list(dict.fromkeys(each.mount for each in found))
        return sorted(found, key=lambda each: (mounts.index(each.mount), each.place, each.name))[:number]

    @cached_property
    def _walked(self) -> Commands:
        return commands_of(self.mounts)

    def _elsewhere(self, ctx: Any, name: str, word: str) -> str | None:
        """Return the command `transfers list` for the words `transfer list`: that of a group with nearly this name."""
        from difflib import get_close_matches

        groups = [other for other, found in self.available(ctx).items() if found.is_group and other != name]
        for group in get_close_matches(name, groups):
            if word in commands_of([_inside(self.walked(ctx).found[group])]).found:
                return f"{group} {word}"
        return None

    def _loaded(self, found: Found) -> Any:
        if found.is_group:
            return make_group([_inside(found)], found.description, found.page, others=found.others)
        try:
            command = command_from(_module(found), own=found.is_own)
        except DbctlError:
            raise
        except Exception as error:
            what = " ".join(f"{type(error).__name__}: {error}".split())
            message = f"command {found.name} can't be loaded: {found.path}: {what}"
            raise (ConfigError(message) if found.is_own else RuntimeError(message)) from error
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
    return Mount(group.module, directory=group.mount.directory)


def config_of(ctx: Any, said: Sequence[str]) -> str | None:
    """Return the profile file that the line names, before the command or after it; the last one counts."""
    named = config_named(said)
    while named is None and ctx is not None:
        named, ctx = ctx.params.get("config"), ctx.parent
    return named


def taken_away(keys: Iterable[str], config: str | None) -> set[str]:
    """Return those of the keys that are false in the profile file."""
    from dbctl.profiles.document import Document

    try:
        document = Document.found(config)
    except ConfigError:
        return set()  # a command that reads it tells what is wrong with it; the others have no need of it
    return {key for key in keys if not getattr(document, key)}


def _module(found: Found) -> ModuleType:
    """Import a command's module, a service's own guarded."""
    if not found.is_own:
        return import_module(found.module)
    from dbctl.runtime.importing import imported, put_on_path

    directory = found.mount.directory
    if directory is not None:
        put_on_path(directory)
    return imported(found.module, directory or "the working directory", f"command {found.name}", keep_logging=True)
