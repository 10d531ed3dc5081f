"""A terminal for a program to run on, of a given size, with somebody at its keys, who may also close it."""

import codecs
import errno
import fcntl
import os
import pty
import selectors
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

# Makes the terminal the program's own, for only that one turns Ctrl-C into a signal. It can't be done between fork and
# exec: code that runs there may hang while other threads run.
TAKE_TERMINAL = (
    sys.executable, "-I", "-S", "-c",
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])",
)  # fmt: skip

Keys = Sequence[tuple[str, str]]


class Terminal:
    """One run of a program on a terminal of its own, in a block: seen to until its end, or left to the caller.

    Attributes:
        process: the program.
    """

    def __init__(
        self,
        spawn: Callable[..., subprocess.Popen[Any]],
        *,
        size: tuple[int, int] = (80, 24),
        stderr_apart: bool = False,
    ) -> None:
        """Start the program by `Dbctl.spawn`; the size is in columns and rows."""
        self._master, slave = pty.openpty()
        columns, rows = size
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._attributes = termios.tcgetattr(self._master)
        try:
            stderr = subprocess.PIPE if stderr_apart else slave
            self.process = spawn(on_terminal=True, stdin=slave, stdout=slave, stderr=stderr)
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)
        self._shown = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave nothing behind, the program least of all."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.close()
        if self.process.stderr:
            self.process.stderr.close()

    def press(self, keys: str) -> None:
        """Press keys; Ctrl-C is "\\x03"."""
        os.write(self._master, keys.encode())

    def close(self) -> None:
        """Close it as a window is closed: whoever runs on it is hung up on."""
        if self._master >= 0:
            os.close(self._master)
        self._master = -1

    @property
    def is_as_before(self) -> bool:
        """Whether it echoes, waits for lines and makes signals of keys as it did before the run."""
        return termios.tcgetattr(self._master) == self._attributes

    def shown(self) -> str:
        """Return all that has been shown until now."""
        os.set_blocking(self._master, False)
        with suppress(BlockingIOError):
            while data := _read(self._master):
                self._shown += self._decoder.decode(data)
        return self._shown.replace("\r\n", "\n")

    def run(self, keys: Keys, timeout: float) -> tuple[int, str, bytes]:
        """See to the program until its end.

        Parameters:
            keys: what to type, and when: pairs of a text to wait for, after the last one found, and the keys to press
                then.
            timeout: seconds until the run is given up.

        Returns:
            The exit code, what the screen was sent, and what came to a separate standard error.
        """
        due, seen, apart = list(keys), 0, b""
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._master, selectors.EVENT_READ)
            if self.process.stderr:
                selector.register(self.process.stderr, selectors.EVENT_READ)
            while selector.get_map():
                while due and (found := self._shown.find(due[0][0], seen)) >= 0:
                    awaited, pressed = due.pop(0)
                    seen = found + len(awaited)
                    with suppress(OSError):  # the program has gone
                        self.press(pressed)
                events = selector.select(max(0.0, deadline - time.monotonic()))
                if not events:
                    raise subprocess.TimeoutExpired(self.process.args, timeout, self._shown)
                for key, _ in events:
                    data = _read(key.fd)
                    if not data:
                        selector.unregister(key.fileobj)
                    elif key.fd == self._master:
                        self._shown += self._decoder.decode(data)
                    else:
                        apart += data
        code = self.process.wait(max(0.1, deadline - time.monotonic()))
        if due:
            raise AssertionError(f"never shown: {due[0][0]!r}; all that was shown:\n{self._shown}")
        return code, self._shown.replace("\r\n", "\n"), apart


def _read(descriptor: int) -> bytes:
    """Read what is there; nothing at the end, which Linux reports for a terminal as an input/output error."""
    try:
        return os.read(descriptor, 65536)
    except OSError as error:
        if error.errno == errno.EIO:
            return b""
        raise
