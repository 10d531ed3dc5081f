"""The whole command line: what was typed in, an exit code out."""

import os
import re
from collections.abc import Sequence

import typer

from dbctl.cli import outcome, report, streams
from dbctl.cli.exits import ExitCode, exit_code
from dbctl.cli.line import format_named, value_named
from dbctl.cli.parser import TyperError
from dbctl.cli.root import front_page, make_root
from dbctl.errors import DbctlError, OutputLost

# Typer before 0.27.3 adds to what Click 8.5 has said already.
_SAID_TWICE = re.compile(r"( Did you mean [^?]*\?)(?:\1| \(Did you mean [^)]*\))")


def run_app(arguments: Sequence[str]) -> int:
    """Run dbctl with these arguments, tell the monitor how it ended, and return the exit code."""
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    outcome.renew().metrics = value_named(before, ["--metrics"])
    # A guess, for what is wrong before the line is parsed.
    report.set_up(
        debug="--debug" in arguments or bool(os.environ.get("DBCTL_DEBUG")),
        errors_as_json=(format_named(before) or os.environ.get("DBCTL_OUTPUT")) in {"json", "jsonl"},
        all_as_json=(value_named(before, ["--log"]) or os.environ.get("DBCTL_LOG")) == "json",
    )
    code = _run_to_the_end(arguments)
    report.conclude(code)
    return code


def _run_to_the_end(arguments: Sequence[str]) -> int:
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


def _run(arguments: Sequence[str]) -> int:
    try:
        if not arguments:
            streams.write([f"{front_page()}\n"])
            return ExitCode.DONE
        root = make_root()
        found = root.main(args=arguments, prog_name="dbctl", standalone_mode=False, color=streams.colours())
        return int(found or ExitCode.DONE)
    except TyperError as error:
        context = getattr(error, "ctx", None)
        message = error.format_message().replace(": Value error, ", ": ")  # so pydantic begins, which Typer may ask
        message = _SAID_TWICE.sub(r"\1", message)
        path = context.command_path if context else "dbctl"
        outcome.current().command = outcome.current().command or path.partition(" ")[2]
        report.say_usage(message, path)
        return ExitCode.USAGE
    except (typer.Abort, KeyboardInterrupt) as error:
        report.say_interrupted(error)
        return ExitCode.INTERRUPTED
    except OutputLost:
        raise
    except (DbctlError, OSError) as error:
        told = error if isinstance(error, DbctlError) else report.refused_by_system(error)
        if told is None:
            raise  # stdout takes nothing more
        report.say_error(told)
        return exit_code(told)
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):
            raise stop.__context__ from None  # Typer takes it for a failure; it is what `| head` does
        raise
    except Exception as error:
        report.say_bug(error)
        return ExitCode.BUG
