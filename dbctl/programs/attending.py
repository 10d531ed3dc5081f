"""Waiting for a program's end: signals are handed on to it, and it is ended with its lock or at its deadline."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dbctl.errors import Exited, OutOfTime
from dbctl.runtime.children import dying_with_parent
from dbctl.runtime.waits import started
from dbctl.work.database import Turn

if TYPE_CHECKING:
    from concurrent.futures import Future

_FROM_KEYS = (signal.SIGINT, signal.SIGQUIT)
"""What a terminal sends at Ctrl-C and Ctrl-\\, to all that run in its foreground."""

_LOOK = 0.1
"""Seconds between two looks at the program, its deadline and its lock."""

_BETWEEN_CHECKS = 5.0
"""Seconds between two questions whether the lock is still held."""

_TO_END = 10.0
"""Seconds that a program has to end in good order when it is told to, and is killed after."""

NOT_FOUND, NOT_RUN = 127, 126
"""What shells exit with where a program is not there, or can't be run."""


def attend(turn: Turn, words: Sequence[str], program: str, environment: Mapping[str, str]) -> None:
    """Run a program to its end, in the main thread; a signal is handed on to it.

    Args:
        turn: The lock that is held, and the end of its time.
        words: The program as it was named, and its arguments.
        program: The program's path.
        environment: Its environment.

    Raises:
        Exited: It has ended with another exit code than 0, or can't be run; with 128 and a signal's number where that
            ended it.
        OutOfTime: It was not done in time, and has been ended.
        ConnectError: The lock was lost, and the program has been ended.
    """
    with _signals_handed_on() as signals:
        dying = dying_with_parent()  # it is not to run on without its lock
        signals.program_begins()
        try:
            child = subprocess.Popen(words, executable=program, env=environment, preexec_fn=dying)  # noqa: PLW1509
        except OSError as error:
            raise Exited(NOT_RUN, f"{words[0]} can't be run: {error.strerror}") from error
        signals.go_to(child)
        code = _waited_for(child, turn, words[0])
    if code:
        raise Exited(code if code > 0 else 128 - code)


def _waited_for(child: subprocess.Popen[bytes], turn: Turn, name: str) -> int:
    """Wait for a program's end, and end it where its time is over or the lock is lost."""
    check: Future[None] | None = None
    checked = time.monotonic()
    while True:
        try:
            return child.wait(_LOOK)
        except subprocess.TimeoutExpired:
            now = time.monotonic()
        if turn.deadline is not None and not turn.deadline.left:
            _end(child)
            seconds = turn.deadline.seconds
            raise OutOfTime(f"{name} was not done within the deadline of {seconds:g} s, and has been ended")
        if turn.guard is not None and check is None and now - checked > _BETWEEN_CHECKS:
            check, checked = started(turn.guard), now
        if check is not None and check.done():
            if (lost := check.exception()) is not None:
                _end(child)
                raise lost
            check = None


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_TO_END)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class _HandingOn:
    """Hands signals on to a program; those that came before it was there it has then."""

    def __init__(self) -> None:
        self._program: subprocess.Popen[bytes] | None = None
        self._begins = False
        self._early: list[int] = []

    def program_begins(self) -> None:
        """Leave from now on to the terminal what comes from its keys: the program hears that by itself."""
        self._begins = True

    def go_to(self, program: subprocess.Popen[bytes]) -> None:
        """Hand on to this program."""
        self._program = program
        for number in self._early:
            program.send_signal(number)

    def __call__(self, number: int, _frame: object) -> None:
        if self._begins and number in _FROM_KEYS and _on_own_terminal():
            return
        if self._program is None:
            self._early.append(number)
        elif self._program.poll() is None:
            self._program.send_signal(number)


@contextmanager
def _signals_handed_on() -> Iterator[_HandingOn]:
    """Yield what the signals of the block are handed on by."""
    handing_on = _HandingOn()
    before = {number: signal.getsignal(number) for number in (*_FROM_KEYS, signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN or number == signal.SIGTERM:
            signal.signal(number, handing_on)
    try:
        yield handing_on
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _on_own_terminal() -> bool:
    try:
        return os.tcgetpgrp(sys.__stdin__.fileno()) == os.getpgrp()  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):
        return False
