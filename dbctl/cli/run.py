"""Running one command: it is supervised, its result is shown, its errors become exit codes."""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, NoReturn

from dbctl.cli import metrics, report
from dbctl.cli.calls import Call
from dbctl.cli.choices import Log
from dbctl.cli.delivery import deliver
from dbctl.cli.exits import ExitCode, exit_code
from dbctl.cli.opening import Opener
from dbctl.cli.options import Globals, Terms
from dbctl.cli.outcome import current
from dbctl.cli.progress import ProgressDrawing
from dbctl.cli.prompts import restore_terminal
from dbctl.cli.render import Renderer
from dbctl.cli.streams import ReaderLeft, discard_stdout
from dbctl.errors import DbctlError, FunctionFailed, LockHeld, ResultLost
from dbctl.results import drawn, shown_by
from dbctl.runtime.foreign import outlives
from dbctl.runtime.foreign_errors import described, place_of, stand_in
from dbctl.work.effects import Effects
from dbctl.work.functions import OwnFunction
from dbctl.work.progress import reported_to
from dbctl.work.shapes import presentable
from dbctl.work.signals import Terminated, raising_on_signals

_log = logging.getLogger(__name__)


def run(
    function: Callable[..., Any],
    opener: Opener,
    arguments: Mapping[str, Any],
    said: Globals,
    terms: Terms,
    effects: Effects,
    *,
    own: bool = False,
) -> int:
    """Run a command function and return the exit code.

    Args:
        function: The command function.
        opener: How what it needs is opened.
        arguments: Its arguments but the first.
        said: The global options.
        terms: On what terms it is run.
        effects: What it does.
        own: Whether it is a service's own function.
    """
    from dbctl.work.supervision import Supervisor

    opener.load()
    report.set_up(
        quiet=said.quiet,
        debug=said.debug,
        errors_as_json=said.writes_json(),
        all_as_json=said.log is Log.JSON,
        said=said,
        arguments=arguments,
    )
    _take_note(said, terms)
    supervisor = Supervisor()
    effects = effects.in_a_run(arguments)
    if terms.read_only:
        effects = replace(effects, writes=False)
    code = _run(function, opener, arguments, said, terms, effects, supervisor, own=own)
    if supervisor.abandoned or outlives():
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
    *,
    own: bool,
) -> int:
    committed = False
    try:
        if said.metrics is not None:
            metrics.check(said.metrics)
        current().metrics = said.metrics
        heard = said if opener.hushed else replace(said, quiet=False)
        with raising_on_signals(), Renderer(heard, function) as renderer:

            def show(result: Any) -> Any:
                """Show what is only read as it comes; of what writes nothing is shown before all is committed."""
                if effects.writes:
                    whole = drawn(result)
                    renderer.refuse(whole)
                    return whole
                with _telling_own(called):
                    return deliver(presentable(result) if own else result, renderer, supervisor)

            called = OwnFunction(function) if own else function
            call = Call(
                called, arguments, said, terms, effects, supervisor, show, lambda: not renderer.has_written, own
            )
            work = opener.prepare(call)
            if isinstance(called, OwnFunction):
                work = called.telling(work)
            try:
                with (
                    ProgressDrawing(quiet=said.quiet, no_color=said.no_color, plain=said.log is Log.JSON) as drawing,
                    reported_to(drawing),
                    shown_by(lambda result: Renderer(replace(said, quiet=False, no_pager=True), function).show(result)),
                ):
                    result = work() if effects.owns_terminal else supervisor.run(work, terms.deadline)
            except DbctlError as error:
                renderer.show(error.result)
                raise
            except (KeyboardInterrupt, Terminated) as signal:
                if effects.partial:
                    renderer.show(getattr(signal, "result", None))
                raise
            committed = effects.writes and not terms.dry_run
            with _telling_own(called):
                renderer.show(presentable(result) if own else result, committed=False if terms.dry_run else None)
            return ExitCode.DONE
    except DbctlError as error:
        return _failed(error, terms, committed=committed)
    except ReaderLeft:
        discard_stdout()
        return ExitCode.DONE
    except (KeyboardInterrupt, Terminated) as error:
        report.say_interrupted(error, writes=effects.writes, committed=committed)
        return ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.TERMINATED
    except Exception as error:
        return _unforeseen(error)


def _take_note(said: Globals, terms: Terms) -> None:
    """Take note of what the line says, for the monitor; of its file when that is known to be one."""
    outcome = current()
    outcome.started, outcome.dry, outcome.metrics = True, terms.dry_run, None
    outcome.said = frozenset(["--url"] if said.url is not None else said.profile or ())
    report.say_start()


@contextmanager
def _telling_own(called: Callable[..., Any]) -> Iterator[None]:
    """Tell what the objects that a service's own function returned raise while they are shown in the block."""
    try:
        yield
    except DbctlError:
        raise
    except Exception as error:
        place = place_of(error)
        if not isinstance(called, OwnFunction) or called.has_raised(error) or not place:
            raise
        raise FunctionFailed(f"what it returned can't be shown: {described(error)} ({place})") from stand_in(error)


def _unforeseen(error: Exception) -> int:
    """Say what no part of dbctl has foreseen: what the operating system or SQLAlchemy refuses, or a bug."""
    refused: DbctlError | None = report.refused_by_system(error)
    if refused is None and "sqlalchemy" in sys.modules:
        from dbctl.backends.errors import refused_by_sqlalchemy

        refused = refused_by_sqlalchemy(error)
    if refused is None:
        report.say_bug(error)
        return ExitCode.BUG
    refused.__cause__ = stand_in(error)
    report.say_error(refused)
    return exit_code(refused)


def _failed(error: DbctlError, terms: Terms, *, committed: bool) -> int:
    """Say what went wrong, and return the exit code for it; after the work is committed only its result can be lost."""
    if isinstance(error, LockHeld) and terms.skip_locked:
        current().skipped = True
        _log.info("skipped: %s", error.message)
        return ExitCode.DONE
    if committed:
        lost = ResultLost(error.message, "the work is done: do not run it again")
        lost.__cause__ = error.__cause__
        error = lost
    if error.message:
        report.say_error(error)
    return exit_code(error)


def _leave(code: int) -> NoReturn:
    """End the process at once: in it a thread still waits for a server, or is a service's, and would be waited for."""
    restore_terminal()
    report.conclude(code)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    os._exit(code)
