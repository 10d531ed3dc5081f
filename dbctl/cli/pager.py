"""What is shown on a terminal: as it is where it fits the screen, and by a pager where it is longer, as git does it."""

from __future__ import annotations

import fcntl
import os
import select
import shlex
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from dbctl.cli.render.layout import width_of
from dbctl.cli.streams import ReaderLeft, Stdout, complain, uncover, write_all
from dbctl.work.signals import Terminated

_DEFAULT = "less -FRSX"
_OF_SHELLS = frozenset("|&;<>()$`\\\"'*?[#~=%{\n")
"""What a command line may hold that only a shell understands."""

_PATIENCE = 1.0
"""Seconds for which is waited for a whole screen; what comes slower is shown as it comes, without a pager."""


def pager_command(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the pager to use: DBCTL_PAGER, PAGER or less; None where none is wanted, or none is there.

    A dumb terminal gets none, for less would ask there for a key before all else.
    """
    named = environ.get("DBCTL_PAGER", environ.get("PAGER"))
    command = (_DEFAULT if named is None else named).strip()
    if command in {"", "cat"} or environ.get("TERM", "dumb") == "dumb" or not _in_foreground():
        return None
    program = next((word for word in command.split() if "=" not in word), "")
    found = _needs_shell(program) or shutil.which(program, path=environ.get("PATH"))
    return command if found else None


def _needs_shell(command: str) -> bool:
    return not _OF_SHELLS.isdisjoint(command)


def _unstyled(text: str) -> str:
    """Return text without what makes some of it bold or faint; a value has no escapes in it."""
    return text.replace("\x1b[0m", "").replace("\x1b[1m", "").replace("\x1b[2m", "")


def _in_foreground() -> bool:
    """Tell whether the terminal is this job's: a pager in the background would be stopped."""
    try:
        return os.tcgetpgrp(sys.stdout.fileno()) == os.getpgrp()
    except OSError:
        return True  # it is no controlling terminal, and so nobody's


class Paged:
    """Standard output where it is a terminal; it is held back until it is known whether it fits the screen.

    Args:
        command: The pager, or None to write all as it is.
        pause: Called now and then while a person reads, by whoever writes; what it raises ends the writing.
    """

    def __init__(self, command: str | None, pause: Callable[[], None]) -> None:
        self._command = command
        self._pause = pause
        self._stdout = Stdout()
        self._direct = command is None
        self._held: list[str] = []
        self._began = time.monotonic()
        self._columns, self._lines = shutil.get_terminal_size()
        self._pager: _Pager | None = None

    @property
    def descriptor(self) -> int | None:
        """What is written to, where somebody may leave who reads it; a pager that has taken nothing may have failed."""
        return self._pager.descriptor if self._pager and self._pager.has_read() else None

    def write(self, text: str) -> None:
        """Write a piece of text; the parameters of `Stdout.write`, and what it raises."""
        if self._pager:
            try:
                self._pager.write(text)
            except ReaderLeft:
                self.close()
                if self._pager:
                    raise
        elif self._direct:
            self._stdout.write(text)
        else:
            self._hold(text)

    def _hold(self, text: str) -> None:
        if not self._held:
            self._began = time.monotonic()
        self._held.append(text)
        written = "".join(self._held)
        chopped = written.count("\n") > self._lines - 1
        if chopped or self._rows(written) > self._lines - 1:
            assert self._command is not None
            uncover()
            self._held = []
            self._pager = _Pager(self._command, self._pause, self._stdout, chopped=chopped)
            self.write(written)
        elif time.monotonic() - self._began > _PATIENCE:
            self.finish()

    def _rows(self, text: str) -> int:
        """Return how many rows of the screen the text takes, at least."""
        return sum(max(1, -(-width_of(line) // self._columns)) for line in _unstyled(text).splitlines())

    def finish(self) -> None:
        """Show what is held back, and all that comes after it without a pager."""
        if not self._pager:
            self._direct = True
            held, self._held = self._held, []
            self._stdout.write("".join(held))

    def close(self, *, at_once: bool = False) -> None:
        """Wait until the person has quit the pager, if there is one; or quit it at once.

        Where it has failed, all is shown without it.
        """
        if self._pager and (unread := self._pager.close(at_once=at_once)):
            complain(f"dbctl: the pager failed, and took nothing: {self._command}")
            self._pager, self._direct = None, True
            self._stdout.write(unread)


def _unread(pipe: int) -> int:
    """Return how many bytes there are in a pipe."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(struct.calcsize("i"))))
    return int(count)


class _Pager:
    """A pager that runs, and has the terminal for itself.

    Ctrl-C reaches the whole job: the pager stops what it does and stays, and so this process has to, or the shell and
    the pager would both read the keys.
    """

    def __init__(self, command: str, pause: Callable[[], None], screen: Stdout, *, chopped: bool) -> None:
        # Lines that are longer than the screen are cut off by S, and could not be seen where all fits one screen.
        flags = "FRSX" if chopped else "FRX"
        if command == _DEFAULT:
            command = f"less -{flags}"
        environ = {"LESS": flags, "LV": "-c"} | os.environ
        arguments: Sequence[str] = ["/bin/sh", "-c", command] if _needs_shell(command) else shlex.split(command)
        self._escapes = os.path.basename(arguments[0]) == "less" and (
            command.startswith("less -") or not {"R", "r"}.isdisjoint(environ["LESS"])
        )
        reading, self.descriptor = os.pipe()
        os.set_blocking(self.descriptor, False)
        self._pause, self._screen = pause, screen
        self._closed = False
        self._kept: list[str] = []
        self._written = 0
        try:
            self._process = subprocess.Popen(arguments, stdin=reading, stdout=screen.descriptor, env=environ)
        except BaseException:
            os.close(self.descriptor)
            raise
        finally:
            os.close(reading)

    def write(self, text: str) -> None:
        if self._closed:
            raise ReaderLeft
        if self.has_read():
            self._kept.clear()
        else:
            self._kept.append(text)
        text = text if self._escapes else _unstyled(text)
        data = self._screen.encoded(text)
        for start in range(0, len(data), select.PIPE_BUF):  # of which a pipe takes all or nothing
            piece = data[start : start + select.PIPE_BUF]
            write_all(self.descriptor, piece, self._pause)
            self._written += len(piece)

    def has_read(self) -> bool:
        """Tell whether it has taken anything yet."""
        written = self._written  # before the pipe is looked at, since another thread may ask
        return _unread(self.descriptor) < written

    def close(self, *, at_once: bool) -> str:
        """Wait for its end, and return what was to be shown where it has failed, and taken nothing of that."""
        pipe = None
        if not self._closed:
            self._closed = True
            with suppress(OSError):  # where there is no /proc it can't be told what has not been read
                pipe = os.open(f"/proc/self/fd/{self.descriptor}", os.O_RDONLY | os.O_NONBLOCK)
            os.close(self.descriptor)
        try:
            self._wait(at_once=at_once)
            took_nothing = pipe is not None and self._written == _unread(pipe)
        finally:
            if pipe is not None:
                os.close(pipe)
        return "".join(self._kept) if took_nothing and self._process.returncode and not at_once else ""

    def _wait(self, *, at_once: bool) -> None:
        if at_once:
            self._process.terminate()
        while self._process.returncode is None:
            try:
                self._process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
            except KeyboardInterrupt:
                continue  # it was for the pager
            except Terminated:
                self._process.terminate()
                raise
