"""Doing the work on one profile of several, in a thread that hears no signal: what was asked for, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dbctl.cli.endings import ended_by
from dbctl.cli.exits import ExitCode
from dbctl.cli.streams import ReaderLeft
from dbctl.errors import CheckFailed, DbctlError, FunctionFailed, OutOfTime, OutputLost
from dbctl.records import record
from dbctl.results import Part, drawn
from dbctl.work.functions import OwnFunction
from dbctl.work.shapes import presentable
from dbctl.work.signals import Terminated
from dbctl.work.supervision import Supervisor

if TYPE_CHECKING:
    from concurrent.futures import Future

    from dbctl.cli.fleet.gathering import Reader
    from dbctl.cli.fleet.members import Member
    from dbctl.cli.opening import Opener
    from dbctl.work.deadlines import Deadline


@record
class Ended:
    """How it ended.

    Args:
        state: In a word or two.
        code: The exit code.
        done: Whether all of it is done, and not to be done again.
        abandoned: Whether it may still be waiting for a server.
        whole: Whether it has its result, as a check that answers no has.
    """

    state: str
    code: int = 0
    done: bool = False
    abandoned: bool = False
    whole: bool = False


def done_on(
    member: Member,
    opener: Opener,
    reader: Reader,
    put: Callable[[Part], object],
    deadline: Deadline | None,
    stop: Future[BaseException],
) -> Ended:
    """Do the work on one profile.

    Args:
        member: The profile, and the call on it.
        opener: How what the function needs is opened.
        reader: Takes its result apart.
        put: Hands on a part of that; what it raises ends the work.
        deadline: The end of the time of all.
        stop: Has as its result what ends all.
    """
    call, supervisor = member.call, Supervisor()
    function = OwnFunction(call.function) if call.own else call.function
    committed = given = False

    def give(result: Any) -> None:
        nonlocal given
        for part in reader.parts(member.profile.name, presentable(result) if call.own else result):
            put(part)
            given = True

    def deliver(result: Any) -> Any:
        """Show what is only read as it comes; of what writes nothing is shown before it is committed."""
        if not call.effects.writes:
            return give(result)
        whole = drawn(result)
        reader.refuse(whole)
        return whole

    try:
        called = replace(call, function=function, supervisor=supervisor, deliver=deliver, repeatable=lambda: not given)
        work = opener.prepare(called)
        if isinstance(function, OwnFunction):
            work = function.telling(work)
        try:
            result = supervisor.run(work, deadline.left if deadline else None, stop)
        except DbctlError as error:
            if isinstance(error, OutOfTime) and deadline and not deadline.left:
                error.message = deadline.error().message
            give(error.result)
            raise
        committed = call.effects.writes and not call.terms.dry_run
        give(result)
    except (KeyboardInterrupt, Terminated, ReaderLeft, OutputLost) as error:
        if stop.done():
            return Ended("done" if committed else "interrupted", done=committed, abandoned=supervisor.abandoned)
        ended_by(FunctionFailed(f"it has raised {type(error).__name__}"), call.terms, committed=False)
        return Ended("failed", ExitCode.INTERRUPTED)
    except Exception as error:
        code = ended_by(error, call.terms, committed=committed)
        whole = not code or isinstance(error, CheckFailed) or getattr(error, "result", None) is not None
        return Ended("failed" if code else "skipped", code, committed, supervisor.abandoned, whole)
    return Ended("done", done=True, whole=True)
