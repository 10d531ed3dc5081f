"""Work that can be ended from outside: by a signal, or because its time is over.

A driver that waits inside C for an answer hears no signal. So the work is run in a thread of its own, and the main
thread hears; what is to be ended is told to the server, on whose error the work's own unit rolls back. From then on
nothing of it can be committed any more, whatever the thread still does.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from dbctl.connections.watching import Use, watched_by
from dbctl.errors import DbctlError, OutcomeUnknown
from dbctl.runtime.waits import is_done, started
from dbctl.work.deadlines import Deadline
from dbctl.work.interrupts import on_interrupt
from dbctl.work.signals import Terminated

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")

_TO_ROLL_BACK = 0.6
"""Seconds that the work has to roll back when it is ended; the server does it when this process is gone."""

_TO_TAKE_AWAY = 2.0
"""Seconds more that it has where it is to take away what no server does for it: a database that it has made."""

_TO_CANCEL = 1.0
"""Seconds that a server has to hear a cancel."""

_BETWEEN_CANCELS = 0.2
"""Seconds; a cancel that comes between two statements ends neither, and so is sent again."""

_TO_COMMIT = 0.3
"""Seconds for which a COMMIT is awaited after a signal without a word."""

_log = logging.getLogger("dbctl")


class Ended(BaseException):
    """The work has been ended from outside."""


class Supervisor:
    """Supervises one piece of work. Whoever waits for it calls `run`, or `within`; the rest is called by the work."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._ended = threading.Event()
        self._committing = False
        self._in_use: dict[int, Use] = {}
        self._tell: Callable[[], str] | None = None
        self._owed: list[Callable[[], str]] = []
        self.deadline: Deadline | None = None
        """When the time of the work is over, from when it is begun."""
        self.abandoned = False
        """Whether the work did not end when it was told to, and may still be waiting in its thread."""
        self.guard: Callable[[], None] | None = None
        """Called before all is committed; what it raises rolls all back."""

    def run(self, work: Callable[[], T], deadline: float | None = None, stop: Future[BaseException] | None = None) -> T:
        """Run the work in a thread to its end, or until a signal comes or its time is over.

        A COMMIT under way of what writes is waited for, and its outcome is the work's; its wait for a standby that is
        gone is ended at the server. A further signal does not wait for that either.

        Args:
            work: What to run; it ends its own COMMIT by `deadline`.
            deadline: Seconds, or None for as long as it takes.
            stop: Has as its result what ends the work, where that is to be ended by another thread, which hears the
                signals: this is called in one that hears none.

        Raises:
            OutOfTime: The deadline is over; all is rolled back.
            OutcomeUnknown: A second signal came during COMMIT.
        """
        self.deadline = None if deadline is None else Deadline(deadline)
        with watched_by(self):
            future = started(work)
        try:
            if is_done(future, deadline, stop):
                return future.result()
            if stop is not None and stop.done():
                reason: BaseException = stop.result()
            else:
                assert self.deadline is not None, "without one the wait has no end"
                reason = self.deadline.error()
        except (KeyboardInterrupt, Terminated) as ending:
            reason = ending
        try:
            if not self._end():
                self._cancel(lambda seconds: is_done(future, seconds))
                self.abandoned = not future.done() and not (self._owed and self._takes_away(future))
                if not self.abandoned:
                    _take_over(future, reason)
                elif self._tell:
                    vars(reason)["left"] = self._tell()
                raise reason
            return self._outcome(future, reason)
        except Ended:
            raise reason from None

    def _takes_away(self, future: Future[Any]) -> bool:
        """Wait a moment for work that has something to take away, and tell whether it has; else say what stays."""
        if not is_done(future, _TO_TAKE_AWAY):
            for stays in filter(None, [tell() for tell in list(self._owed)]):
                _log.warning("%s", stays)
        return future.done()

    def _outcome(self, future: Future[T], reason: BaseException) -> T:
        try:
            if not isinstance(reason, DbctlError) and not is_done(future, _TO_COMMIT):
                _log.info("a COMMIT is under way, and its outcome is waited for; a second signal does not wait")
                self._end_waits(future)
            is_done(future)
        except (KeyboardInterrupt, Terminated):
            self.abandoned = True
            message = "ended by a signal during COMMIT: the outcome is unknown, the work may or may not be there"
            raise OutcomeUnknown(message, "look before you run it again") from reason
        return future.result()

    def _end_waits(self, future: Future[Any]) -> None:
        """Have the servers end a COMMIT's wait for a standby that is gone: it is done by then, and says so.

        It is asked for again where it came too early for a server to hear.
        """
        waits = [use.end_wait for use in list(self._in_use.values()) if use.end_wait]
        while waits and not is_done(future, _TO_COMMIT):
            for end in waits:
                is_done(started(end), _TO_CANCEL)

    @contextmanager
    def within(self, deadline: float | None, heard: Collection[int] = (signal.SIGINT,)) -> Iterator[None]:
        """End the block, which is run in the caller's own thread, when its time is over.

        What a server runs for it is ended at once; what it computes by itself goes on, and can't be committed. SIGINT
        ends what a server runs too, so that its KeyboardInterrupt is raised soon; a COMMIT is left to a second one.

        Args:
            deadline: Seconds, or None for as long as it takes.
            heard: The signals that do so; SIGTERM among them where its handler raises `Terminated`.

        Raises:
            OutOfTime: The deadline is over; all is rolled back.
        """
        over = threading.Event()
        interrupts: list[Future[None]] = []
        reasons: list[type[BaseException]] = []

        def end() -> None:
            if not over.wait(deadline) and not self._end():
                self._end_or_cut(over)

        def interrupt(number: int) -> None:
            reasons.append(KeyboardInterrupt if number == signal.SIGINT else Terminated)
            first = not interrupts
            interrupts.append(started(lambda: self._interrupt(over, first=first)))

        if deadline is not None:
            self.deadline = Deadline(deadline)
            threading.Thread(target=end, name="dbctl-deadline", daemon=True).start()
        try:
            with watched_by(self), on_interrupt(interrupt, heard):
                yield
        except (Ended, DbctlError) as error:
            if interrupts and not self._committing:
                raise reasons[0] from error  # Python's own is lost where psycopg2 has just called into it
            if self.deadline and self._ended.is_set() and not self._committing:
                late = self.deadline.error()
                late.left = getattr(error, "left", "")
                raise late from error
            raise
        finally:
            over.set()
            for cancelling in interrupts:
                is_done(cancelling, _TO_ROLL_BACK)

    @property
    def ended(self) -> bool:
        """Whether the work has been ended from outside."""
        return self._ended.is_set()

    def _interrupt(self, over: threading.Event, *, first: bool) -> None:
        """End what the servers run for a block, until that is over; a COMMIT only the second time."""
        if not self._committing:
            self._end_or_cut(over)
        elif not first:
            self._cut()

    def note(self, connection: Any, use: Use) -> None:
        """Take note of a connection that the work uses."""
        self._in_use[id(connection)] = use

    def forget(self, connection: Any) -> None:
        """Take note that the work does not use it any more."""
        self._in_use.pop(id(connection), None)

    def keep(self, tell: Callable[[], str] | None) -> None:
        """Take note of what tells what the work has committed by now."""
        self._tell = tell

    def owe(self, tell: Callable[[], str]) -> None:
        """Take note that the work is to take something away after it, and of what tells that it stays."""
        self._owed.append(tell)

    def settle(self, tell: Callable[[], str]) -> None:
        """Take note that it is taken away."""
        self._owed.remove(tell)

    def check(self) -> None:
        """Raise what ends the work, where it was ended from outside."""
        if self._ended.is_set():
            raise Ended

    def check_commit(self) -> None:
        """Raise what ends the work, or that the lock is lost under which it commits."""
        self.check()
        if self.guard:
            self.guard()

    def end_queries(self) -> None:
        """Have the servers end what the work runs; what they answer is the work's to hear."""
        for use in list(self._in_use.values()):
            is_done(started(use.cancel), _TO_CANCEL)

    def before_commit(self, *, writes: bool = True) -> None:
        """Let the work commit, and nobody end it any more; of what only reads nothing is lost when that is ended."""
        if self.guard:
            self.guard()
        with self._gate:
            if self._ended.is_set():
                raise Ended
            self._committing = writes

    def go_on(self) -> None:
        """Let the work be ended again, where a COMMIT is over; raise what has ended it meanwhile."""
        if self._committing:
            self.pause(0)

    def pause(self, seconds: float) -> None:
        """Pause before the work goes on, or is run again; a COMMIT that was under way has failed."""
        with self._gate:
            self._committing = False
        if self._ended.wait(seconds):
            raise Ended

    def _end(self) -> bool:
        """Let nothing more begin, and tell whether a COMMIT is under way."""
        with self._gate:
            self._ended.set()
            return self._committing

    def _cancel(self, is_over: Callable[[float], bool]) -> None:
        """Have the servers end what the work runs, until it has rolled back, or its time for that is over.

        Args:
            is_over: Waits for the work's end for so many seconds, and tells whether it has come.
        """
        end = time.monotonic() + _TO_ROLL_BACK
        while (left := end - time.monotonic()) > 0:
            cancels = [started(use.cancel) for use in list(self._in_use.values())]
            if is_over(min(_BETWEEN_CANCELS, left)):
                # One that is left under way would end what comes next there, or with this process would be none.
                for cancel in cancels:
                    is_done(cancel, max(0.0, end - time.monotonic()))
                return

    def _end_or_cut(self, over: threading.Event) -> None:
        """Have the servers end what a block runs in the caller's own thread, and cut off those that do not."""
        self._cancel(over.wait)
        if not over.is_set():
            self._cut()

    def _cut(self) -> None:
        """Cut the connections in use: a server that is silent hears no cancel."""
        for use in list(self._in_use.values()):
            started(use.cut)


def _take_over(future: Future[Any], reason: BaseException) -> None:
    """Let the reason for which work was ended tell what the work has, and what it had committed."""
    if failure := future.exception():
        vars(reason)["left"] = getattr(failure, "left", "")
    else:
        vars(reason)["result"] = future.result()
