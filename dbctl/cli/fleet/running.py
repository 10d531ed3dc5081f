"""Running one command on several profiles: each in a unit of work of its own, some at a time, results as they end."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING

from dbctl.cli import metrics, report
from dbctl.cli.calls import Call
from dbctl.cli.choices import Log
from dbctl.cli.endings import ended_by
from dbctl.cli.exits import ExitCode, worst_code
from dbctl.cli.fleet.board import Board
from dbctl.cli.fleet.doing import done_on
from dbctl.cli.fleet.gathering import TITLE, Reader
from dbctl.cli.fleet.journal import Journal
from dbctl.cli.fleet.members import Member, members_of
from dbctl.cli.outcome import current
from dbctl.cli.progress import ProgressDrawing, described
from dbctl.cli.render import Renderer
from dbctl.cli.streams import ReaderLeft, discard_stdout
from dbctl.errors import ConfigError, OutOfTime, OutputLost, UsageError
from dbctl.results import Gathered, Part
from dbctl.runtime.foreign import guarded_for_all
from dbctl.work.deadlines import Deadline
from dbctl.work.progress import Progress, reported_to
from dbctl.work.progress import report as report_progress
from dbctl.work.signals import Terminated, raising_on_signals

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
        board: Shows what each is at.
    """

    def __init__(self, members: Sequence[Member], opener: Opener, reader: Reader, board: Board) -> None:
        from concurrent.futures import Future

        self._opener, self._reader, self._board = opener, reader, board
        call = members[0].call
        self._said, self._terms, self._effects = call.said, call.terms, call.effects
        self._journal = self._journal_of(call)
        self._phases = self._with_canaries([one for one in members if one.profile.name not in self._skipped])
        self._states: dict[str, str] = dict.fromkeys(self._skipped, "left out")
        self._all = [one.profile.name for one in members]
        self._whole = sum(name in self._skipped for name in self._all)
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
        first = [one for one in members if one.profile.name == said] or members[: int(said) if said.isdigit() else 0]
        if not first and members:
            raise UsageError(f"--canary {said}: it is none of those that are to be worked on, nor how many of them")
        return [first, [one for one in members if one not in first]]

    def shown_by(self, renderer: Renderer) -> None:
        """Run all, and show their results; where nobody reads them any more only what writes goes on."""
        result = Gathered(TITLE, self._run(), lambda: self._whole == len(self._all))
        try:
            renderer.write(result, {})
        except (ReaderLeft, OutputLost) as lost:
            discard_stdout()
            if not self._effects.writes or self._terms.dry_run:
                self.end(lost)
                if isinstance(lost, OutputLost):
                    raise
            for _ in result.values:
                continue
            if isinstance(lost, OutputLost):
                self._codes.append(ended_by(lost, self._terms, committed=True))

    def _run(self) -> Iterator[Part]:
        """Run all, and yield the parts of their results as they come; where there are none, the header of all."""
        first = None
        for part in self._as_they_come():
            first = first or part
            yield part
        if first is None and self._reader.header:
            yield Part("", self._reader.header)

    def _as_they_come(self) -> Iterator[Part]:
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
            self._board.began(name)
            with report.speaking_of(name, partial(self._board.heard, name)), reported_to(self._progress_of(name)):
                ended = done_on(member, self._opener, self._reader, self._put, self._deadline, self._stop)
                self.abandoned = self.abandoned or ended.abandoned
                self._states[name] = ended.state
                self._board.ended(name, ended.state)
                with self._turn:
                    self._whole += ended.whole
                if ended.code:
                    self._codes.append(ended.code)
                if ended.done and not self._terms.dry_run:
                    self._note(name)

    def _progress_of(self, name: str) -> Progress:
        """Return what a profile's work reports to: of all only the board has a place for that."""
        began = time.monotonic()

        def heard(done: float, total: float | None = None, unit: str = "rows", message: str = "") -> None:
            self._board.heard(name, described(done, total, unit, message, time.monotonic() - began))

        return heard

    def _note(self, name: str) -> None:
        """Note that a profile is done; where that can't be nothing more is begun: a further run would not know it."""
        try:
            if self._journal:
                self._journal.note(name)
        except OSError as error:
            with self._turn:
                self._waiting.clear()
            why = f"--resume {self._said.done_file}: it can't be noted that this is done: {error.strerror}"
            self._codes.append(ended_by(ConfigError(why), self._terms, committed=False))

    def _next(self) -> Member | None:
        with self._turn:
            too_many = self._said.stop_after is not None and len(self._codes) >= self._said.stop_after
            if self._deadline and not self._deadline.left and self._waiting:
                self._waiting.clear()
                late = OutOfTime(f"not all were begun within the deadline of {self._deadline.seconds:g} s")
                self._codes.append(ended_by(late, self._terms, committed=False))
            if self._stop.done() or too_many or not self._waiting:
                return None
            member = self._waiting.pop()
            self._states[member.profile.name] = _AT_WORK
            return member

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
        title = f"{len(states)} profile{'s' if len(states) > 1 else ''}"
        _log.info("%s: %s", title, ", ".join(words), extra={"event": "summary", "facts": facts})
        return self.worst

    @property
    def worst(self) -> int:
        """The worst exit code of those that have ended, or whose outcome is unknown."""
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
            members = members_of(call, opener)
            board = Board(len(members), wanted=not said.quiet and said.log is not Log.JSON)
            fleet = Fleet(members, opener, Reader(call.function, renderer.format, extra), board)
            drawing = ProgressDrawing(quiet=said.quiet or board.fits, plain=True)
            try:
                renderer.open()
                with guarded_for_all(), board, drawing, reported_to(drawing):
                    fleet.shown_by(renderer)
            except (KeyboardInterrupt, Terminated) as error:
                fleet.end(error)
                raise
            return fleet.code(), fleet.abandoned
    except (KeyboardInterrupt, Terminated) as error:
        own = ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.TERMINATED
        code = worst_code([own, fleet.worst if fleet else 0])
        report.say_interrupted(error, writes=effects.writes, code=code)
        return worst_code([code, fleet.code() if fleet else 0]), fleet is not None and fleet.abandoned
    except Exception as error:
        if fleet:
            fleet.end(Terminated())
        return ended_by(error, terms, committed=False), fleet is not None and fleet.abandoned
