"""The whole command line: what was typed in, an exit code out."""

from typing import Any

import typer

from dbctl.cli import report, streams
from dbctl.cli.exits import ExitCode, exit_code
from dbctl.cli.tree import make_group
from dbctl.errors import DbctlError, OutputLost
from dbctl.mounts import MOUNTS

HELP = "Administer a database by a connection profile: one subcommand, one session, committed or rolled back whole."

# Typer has had Click's exceptions in a package of its own since 0.26; this is whichever Typer raises.
_TyperError: Any = typer.BadParameter.__mro__[2]


def run_app(arguments: list[str]) -> int:
    """Run dbctl with these arguments, and return the exit code."""
    if any("\udc80" <= character <= "\udcff" for character in "".join(arguments)):
        report.say_usage("an argument is not valid UTF-8", "dbctl")
        return ExitCode.USAGE
    try:
        with streams.written():
            return _run(arguments)
    except OutputLost as error:
        report.say_error(error)
        return exit_code(error)
    return ExitCode.DONE  # the reader has left


def _run(arguments: list[str]) -> int:
    app = make_group(MOUNTS, HELP, root=True, epilog=_epilog())
    try:
        return int(app.main(args=arguments, prog_name="dbctl", standalone_mode=False) or ExitCode.DONE)
    except DbctlError as error:  # a command that can't be loaded
        report.say_error(error)
        return exit_code(error)
    except _TyperError as error:
        context = getattr(error, "ctx", None)
        report.say_usage(error.format_message(), context.command_path if context else "dbctl")
        return ExitCode.USAGE
    except (typer.Abort, KeyboardInterrupt) as error:
        report.say_interrupted(error)
        return ExitCode.INTERRUPTED
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):
            raise stop.__context__ from None  # Typer takes it for a failure; it is what `| head` does
        raise


def _epilog() -> str:
    return "Exit codes:\n" + "\n".join(f"{code.value:>3}  {code.meaning}" for code in ExitCode)
