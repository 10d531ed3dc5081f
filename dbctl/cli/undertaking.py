"""A command's work in a thread of its own, so that the main thread hears every signal at once and can end the work.

A driver that waits inside C for an answer hears none. What is to be ended is told to the server, on whose error the
work's own unit rolls back; and from then on nothing of it can be committed any more, whatever the thread still does.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, TypeVar

from dbctl.backends.base import Backend
from dbctl.bounds import started
from dbctl.cli.signals import Terminated
from dbctl.errors import OutcomeUnknown, OutOfTime

T = TypeVar("T")

_TO_ROLL_BACK = 0.6
"""Seconds that the work has to roll back when it is ended; the server does it when this process is gone."""


class Ended(BaseException):
    """The work has been ended from outside."""


class Undertaking:
    """One command's work. Made in the main thread, which runs it; the rest is called by the work itself."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._ended = threading.Event()
        self._committing = False
        self._connections: list[tuple[Backend, Any]] = []

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
            if wait([future], deadline).done:
                return future.result()
            over = OutOfTime(f"not done within the deadline of {deadline:g} s; all of it is rolled back")
        except (KeyboardInterrupt, Terminated) as signal:
            reason: BaseException = signal
        else:
            reason = over
        if self._end():
            self._cancel()
            wait([future], _TO_ROLL_BACK)
            raise reason
        return self._outcome(future, reason)

    def _outcome(self, future: Future[T], reason: BaseException) -> T:
        try:
            wait([future])
        except (KeyboardInterrupt, Terminated):
            message = f"ended during COMMIT: the outcome is unknown ({type(reason).__name__})"
            raise OutcomeUnknown(message, "look before you run it again") from reason
        return future.result()

    def watch(self, backend: Backend, driver_connection: Any) -> None:
        """Take note of a connection that the work has opened."""
        self._connections.append((backend, driver_connection))

    def before_commit(self) -> None:
        """Let the work commit, and nobody end it any more."""
        with self._gate:
            if self._ended.is_set():
                raise Ended
            self._committing = True

    def pause(self, seconds: float) -> None:
        """Pause before the work is run again."""
        self._committing = False  # a COMMIT that other transactions got in the way of
        if self._ended.wait(seconds):
            raise Ended

    def _end(self) -> bool:
        """Let nothing be committed any more, unless a COMMIT is under way."""
        with self._gate:
            if not self._committing:
                self._ended.set()
            return not self._committing

    def _cancel(self) -> None:
        for backend, driver_connection in self._connections:
            started(partial(backend.cancel, driver_connection))
