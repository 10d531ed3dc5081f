"""A terminal that a run can be interrupted on, and that can be closed under it."""

import os
import pty
import subprocess
import sys
import termios
from types import TracebackType
from typing import Self

from tests.harness.cli import Dbctl
from tests.harness.terminal import TAKE_TERMINAL


class Terminal:
    """One run of dbctl on a terminal of its own, in a block."""

    def __init__(self, dbctl: Dbctl, *args: str) -> None:
        self.master, self._slave = pty.openpty()
        self._attributes = termios.tcgetattr(self._slave)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", TAKE_TERMINAL, *dbctl.program, *args],
            cwd=dbctl.cwd,
            env=dbctl.environment({"TERM": "xterm-256color"}),
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        self.close()
        os.close(self._slave)

    def press(self, keys: str) -> None:
        """Press keys; Ctrl-C is "\\x03"."""
        os.write(self.master, keys.encode())

    def close(self) -> None:
        """Close it as a window is closed: whoever runs on it is hung up on."""
        if self.master >= 0:
            os.close(self.master)
        self.master = -1

    def shown(self) -> str:
        """Return what has been shown since this was asked last."""
        os.set_blocking(self.master, False)
        try:
            return os.read(self.master, 65536).decode().replace("\r\n", "\n")
        except BlockingIOError:
            return ""

    @property
    def is_as_before(self) -> bool:
        """Whether it echoes, waits for lines and makes signals of keys as it did before the run."""
        return termios.tcgetattr(self._slave) == self._attributes
