"""Running one command: it is supervised, its result is shown, its errors become exit codes."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

from dbctl.cli import report
from dbctl.cli.delivery import deliver
from dbctl.cli.exits import ExitCode, exit_code
from dbctl.cli.openers import Call, Opener
from dbctl.cli.options import Globals, Terms
from dbctl.cli.progress import ProgressDrawing
from dbctl.cli.prompts import restore_terminal
from dbctl.cli.render import Renderer
from dbctl.cli.streams import ReaderLeft, discard_stdout
from dbctl.errors import DbctlError, OutputLost
from dbctl.results import drawn
from dbctl.work.effects import Effects
from dbctl.work.progress import reported_to
from dbctl.work.signals import Terminated, raising_on_signals


def run(
    function: Callable[..., Any],
    opener: Opener,
    arguments: Mapping[str, Any],
    said: Globals,
    terms: Terms,
    effects: Effects,
) -> ExitCode:
    """Run a command function and return the exit code.

    Args:
        function: The command function.
        opener: How what it needs is opened.
        arguments: Its arguments but the first.
        said: The global options.
        terms: On what terms it is run.
        effects: What it does.
    """
    from dbctl.work.supervision import Supervisor

    opener.load()
    report.set_up(quiet=said.quiet, debug=said.debug)
    supervisor = Supervisor()
    code = _run(function, opener, arguments, said, terms, effects.in_a_run(arguments), supervisor)
    if supervisor.abandoned:
        _leave(code)
    return code


def _run(
    function: Callable[..., Any],
    opener: Opener,
    arguments: Mapping[str, Any],
    said: Globals,
    terms: Terms,
    effects: Effects,
    supervisor: Any,
) -> ExitCode:
    committed = False
    try:
        heard = said if opener.hushed else replace(said, quiet=False)
        with raising_on_signals(), Renderer(heard, function) as renderer:

            def show(result: Any) -> Any:
                """Show what is only read as it comes; of what writes nothing is shown before all is committed."""
                return drawn(result) if effects.writes else deliver(result, renderer, supervisor)

            call = Call(function, arguments, said, terms, effects, supervisor, show, lambda: not renderer.has_written)
            work = opener.prepare(call)
            try:
                with ProgressDrawing(quiet=said.quiet, no_color=said.no_color) as drawing, reported_to(drawing):
                    result = work() if effects.owns_terminal else supervisor.run(work, terms.deadline)
            except DbctlError as error:
                renderer.show(error.result)
                raise
            committed = effects.writes and not terms.dry_run
            renderer.show(result, committed=False if terms.dry_run else None)
            return ExitCode.DONE
    except DbctlError as error:
        if committed and isinstance(error, OutputLost):
            error.hint = "what was to be committed is committed"
        report.say_error(error)
        return exit_code(error)
    except ReaderLeft:
        discard_stdout()
        return ExitCode.DONE
    except KeyboardInterrupt as error:
        report.say_interrupted(error, committed=committed)
        return ExitCode.INTERRUPTED
    except Terminated as error:
        report.say_interrupted(error, committed=committed)
        return ExitCode.TERMINATED
    except Exception as error:
        report.say_bug(error)
        return ExitCode.BUG


def _leave(code: int) -> NoReturn:
    """End the process at once: in it a thread still waits for a server, and would be waited for."""
    restore_terminal()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)
