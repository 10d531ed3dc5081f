"""Running one command on several profiles: each in a unit of work of its own, some at a time, results as they end."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextvars import copy_context
from dataclasses import replace
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any

from dbctl.cli import metrics, report
from dbctl.cli.calls import Call
from dbctl.cli.choices import Log
from dbctl.cli.endings import ended_by
from dbctl.cli.exits import ExitCode, worst_code
from dbctl.cli.fleet.gathering import TITLE, Reader
from dbctl.cli.fleet.journal import Journal
from dbctl.cli.fleet.members import Member, members_of
from dbctl.cli.outcome import current
from dbctl.cli.progress import ProgressDrawing
from dbctl.cli.render import Renderer
from dbctl.cli.streams import ReaderLeft, discard_stdout
from dbctl.errors import DbctlError, OutOfTime, UsageError
from dbctl.results import Gathered, Part, drawn
from dbctl.work.deadlines import Deadline
from dbctl.work.functions import OwnFunction
from dbctl.work.progress import report as report_progress
from dbctl.work.progress import reported_to
from dbctl.work.shapes import presentable
from dbctl.work.signals import Terminated, raising_on_signals
from dbctl.work.supervision import Supervisor

if TYPE_CHECKING:
    from concurrent.futures import Future

    from dbctl.cli.opening import Opener

_log = logging.getLogger(__name__)

_AT_A_TIME = 32
"""How many profiles are worked on at a time unless that is said."""

_AHEAD = 64
"""How many parts of results may wait to be written."""

_LOOK = 0.1
"""Seconds between two looks at whether all is ended."""

_AT_WORK = "at work"
"""What a profile is that was begun with; at the end that of one whose outcome nobody knows."""


class Fleet:
    """The profiles that a command is run on.

    Args:
        members: They, in the order in which they are begun.
        opener: How what the function needs is opened.
        reader: What takes results apart.
    """

    def __init__(self, members: Sequence[Member], opener: Opener, reader: Reader) -> None:
        from concurrent.futures import Future

        self._opener, self._reader = opener, reader
        call = members[0].call
        self._said, self._terms, self._effects = call.said, call.terms, call.effects
        self._journal = self._journal_of(call)
        self._phases = self._with_canaries([one for one in members if one.profile.name not in self._skipped])
        self._states: dict[str, str] = dict.fromkeys(self._skipped, "left out")
        self._all = [one.profile.name for one in members]
        self._codes: list[int] = []
        self._waiting: list[Member] = []
        self._turn = threading.Lock()
        self._parts: Queue[Part] = Queue(_AHEAD)
        self._stop: Future[BaseException] = Future()
        self._threads: list[threading.Thread] = []
        self._deadline = None if self._terms.deadline is None else Deadline(self._terms.deadline)
        self.abandoned = False
        """Whether the work on one has not ended when it was told to."""

    def _journal_of(self, call: Call) -> Journal | None:
        self._skipped: set[str] = set()
        if call.said.done_file is None:
            return None
        said = json.dumps([current().command, dict(call.arguments)], default=str, sort_keys=True)
        journal = Journal(call.said.done_file, f"{current().command} {hashlib.sha256(said.encode()).hexdigest()[:12]}")
        self._skipped = set(journal.done)
        return journal

    def _with_canaries(self, members: Sequence[Member]) -> list[Sequence[Member]]:
        """Return who is begun with, and the others."""
        said = self._said.canary_first
        if said is None:
            return [members]
        first = members[: int(said)] if said.isdigit() else [one for one in members if one.profile.name == said]
        if not first and members:
            raise UsageError(f"--canary {said}: it is none of those that are to be worked on")
        return [first, [one for one in members if one not in first]]

    def shown_by(self, renderer: Renderer) -> None:
        """Run all, and show their results; where nobody reads them any more only what writes goes on."""
        result = Gathered(TITLE, self._run())
        try:
            renderer.write(result, {})
        except ReaderLeft as left:
            discard_stdout()
            if not self._effects.writes:
                self.end(left)
            for _ in result.values:
                continue

    def _run(self) -> Iterator[Part]:
        """Run all, and yield the parts of their results as they come."""
        for phase in self._phases:
            if self._codes:  # the canary has failed
                return
            self._begin(phase)
            while any(thread.is_alive() for thread in self._threads) or not self._parts.empty():
                try:
                    yield self._parts.get(timeout=_LOOK)
                except Empty:
                    continue
                finally:
                    done = sum(state != _AT_WORK for state in list(self._states.values()))
                    report_progress(done, len(self._all), "profiles", current().command)

    def _begin(self, members: Sequence[Member]) -> None:
        self._waiting = list(reversed(members))
        at_a_time = 1 if self._opener.alone else min(self._said.at_a_time or _AT_A_TIME, len(members))
        self._threads = [
            threading.Thread(target=copy_context().run, args=(self._work,), name="dbctl-fleet", daemon=True)
            for _ in range(at_a_time)
        ]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        while (member := self._next()) is not None:
            name = member.profile.name
            with report.speaking_of(name), reported_to(lambda *_, **__: None):
                state, code = self._done_on(member)
            self._states[name] = state
            if code:
                self._codes.append(code)
            elif self._journal and state == "done" and not self._terms.dry_run:
                self._journal.note(name)

    def _next(self) -> Member | None:
        with self._turn:
            too_many = self._said.stop_after is not None and len(self._codes) >= self._said.stop_after
            if self._stop.done() or too_many or not self._waiting:
                return None
            member = self._waiting.pop()
            self._states[member.profile.name] = _AT_WORK
            return member

    def _done_on(self, member: Member) -> tuple[str, int]:
        """Do the work on one profile, and return what became of it and its exit code."""
        committed = False
        call = member.call
        supervisor = Supervisor()
        function = OwnFunction(call.function) if call.own else call.function
        given = False

        def give(result: Any) -> None:
            nonlocal given
            shown = presentable(result) if call.own else result
            for part in self._reader.parts(member.profile.name, shown):
                self._put(part)
                given = True

        def deliver(result: Any) -> Any:
            return drawn(result) if call.effects.writes else give(result)

        try:
            called = replace(
                call, function=function, supervisor=supervisor, deliver=deliver, repeatable=lambda: not given
            )
            work = self._opener.prepare(called)
            if isinstance(function, OwnFunction):
                work = function.telling(work)
            try:
                result = supervisor.run(work, self._left(), self._stop)
            except DbctlError as error:
                give(error.result)
                raise
            committed = call.effects.writes and not call.terms.dry_run
            give(result)
        except (KeyboardInterrupt, Terminated, ReaderLeft):
            self.abandoned = self.abandoned or supervisor.abandoned
            return "interrupted", 0
        except Exception as error:
            self.abandoned = self.abandoned or supervisor.abandoned
            code = ended_by(error, call.terms, committed=committed)
            return ("failed", code) if code else ("skipped", 0)
        return "done", 0

    def _left(self) -> float | None:
        if self._deadline is None:
            return None
        if not self._deadline.left:
            raise OutOfTime(f"it was not begun within the deadline of {self._deadline.seconds:g} s")
        return self._deadline.left

    def _put(self, part: Part) -> None:
        while True:
            if self._stop.done():
                raise self._stop.result()
            try:
                return self._parts.put(part, timeout=_LOOK)
            except Full:
                continue

    def end(self, reason: BaseException) -> None:
        """End all, and wait for it: only for a COMMIT that is under way that takes long.

        Raises:
            KeyboardInterrupt: A second signal came meanwhile, as does Terminated.
        """
        if not self._stop.done():
            self._stop.set_result(reason)
        try:
            for thread in self._threads:
                while thread.is_alive():
                    thread.join(_LOOK)
        finally:
            self.abandoned = self.abandoned or any(thread.is_alive() for thread in self._threads)

    def code(self) -> int:
        """Say what became of all, and return the worst exit code."""
        unknown = {_AT_WORK: "outcome unknown"}
        states = {name: self._states.get(name, "not begun") for name in self._all}
        states = {name: unknown.get(state, state) for name, state in states.items()}
        counts = Counter(states.values())
        words = [f"{count} {state}" + _named(state, states) for state, count in counts.items()]
        facts = {"states": states}
        _log.info("%d profiles: %s", len(states), ", ".join(words), extra={"event": "summary", "facts": facts})
        lost = ExitCode.OUTCOME_UNKNOWN if self._effects.writes and _AT_WORK in self._states.values() else 0
        return worst_code([*self._codes, lost])


def _named(state: str, states: Mapping[str, str]) -> str:
    """Return the names of those that are not done, as far as they are a few."""
    names = [name for name, found in states.items() if found == state]
    if state in {"done", "left out"}:
        return ""
    return f" ({', '.join(names[:10])}{', …' if len(names) > 10 else ''})"


def run_on_each(call: Call, opener: Opener) -> tuple[int, bool]:
    """Run a command on each of the profiles that are named.

    Args:
        call: The call, whose global options name several.
        opener: How what its function needs is opened.

    Returns:
        The exit code, and whether some work has not ended when it was told to.
    """
    fleet: Fleet | None = None
    said, terms, effects = call.said, call.terms, call.effects
    try:
        if said.metrics is not None:
            metrics.check(said.metrics)
        current().metrics = said.metrics
        heard = said if opener.hushed else replace(said, quiet=False)
        with raising_on_signals(), Renderer(heard, call.function) as renderer:
            extra = {"committed": False} if effects.writes and terms.dry_run else {}
            fleet = Fleet(members_of(call, opener), opener, Reader(call.function, renderer.format, extra))
            drawing = ProgressDrawing(quiet=said.quiet, no_color=said.no_color, plain=said.log is Log.JSON)
            try:
                with drawing, reported_to(drawing):
                    fleet.shown_by(renderer)
            except (KeyboardInterrupt, Terminated) as error:
                fleet.end(error)
                raise
            return fleet.code(), fleet.abandoned
    except (KeyboardInterrupt, Terminated) as error:
        report.say_interrupted(error, writes=effects.writes)
        code = ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.TERMINATED
        return worst_code([code, fleet.code() if fleet else 0]), fleet is not None and fleet.abandoned
    except Exception as error:
        if fleet:
            fleet.end(Terminated())
        return ended_by(error, terms, committed=False), fleet is not None and fleet.abandoned
