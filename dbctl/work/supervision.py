"""A command's work in a thread of its own, so that the main thread hears every signal at once and can end the work.

A driver that waits inside C for an answer hears none. What is to be ended is told to the server, on whose error the
work's own unit rolls back; and from then on nothing of it can be committed any more, whatever the thread still does.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from dbctl.backends.base import Backend
from dbctl.errors import OutcomeUnknown, OutOfTime
from dbctl.runtime.waits import is_done, started
from dbctl.work.signals import Terminated

T = TypeVar("T")

_TO_ROLL_BACK = 0.6
"""Seconds that the work has to roll back when it is ended; the server does it when this process is gone."""

_BETWEEN_CANCELS = 0.2
"""Seconds; a cancel that comes between two statements ends neither, and so is sent again."""


class Ended(BaseException):
    """The work has been ended from outside."""


class Undertaking:
    """One command's work. Made in the main thread, which runs it; the rest is called by the work itself."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._ended = threading.Event()
        self._committing = False
        self._cancels: list[Callable[[], Any]] = []
        self.guard: Callable[[], None] | None = None
        """Called before all is committed; what it raises rolls all back."""

    def run(self, work: Callable[[], T], deadline: float | None = None) -> T:
        """Run the work to its end, or until a signal comes or its time is over.

        A COMMIT under way is waited for, and its outcome is the work's; a further signal ends that too.

        Args:
            work: What to run.
            deadline: Seconds, or None for as long as it takes.

        Raises:
            OutOfTime: The deadline is over; all is rolled back.
            OutcomeUnknown: A second signal came during COMMIT.
        """
        future = started(work)
        try:
            if is_done(future, deadline):
                return future.result()
            over = OutOfTime(f"not done within the deadline of {deadline:g} s; what was not committed is rolled back")
        except (KeyboardInterrupt, Terminated) as signal:
            reason: BaseException = signal
        else:
            reason = over
        try:
            if not self._end():
                self._cancel(future)
                raise reason
            return self._outcome(future, reason)
        except Ended:
            raise reason from None

    def _outcome(self, future: Future[T], reason: BaseException) -> T:
        try:
            is_done(future)
        except (KeyboardInterrupt, Terminated):
            message = f"ended during COMMIT: the outcome is unknown ({type(reason).__name__})"
            raise OutcomeUnknown(message, "look before you run it again") from reason
        return future.result()

    def watch(self, backend: Backend, driver_connection: Any) -> None:
        """Take note of a connection that the work has opened."""
        self._cancels.append(backend.canceller(driver_connection))

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

    def _cancel(self, future: Future[T]) -> None:
        """Have the servers end what the work runs, until it has rolled back, or its time for that is over."""
        over = time.monotonic() + _TO_ROLL_BACK
        while time.monotonic() < over and not future.done():
            for cancel in list(self._cancels):
                started(cancel)
            is_done(future, min(_BETWEEN_CANCELS, max(0.0, over - time.monotonic())))
