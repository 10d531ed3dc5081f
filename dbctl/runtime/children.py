"""Programs that this process starts, and that are not to run on without it."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import BinaryIO

from dbctl.records import record
from dbctl.runtime.waits import result_of, started

_SET_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG (https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html)."""

_LOOK = 0.05
"""Seconds between two looks at a program, in which a signal is heard."""

_TO_END = 0.5
"""Seconds that a program has to end by itself when it is told to."""


class TookTooLong(Exception):
    """A program has not ended in its time."""


class SaidTooMuch(Exception):
    """A program has written more than anybody wants to read."""


@record
class Ended:
    """A program that has ended: its exit code, and what it has written to stdout and to stderr."""

    code: int
    out: bytes
    err: bytes


def output_of(words: Sequence[str], seconds: float, most: int) -> Ended:
    """Run a program that reads nothing, and return what it has written when it has ended itself.

    What it has left running is not waited for. It ends, with what it has started, when its time is over, when what
    waits for it here is interrupted, and with this process.

    Args:
        words: The program and its arguments.
        seconds: How long it may take.
        most: How many bytes it may write.

    Raises:
        TookTooLong: It took longer.
        SaidTooMuch: It has written more.
        OSError: It can't be run; ValueError where its words are none that can be.
    """
    run = _Run(words, seconds, most)
    _running.add(run)
    try:
        return result_of(started(run))
    finally:
        run.end()
        _running.discard(run)


def answer_of(words: Sequence[str], seconds: float) -> Ended:
    """Run a program in this thread, and return what it has written. It has the terminal, where it may ask a person.

    It ends when its time is over, when this thread is interrupted, and with this process where that has an end.

    Args:
        words: The program and its arguments.
        seconds: How long it may take.

    Raises:
        TookTooLong: It took longer.
        OSError: It can't be run; ValueError where its words are none that can be.
    """
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        _answering.add(process)
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise TookTooLong from None  # what it has written is in the error
        finally:
            process.kill()
            _answering.discard(process)
    return Ended(process.returncode, out, err)


def end_programs() -> None:
    """End what is waited for above in any thread; whoever ends this process without Python's own end calls it."""
    for run in [*_running]:
        run.end()
    for process in [*_answering]:
        process.kill()


class _Run:
    """One run of a program. It is called in a thread of its own, where no signal comes between its steps."""

    def __init__(self, words: Sequence[str], seconds: float, most: int) -> None:
        self._words, self._until, self._most = words, time.monotonic() + seconds, most
        self._told, self._gone = threading.Event(), threading.Event()

    def __call__(self) -> Ended:
        """Run it to its end, and return what it has written."""
        # Files, for a pipe would be read until nobody else has it open.
        try:
            with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
                code = self._run(out, err)
                said = [os.pread(file.fileno(), self._most + 1, 0) for file in (out, err)]
        finally:
            self._gone.set()
        if len(said[0]) > self._most:
            raise SaidTooMuch
        return Ended(code, *said)

    def end(self) -> None:
        """End it where it has not, and wait for that."""
        self._told.set()
        self._gone.wait(3 * _TO_END)

    def _run(self, out: BinaryIO, err: BinaryIO) -> int:
        process = subprocess.Popen(
            self._words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,  # a group, with all that it starts
            preexec_fn=dying_with_parent(),  # noqa: PLW1509  # it makes system calls alone
        )
        try:
            while process.poll() is None and not self._told.is_set():
                if time.monotonic() > self._until:
                    raise TookTooLong
                if max(os.fstat(file.fileno()).st_size for file in (out, err)) > self._most:
                    raise SaidTooMuch
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK)
        finally:
            if process.poll() is None:
                _end_group(process)
        return process.returncode


_running: set[_Run] = set()
_answering: set[subprocess.Popen[bytes]] = set()
atexit.register(end_programs)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a program, and all that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TO_END)


def dying_with_parent() -> Callable[[], object] | None:
    """Return what `subprocess` is to call in a new process, so that it ends when the thread that starts it does.

    So it does when this process is killed. It makes system calls alone, and takes no lock that another thread could
    hold. None where the system is not Linux, and has nothing of the kind.
    """
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    libc, parent = ctypes.CDLL(None), os.getpid()

    def die_with_it() -> None:
        libc.prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:  # which was killed before
            os.kill(os.getpid(), signal.SIGKILL)

    return die_with_it
