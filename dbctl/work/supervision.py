"""Work that can be ended from outside: by a signal, or because its time is over.

A driver that waits inside C for an answer hears no signal. So the work is run in a thread of its own, and the main
thread hears; what is to be ended is told to the server, on whose error the work's own unit rolls back. From then on
nothing of it can be committed any more, whatever the thread still does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from dbctl.connections.watching import Cancel, watched_by
from dbctl.errors import DbctlError, OutcomeUnknown, OutOfTime
from dbctl.runtime.waits import is_done, started
from dbctl.work.signals import Terminated

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")

_TO_ROLL_BACK = 0.6
"""Seconds that the work has to roll back when it is ended; the server does it when this process is gone."""

_TO_CANCEL = 1.0
"""Seconds that a server has to hear a cancel."""

_BETWEEN_CANCELS = 0.2
"""Seconds; a cancel that comes between two statements ends neither, and so is sent again."""


class Ended(BaseException):
    """The work has been ended from outside."""


class Supervisor:
    """Supervises one piece of work. Whoever waits for it calls `run`, or `within`; the rest is called by the work."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._ended = threading.Event()
        self._committing = False
        self._in_use: dict[int, Cancel] = {}
        self.abandoned = False
        """Whether the work did not end when it was told to, and may still be waiting in its thread."""
        self.guard: Callable[[], None] | None = None
        """Called before all is committed; what it raises rolls all back."""

    def run(self, work: Callable[[], T], deadline: float | None = None) -> T:
        """Run the work in a thread to its end, or until a signal comes or its time is over.

        A COMMIT under way is waited for, and its outcome is the work's; a further signal ends that too.

        Args:
            work: What to run.
            deadline: Seconds, or None for as long as it takes.

        Raises:
            OutOfTime: The deadline is over; all is rolled back.
            OutcomeUnknown: A second signal came during COMMIT.
        """
        with watched_by(self):
            future = started(work)
        try:
            if is_done(future, deadline):
                return future.result()
            reason: BaseException = too_late(deadline)
        except (KeyboardInterrupt, Terminated) as signal:
            reason = signal
        try:
            if not self._end():
                self._cancel(lambda seconds: is_done(future, seconds))
                self.abandoned = not future.done()
                if future.done() and future.exception() is None:
                    vars(reason)["result"] = future.result()  # what it has, where it ended by itself
                raise reason
            return self._outcome(future, reason)
        except Ended:
            raise reason from None

    def _outcome(self, future: Future[T], reason: BaseException) -> T:
        try:
            is_done(future)
        except (KeyboardInterrupt, Terminated):
            self.abandoned = True
            message = f"ended during COMMIT: the outcome is unknown ({type(reason).__name__})"
            raise OutcomeUnknown(message, "look before you run it again") from reason
        return future.result()

    @contextmanager
    def within(self, deadline: float | None) -> Iterator[None]:
        """End the block, which is run in the caller's own thread, when its time is over.

        What a server runs for it is ended at once; what it computes by itself goes on, and can't be committed.

        Args:
            deadline: Seconds, or None for as long as it takes.

        Raises:
            OutOfTime: The deadline is over; all is rolled back.
        """
        if deadline is None:
            yield
            return
        over = threading.Event()

        def end() -> None:
            if not over.wait(deadline) and not self._end():
                self._cancel(over.wait)

        threading.Thread(target=end, name="dbctl-deadline", daemon=True).start()
        try:
            with watched_by(self):
                yield
        except (Ended, DbctlError) as error:
            if self._ended.is_set() and not self._committing:
                raise too_late(deadline) from error
            raise
        finally:
            over.set()

    @property
    def ended(self) -> bool:
        """Whether the work has been ended from outside."""
        return self._ended.is_set()

    def note(self, connection: Any, cancel: Cancel) -> None:
        """Take note of a connection that the work uses."""
        self._in_use[id(connection)] = cancel

    def forget(self, connection: Any) -> None:
        """Take note that the work does not use it any more."""
        self._in_use.pop(id(connection), None)

    def check(self) -> None:
        """Raise what ends the work, where it was ended from outside."""
        if self._ended.is_set():
            raise Ended

    def end_queries(self) -> None:
        """Have the servers end what the work runs; what they answer is the work's to hear."""
        for cancel in list(self._in_use.values()):
            is_done(started(cancel), _TO_CANCEL)

    def before_commit(self) -> None:
        """Let the work commit, and nobody end it any more."""
        if self.guard:
            self.guard()
        with self._gate:
            if self._ended.is_set():
                raise Ended
            self._committing = True

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
            for cancel in list(self._in_use.values()):
                started(cancel)
            if is_over(min(_BETWEEN_CANCELS, left)):
                return


def too_late(deadline: float | None) -> OutOfTime:
    """Return the error of work whose time is over."""
    return OutOfTime(f"not done within the deadline of {deadline:g} s; what was not committed is rolled back")
