"""A terminal for a program to run on, of a given size, with somebody at its keys."""

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
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

# Makes the terminal the program's own, for only that one turns Ctrl-C into a signal. It can't be done between fork and
# exec: code that runs there may hang while other threads run.
TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)

Keys = Sequence[tuple[str, str]]


class Screen:
    """One run on a terminal.

    Parameters:
        keys: what to type, and when: pairs of a text to wait for, after the last one found, and the keys to press then.
        timeout: seconds until the run is given up.
    """

    def __init__(
        self,
        command: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        size: tuple[int, int],
        keys: Keys,
        timeout: float,
        stderr_apart: bool,
    ) -> None:
        """Start the program; `run` sees to it until its end."""
        self._master, slave = pty.openpty()
        columns, rows = size
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", TAKE_TERMINAL, *command],
                cwd=cwd,
                env=env,
                stdin=slave,
                stdout=slave,
                stderr=subprocess.PIPE if stderr_apart else slave,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)
        self._keys = list(keys)
        self._timeout = timeout
        self._shown = ""
        self._seen = 0

    def run(self) -> tuple[int, str, bytes]:
        """Return the exit code, what the screen was sent, and what came to a separate standard error."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        apart = b""
        deadline = time.monotonic() + self._timeout
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._master, selectors.EVENT_READ)
                if self._process.stderr:
                    selector.register(self._process.stderr, selectors.EVENT_READ)
                while selector.get_map():
                    self._press_keys()
                    events = selector.select(max(0.0, deadline - time.monotonic()))
                    if not events:
                        raise subprocess.TimeoutExpired(self._process.args, self._timeout, self._shown)
                    for key, _ in events:
                        data = _read(key.fd)
                        if not data:
                            selector.unregister(key.fileobj)
                        elif key.fd == self._master:
                            self._shown += decoder.decode(data)
                        else:
                            apart += data
            code = self._process.wait(max(0.1, deadline - time.monotonic()))
        finally:
            self._close()
        if self._keys:
            raise AssertionError(f"never shown: {self._keys[0][0]!r}; all that was shown:\n{self._shown}")
        return code, self._shown.replace("\r\n", "\n"), apart

    def _press_keys(self) -> None:
        """Press what is due."""
        while self._keys and (found := self._shown.find(self._keys[0][0], self._seen)) >= 0:
            awaited, pressed = self._keys.pop(0)
            self._seen = found + len(awaited)
            with suppress(OSError):  # the program has gone
                os.write(self._master, pressed.encode())

    def _close(self) -> None:
        """Leave nothing behind, the program least of all."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._master)
        if self._process.stderr:
            self._process.stderr.close()


def _read(descriptor: int) -> bytes:
    """Read what is there; nothing at the end, which Linux reports for a terminal as an input/output error."""
    try:
        return os.read(descriptor, 65536)
    except OSError as error:
        if error.errno == errno.EIO:
            return b""
        raise
