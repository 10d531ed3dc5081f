"""The whole command line: its own options, and what it shows where nothing is asked of it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any

import typer

from dbctl import __version__, mounts
from dbctl.cli import streams
from dbctl.cli.adapter import with_signature
from dbctl.cli.docstrings import Description
from dbctl.cli.exits import ExitCode
from dbctl.cli.mounted import Commands, commands_of, mounted_by_file
from dbctl.cli.options import Globals, as_parameters
from dbctl.cli.tree import CommandTree, config_of, make_group, taken_away
from dbctl.records import record

SUMMARY = "Administer a database by a connection profile: one subcommand, one session, committed or rolled back whole."

_ON_THE_FRONT_PAGE = 6
OF_OTHERS = {
    # alembic, Flask-Migrate
    **{word: f"migrate {word}" for word in ("upgrade", "downgrade", "current", "history", "heads", "stamp")},
    "revision": "migrate revision",
    # Django
    "makemigrations": "migrate revision --autogenerate", "showmigrations": "migrate history",
    "sqlmigrate": "migrate upgrade --sql", "dbshell": "shell", "inspectdb": "describe", "flush": "reset",
    "dumpdata": "export", "loaddata": "import", "runscript": "run",
    # Rails, Laravel, Prisma
    "seed": "setup", "rollback": "migrate downgrade -1", "status": "migrate current", "prepare": "setup",
    "dbconsole": "shell", "create": "create-database", "drop": "drop-database", "wipe": "drop-tables",
    # the databases' own
    "psql": "shell", "mysql": "shell", "sqlite3": "shell", "dump": "backup create", "sql": "query",
    "execute": "query", "processlist": "activity", "wait": "ping --wait 30",
}  # fmt: skip
"""What other tools' words are here."""

_SHELL_OPTIONS = ("--show-completion", "--install-completion")


@record
class RootOptions:
    """The options that only the whole command line has."""

    version: Annotated[bool, typer.Option("--version", "-V", help="Show the version.")] = False
    show_completion: Annotated[
        str | None,
        typer.Option("--show-completion", metavar="[SHELL]", help="Show the script by which a shell completes."),
    ] = None
    install_completion: Annotated[
        str | None,
        typer.Option("--install-completion", metavar="[SHELL]", help="Install it for bash, zsh or fish."),
    ] = None

    def answer(self) -> str | None:
        """Return what is written where one of them is said.

        Raises:
            DbctlError: The script can't be installed, or there is none for the shell.
        """
        if self.version:
            return f"dbctl {__version__}\n"
        if self.show_completion is None and self.install_completion is None:
            return None
        from dbctl.cli import shells

        if self.show_completion is not None:
            return shells.script(self.show_completion)
        return f"{shells.install(str(self.install_completion))}\n"


class Root(CommandTree):
    """The group of all commands: dbctl's own, and those that the profile file and installed packages mount."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that was asked for; another tool's word for it is told what it is here."""
        if (meant := OF_OTHERS.get(args[0])) and args[0] not in self.walked(ctx, args).found:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {meant!r}?")
        return super().resolve_command(ctx, args)

    def walked(self, ctx: Any, said: Sequence[str] = ()) -> Commands:
        """Return the commands of all mounts; those of installed packages are looked for where no other is meant."""
        config = config_of(ctx, said[1:])
        found = self._with(config, installed=False)
        if said and said[0] in found.found:
            return found
        return self._with(config, installed=True)

    def _with(self, config: str | None, *, installed: bool) -> Commands:
        """Return the commands of all mounts; those that the profile file takes away come last, and clash with none."""
        key = (config, installed)
        if key not in self._known:
            more = [*mounted_by_file(config), *(mounts.installed() if installed else ())]
            gone = taken_away({one.key for one in self.mounts if one.key}, config) if more else set()
            staying = [one for one in self.mounts if one.key not in gone]
            found = commands_of([*staying, *more])
            others = commands_of([one for one in self.mounts if one.key in gone]).found
            self._known[key] = replace(found, found={**others, **found.found})
        return self._known[key]

    @cached_property
    def _known(self) -> dict[tuple[str | None, bool], Commands]:
        return {}

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse the arguments; the shell may be left out where completion is asked for."""
        return super().parse_args(ctx, list(_with_shells(args)))


def make_root() -> Any:
    """Return the whole command line: the commands of all mounts."""
    own = as_parameters(RootOptions)

    def remember(context: typer.Context, **arguments: Any) -> None:
        asked = RootOptions(**{parameter.name: arguments.pop(parameter.name) for parameter in own})
        if (answer := asked.answer()) is not None:
            streams.write([answer])
            raise typer.Exit(ExitCode.DONE)
        context.obj = Globals.taken_from(arguments).after(context)
        if context.invoked_subcommand is None:
            context.fail("no command is given")

    callback = with_signature(remember, [*own, *Globals.parameters()])
    return make_group(mounts.MOUNTS, Description(SUMMARY, SUMMARY), cls=Root, callback=callback)


def front_page() -> str:
    """Return what dbctl shows where nothing is asked of it, which parses nothing."""
    from dbctl.cli import layout

    root = make_root()
    first = root.first(typer.Context(root), _ON_THE_FRONT_PAGE)
    return layout.front_page(SUMMARY, [(f"dbctl {found.name}", found.description.summary) for found in first])


def _with_shells(args: Sequence[str]) -> Sequence[str]:
    """Say that no shell is named where none follows: an option of Click's has a value always, or never."""
    said = list(args)
    for option in _SHELL_OPTIONS:
        if option in said:
            index = said.index(option)
            if said[index + 1 : index + 2] == [] or said[index + 1].startswith("-"):
                said[index] = f"{option}="
    return said
