"""Running any program with a profile's connection in its environment, under its lock and within a deadline."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.errors import Exited, OutOfTime
from dbctl.runtime.children import dying_with_parent
from dbctl.runtime.waits import started
from dbctl.work.database import Turn
from dbctl.work.signals import hear_signals

if TYPE_CHECKING:
    from concurrent.futures import Future

    from dbctl.backends.base import Backend

_LOOK = 0.1
"""Seconds between two looks at the program, its deadline and its lock."""

_BETWEEN_CHECKS = 5.0
"""Seconds between two questions whether the lock is still held."""

_TO_END = 10.0
"""Seconds that a program has to end in good order when it is told to, and is killed after."""

_NOT_FOUND, _NOT_RUN = 127, 126
"""What shells exit with where a program is not there, or can't be run."""


def run_program(turn: Turn, words: Sequence[str], *, scheme: str | None = None) -> None:
    """Run a program to its end, in the main thread; a signal is handed on to it.

    Args:
        turn: The profile's backend, with the lock that is held and the end of its time.
        words: The program and its arguments.
        scheme: What DATABASE_URL begins with; the database's plain name unless given.

    Raises:
        Exited: It has ended with another exit code than 0; with 128 and a signal's number where that ended it.
        OutOfTime: It was not done in time, and has been ended.
        UsageError: The scheme is none of the database's.
        ConnectError: The lock was lost, and the program has been ended.
    """
    program = shutil.which(words[0])
    if program is None:
        if os.path.dirname(words[0]) and os.path.exists(words[0]):
            why = "it is a directory" if os.path.isdir(words[0]) else "it is not executable"
            raise Exited(_NOT_RUN, f"{words[0]} can't be run: {why}")
        raise Exited(_NOT_FOUND, f"there is no program {words[0]}")
    with tempfile.TemporaryDirectory(prefix="dbctl-") as directory:
        environment = environment_of(turn.backend, Path(directory), scheme=scheme)
        try:
            dying = dying_with_parent()  # it is not to run on without its lock
            child = subprocess.Popen(words, executable=program, env=environment, preexec_fn=dying)  # noqa: PLW1509
        except OSError as error:
            raise Exited(_NOT_RUN, f"{words[0]} can't be run: {error.strerror}") from error
        with _signals_for(child):
            code = _waited_for(child, turn, words[0])
    if code:
        raise Exited(code if code > 0 else 128 - code)


def environment_of(backend: Backend, directory: Path, *, scheme: str | None = None) -> Mapping[str, str]:
    """Return this process's environment with a profile's connection in it.

    Args:
        backend: The profile's backend.
        directory: Where files are made that variables name.
        scheme: What DATABASE_URL begins with.

    Raises:
        UsageError: The scheme is none of the database's.
        ConfigError: The password's source gives none.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in backend.client_variables}
    connection = {"DATABASE_URL": backend.program_url(scheme), **backend.client_environment(directory)}
    return inherited | connection


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


@contextmanager
def _signals_for(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Hand both signals on to the program for the block; one that a terminal sends it has already."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def hand_on(number: int, _frame: object) -> None:
        if child.poll() is None and not (number == signal.SIGINT and _on_own_terminal()):
            child.send_signal(number)

    hear_signals(hand_on)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _on_own_terminal() -> bool:
    try:
        return os.tcgetpgrp(sys.__stdin__.fileno()) == os.getpgrp()  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):
        return False
