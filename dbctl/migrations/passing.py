"""alembic's own command line, for all that dbctl has no command for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import CommandLine, Config
from alembic.runtime.environment import EnvironmentContext
from alembic.util import CommandError

from dbctl.errors import ConfigError, UsageError
from dbctl.migrations.environment import Environment
from dbctl.migrations.location import Location
from dbctl.migrations.results import Output
from dbctl.profiles.words import nearest
from dbctl.runtime.foreign import guarded
from dbctl.runtime.standard_input import is_terminal

if TYPE_CHECKING:
    from argparse import Namespace

    from dbctl.migrations.access import Migrations

OWN = ("upgrade", "downgrade", "current", "check", "stamp")
"""What dbctl does itself, under its lock."""

_WRITES = "ensure_version"
"""What else writes to the database."""

_EDITS = "edit"
"""What opens an editor, which would write its escapes into a log."""

_NO_COMMAND = re.compile(r"argument \{(?P<known>.+)\}: (?P<why>invalid choice: '(?P<word>.*)')")
"""What argparse says of a word that is no command."""

_WITHOUT_SCRIPTS = ("init", "list_templates")


def passed(migrations: Migrations, words: Sequence[str]) -> list[Output]:
    """Have alembic's own command line do what it is told, with the profile's connection.

    Args:
        migrations: Whose.
        words: What it is told.

    Raises:
        UsageError: It does not understand it, or it is what dbctl does itself.
        ConfigError: The scripts or the env.py are wrong, or lead elsewhere.
    """
    line = CommandLine(prog="dbctl migrate")
    line.parser.set_defaults(config=None)  # older versions would have it name the ini that they look for
    shown = StringIO()
    options = _parsed(line, words, shown)
    if options is None:
        return [Output(shown.getvalue())]
    name = options.cmd[0].__name__
    if name in OWN:
        raise UsageError(f"{name} is dbctl's own command here, for it is done under a lock", f"dbctl migrate {name}")
    if name == _WRITES:
        raise UsageError(f"{name} writes without a lock", "the first upgrade or stamp makes the version table")
    if name == _EDITS and not (os.environ.get("VISUAL") or os.environ.get("EDITOR") or is_terminal()):
        raise UsageError("there is no terminal to edit on", "set EDITOR to a program that edits by itself")
    location = Location(*_files(options)) if options.config else None
    if name in _WITHOUT_SCRIPTS:
        _run_alone(line, options, shown)
        return [Output(shown.getvalue())]
    environment = Environment(migrations, name, options=options, location=location)
    environment.config.stdout = shown
    with environment.running(), _hooking(environment):
        line.run_cmd(environment.config, options)
    return [Output(shown.getvalue())]


def _parsed(line: CommandLine, words: Sequence[str], shown: StringIO) -> Namespace | None:
    """Return what the words mean to alembic; None where it has shown its help.

    Raises:
        UsageError: They mean nothing.
    """
    complaint = StringIO()
    try:
        with redirect_stdout(shown), redirect_stderr(complaint):
            options = line.parser.parse_args(list(words))
            if not hasattr(options, "cmd"):
                line.parser.print_help()
                return None
    except SystemExit as end:
        if not end.code:
            return None
        said = complaint.getvalue().rpartition("error: ")[2].strip().partition(" (choose from")[0]
        if wrong := _NO_COMMAND.fullmatch(said):
            said = f"{wrong['why']}; {nearest(wrong['word'], wrong['known'].split(','))}"
        raise UsageError(f"alembic: {said}", "dbctl migrate alembic -h shows what it knows") from end
    options.raiseerr = True  # or it would end the process
    return options


def _files(options: Namespace) -> tuple[Path | None, Path | None]:
    """Return the ini and the TOML file that `-c` has named."""
    ini = toml = None
    for name in [options.config] if isinstance(options.config, str) else options.config:
        if Path(name).name == "pyproject.toml":
            toml = Path(name)
        else:
            ini = Path(name)
    return ini, toml


@contextmanager
def _hooking(environment: Environment) -> Iterator[None]:
    """Have each context that alembic's commands make look at the connections that it is configured with.

    None of them makes the version table where there is none, as alembic does also for what only looks.
    """

    def make(*args: Any, **kwargs: Any) -> EnvironmentContext:
        return environment.hooked(EnvironmentContext(*args, **{**kwargs, "dont_mutate": True}))

    commands: Any = command
    before = commands.EnvironmentContext
    commands.EnvironmentContext = make
    try:
        yield
    finally:
        commands.EnvironmentContext = before


def _run_alone(line: CommandLine, options: Namespace, shown: StringIO) -> None:
    ini, _ = _files(options) if options.config else (None, None)
    config = Config(str(ini or "alembic.ini"), stdout=shown, ini_section=options.name, cmd_opts=options)
    try:
        with guarded():
            line.run_cmd(config, options)
    except CommandError as error:
        raise ConfigError(f"alembic: {' '.join(str(error).split())}") from error
