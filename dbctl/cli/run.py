"""Running one command: what it needs is opened, its result is shown, its errors become exit codes."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from dbctl.cli import report
from dbctl.cli.exits import ExitCode, exit_code
from dbctl.cli.options import Globals, Terms
from dbctl.cli.prompts import ask_password, confirm
from dbctl.cli.render import Renderer
from dbctl.errors import DbctlError, UsageError
from dbctl.profiles import Profile, Profiles
from dbctl.profiles.layers import Layer
from dbctl.work.database import Database
from dbctl.work.effects import Effects
from dbctl.work.signals import Terminated, raising_on_sigterm

Command = Callable[..., Any]


def run(
    function: Command, needs: type, arguments: Mapping[str, Any], said: Globals, effects: Effects, terms: Terms
) -> ExitCode:
    """Run a command function and return the exit code.

    Args:
        function: The command function.
        needs: The type of its first parameter: Database, Profile, Profiles or ProfileFile.
        arguments: Its other arguments.
        said: The global options.
        effects: What it does to the database.
        terms: On what terms its unit of work is run.
    """
    report.set_up(quiet=said.quiet, debug=said.debug)
    committed = False
    try:
        with raising_on_sigterm():
            renderer = Renderer(said, function)
            try:
                result = _call(function, needs, arguments, said, effects, terms)
            except DbctlError as error:
                renderer.show(error.result)
                raise
            committed = effects.in_a_run(arguments).writes and not terms.dry_run
            renderer.show(result, committed=False if terms.dry_run else None)
            return ExitCode.DONE
    except DbctlError as error:
        report.say_error(error)
        return exit_code(error)
    except KeyboardInterrupt as error:
        report.say_interrupted(error, committed=committed)
        return ExitCode.INTERRUPTED
    except Terminated as error:
        report.say_interrupted(error, committed=committed)
        return ExitCode.TERMINATED
    except Exception as error:
        report.say_bug(error)
        return ExitCode.BUG


def _call(
    function: Command, needs: type, arguments: Mapping[str, Any], said: Globals, effects: Effects, terms: Terms
) -> Any:
    named = said.profile or []
    if said.url is not None and named:
        raise UsageError("--url and --profile are both given", "give one of them")
    if needs not in (Database, Profile, Profiles):
        return _call_on_file(function, arguments, said, dry_run=terms.dry_run)
    ask = ask_password if said.ask_password else None
    name = named[-1] if named else None
    options = [Layer({key: value}, option) for option, key, value in terms.over_the_profile()]
    if said.echo:
        options.append(Layer({"echo": True}, "--echo"))
    profiles = Profiles.load(said.config, name=name, url=said.url, options=options, ask=ask)
    if needs is Profiles:
        return function(replace(profiles, named=tuple(named)), **arguments)
    profile = profiles.select()
    if needs is Profile:
        return function(profile, **arguments)
    return _call_in_unit_of_work(function, profile, arguments, effects.in_a_run(arguments), terms)


def _call_on_file(function: Command, arguments: Mapping[str, Any], said: Globals, *, dry_run: bool) -> Any:
    from dbctl.profiles.writing import ProfileFile  # only those commands that change the file need it

    if said.url is not None or said.profile:
        raise UsageError("--url and --profile choose where to connect, and this does not", "say it as an argument")
    return function(ProfileFile.found(said.config, dry_run=dry_run), **arguments)


def _call_in_unit_of_work(
    function: Command, profile: Profile, arguments: Mapping[str, Any], effects: Effects, terms: Terms
) -> Any:
    from dbctl.work.supervision import Undertaking

    if effects.writes and profile.protected and not terms.dry_run:
        confirm(profile, terms.confirm)
    undertaking = Undertaking()
    result = undertaking.run(
        lambda: _in_unit_of_work(function, profile, arguments, effects, terms, undertaking), terms.deadline
    )
    if terms.dry_run:
        logging.getLogger("dbctl").info("dry run: all of it is rolled back, nothing is committed")
    return result


def _in_unit_of_work(
    function: Command,
    profile: Profile,
    arguments: Mapping[str, Any],
    effects: Effects,
    terms: Terms,
    undertaking: Any,
) -> Any:
    from sqlalchemy import event

    from dbctl.backends import backend_of
    from dbctl.backends.base import Missing
    from dbctl.connections.engines import build_engine
    from dbctl.work.retries import run_unit

    missing = Missing.REFUSE
    if effects.creates:
        missing = Missing.CREATE if effects.writes and not terms.dry_run else Missing.PRETEND
    backend = backend_of(profile)
    engine = build_engine(profile, missing)
    event.listen(engine, "connect", lambda connection, _record: undertaking.watch(backend, connection))
    with ExitStack() as stack:
        stack.callback(engine.dispose)
        if profile.lock is not None:
            from dbctl.work.locks import advisory_lock

            taking = advisory_lock(profile.lock, profile, wait=profile.lock_wait, sleep=undertaking.pause)
            undertaking.guard = stack.enter_context(taking).check
        return run_unit(
            engine,
            backend,
            lambda database: _whole(function(database, **arguments)),
            retries=terms.retries if effects.repeatable or not effects.writes else 0,
            sleep=undertaking.pause,
            writes=effects.writes,
            dry_run=terms.dry_run,
            strict=True,
            before_commit=undertaking.before_commit,
        )


def _whole(result: Any) -> Any:
    """Draw what a command still has to compute into the unit of work: nothing is shown before its end."""
    return list(result) if isinstance(result, Iterator) else result
