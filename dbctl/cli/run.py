"""Running one command: it is supervised, its result is shown, its errors become exit codes."""

import gc
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
from dbctl.cli.endings import ended_by
from dbctl.cli.exits import ExitCode
from dbctl.cli.opening import Opener
from dbctl.cli.options import Globals, Terms
from dbctl.cli.outcome import current
from dbctl.cli.progress import ProgressDrawing
from dbctl.cli.prompts import restore_terminal
from dbctl.cli.render import Renderer
from dbctl.cli.streams import ReaderLeft, discard_stdout
from dbctl.errors import DbctlError, FunctionFailed, UsageError
from dbctl.results import drawn, shown_by
from dbctl.runtime.foreign import outlives
from dbctl.runtime.foreign_errors import described, place_of, stand_in
from dbctl.work.effects import Effects
from dbctl.work.functions import OwnFunction
from dbctl.work.progress import reported_to
from dbctl.work.shapes import presentable
from dbctl.work.signals import Terminated, raising_on_signals

_COLLECT = 2_000
"""Objects after which is looked for cycles where there are several profiles: an engine is one, and goes with its work.

A run on one ends before that is worth it, and looks for them rarely.
"""


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
    if said.wanted.are_several:
        gc.set_threshold(_COLLECT)
    if said.wanted.are_several and opener.takes_one:
        from dbctl.cli.fleet.running import run_on_each

        code, left = run_on_each(Call.of(function, arguments, said, terms, effects, own=own), opener)
        supervisor.abandoned = left
    else:
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
        _refuse_for_one(replace(said, at_a_time=None) if opener.together or effects.several else said)
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
    except ReaderLeft:
        discard_stdout()
        return ExitCode.DONE
    except (KeyboardInterrupt, Terminated) as error:
        report.say_interrupted(error, writes=effects.writes, committed=committed)
        return ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.TERMINATED
    except Exception as error:
        return ended_by(error, terms, committed=committed)


def _refuse_for_one(said: Globals) -> None:
    """Refuse what is about several profiles, one after the other, where there are none."""
    about = {
        "--jobs": said.at_a_time, "--canary": said.canary_first, "--max-failures": said.stop_after,
        "--resume": said.done_file,
    }  # fmt: skip
    if names := [name for name, value in about.items() if value is not None]:
        raise UsageError(f"{names[0]} is about several profiles, one after the other", "name them with --tag or --all")


def _take_note(said: Globals, terms: Terms) -> None:
    """Take note of what the line says, for the monitor; of its file when that is known to be one."""
    outcome = current()
    outcome.started, outcome.dry, outcome.metrics = True, terms.dry_run, None
    tags = [f"--tag {tag}" for tag in said.tagged or ()] + (["--all"] if said.all_profiles else [])
    outcome.said = frozenset(["--url"] if said.url is not None else [*said.wanted.names, *tags])
    outcome.several = said.wanted.are_several
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


def _leave(code: int) -> NoReturn:
    """End the process at once: in it a thread still waits for a server, or is a service's, and would be waited for."""
    from dbctl.runtime.children import end_programs

    end_programs()
    restore_terminal()
    report.conclude(code)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    os._exit(code)
