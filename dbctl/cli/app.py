"""The whole command line: what was typed in, an exit code out."""

import sys
from typing import Any

import typer

from dbctl.cli import report
from dbctl.cli.exits import ExitCode
from dbctl.cli.tree import make_group

HELP = "Administer a database by a connection profile: one subcommand, one session, committed or rolled back whole."

# Typer has had Click's exceptions in a package of its own since 0.26; this is whichever Typer raises.
_TyperError: Any = typer.BadParameter.__mro__[2]


def run_app(arguments: list[str]) -> int:
    """Run dbctl with these arguments, and return the exit code."""
    if sys.stdout is not None:
        # A terminal or a file that is not UTF-8 gets escapes for what it can't show, not an error after the commit.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    if any("\udc80" <= character <= "\udcff" for character in "".join(arguments)):
        report.say_usage("an argument is not valid UTF-8", "dbctl")
        return ExitCode.USAGE
    app = make_group("dbctl.commands", HELP, root=True, epilog=_epilog())
    try:
        return int(app.main(args=arguments, prog_name="dbctl", standalone_mode=False) or ExitCode.DONE)
    except _TyperError as error:
        context = getattr(error, "ctx", None)
        report.say_usage(error.format_message(), context.command_path if context else "dbctl")
        return ExitCode.USAGE
    except (typer.Abort, KeyboardInterrupt) as error:
        report.say_interrupted(error)
        return ExitCode.INTERRUPTED


def _epilog() -> str:
    return "Exit codes:\n" + "\n".join(f"{code.value:>3}  {code.meaning}" for code in ExitCode)
