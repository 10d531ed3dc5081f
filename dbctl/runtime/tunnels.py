"""Tunnels: programs that forward a port of loopback to somewhere else, such as `ssh -L`.

There is one for each way that is asked for, in this process. It is started when it is first needed, and anew when it
has died; it ends when nobody holds it any more, and with this process, whatever ends that. A fork begins without any.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Hashable, Sequence
from concurrent.futures import Future
from contextlib import suppress

from dbctl.runtime.children import dying_with_parent
from dbctl.runtime.listeners import free_port, listens

PORT = "{port}"
"""What stands in a tunnel's words for the port of loopback."""

_PORTS = 5
"""How many ports are tried where another process takes the one that was free a moment ago."""

_LOOK, _LONGEST_LOOK = 0.01, 0.1
"""Seconds between two looks whether a new tunnel is open."""

_TO_END = 0.5
"""Seconds that a tunnel has to end by itself when it is told to."""

_TO_SPEAK = 0.15
"""Seconds that a tunnel has to say why what went through it failed: it may be heard a little later than that."""

_LINES = 50
"""Of what it has said last."""

_CLOSED = "it has been closed meanwhile"


class TunnelFailed(Exception):
    """A tunnel did not open; the text says why, in the program's own words where it has said something."""


class Tunnel:
    """One way, and the program that keeps it open.

    Args:
        words: The program and its arguments, with `{port}` where the port of loopback is to stand.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._process = os.getpid()
        self._opening = threading.Lock()
        self._changing = threading.Lock()
        self._holders: set[Hashable] = set()
        self._program: _Program | None = None

    def port(self, holder: Hashable, seconds: float) -> int:
        """Return the port of loopback from which it leads, for a holder who says with `release` that it is done.

        Args:
            holder: Who needs it.
            seconds: How long a new program may take to open it.

        Raises:
            TunnelFailed: It did not open, or not in time.
            OSError: The program can't be run.
        """
        self.hold(holder)
        with self._opening:
            if self._program is None or self._program.has_ended:
                self._open(time.monotonic() + seconds)
            if (program := self._program) is None:
                raise TunnelFailed(_CLOSED)
            return program.port

    def hold(self, holder: Hashable) -> None:
        """Keep it open for one more holder."""
        with self._changing:
            self._holders.add(holder)

    def release(self, holder: Hashable) -> None:
        """End it where nobody else holds it, also while it is being opened."""
        if self._process != os.getpid():
            return  # it is the parent's
        with self._changing:
            self._holders.discard(holder)
            program = self._taken() if not self._holders else None
        if program:
            program.end()

    def end(self) -> None:
        """End it, whoever holds it."""
        with self._changing:
            program = self._taken()
        if program:
            program.end()

    def _taken(self) -> _Program | None:
        program, self._program = self._program, None
        return program

    @property
    def heard(self) -> int:
        """How many lines it has said until now."""
        return self._program.heard if self._program else 0

    def trouble(self, since: int | None = None) -> str:
        """Return why what went through it has failed, as far as it is the tunnel's fault: "" where it is not known.

        Args:
            since: What `heard` was before: what it has said after that counts too. Else it counts that it has ended.
        """
        program, end = self._program, time.monotonic() + _TO_SPEAK
        if program is None:
            return ""
        while True:
            if program.has_ended:
                return program.end_told()
            if since is not None and program.heard > since:
                return program.lines[-1]
            if time.monotonic() > end:
                return ""
            time.sleep(_LOOK)

    def _open(self, end: float) -> None:
        for left in reversed(range(_PORTS)):
            program = _Program(self._words, free_port())
            with self._changing:
                self._program = program
                wanted = bool(self._holders)
            try:
                if not wanted:
                    raise TunnelFailed(_CLOSED)
                program.wait_until_open(end)
                return
            except TunnelFailed:
                program.end()
                if not (left and program.has_found_port_taken):
                    raise


class _Program:
    """A running program, and the thread that reads what it says.

    The thread starts it too, and lives as long: the program ends when the thread does that started it.
    """

    def __init__(self, words: Sequence[str], port: int) -> None:
        self.port = port
        self.lines: deque[str] = deque(maxlen=_LINES)
        self.heard = 0
        self.name = os.path.basename(words[0])
        filled_in = [word.replace(PORT, str(port)) for word in words]
        started: Future[subprocess.Popen[bytes]] = Future()
        self._silent = threading.Event()
        threading.Thread(target=self._attend, args=(filled_in, started), name="dbctl-tunnel", daemon=True).start()
        self._child = started.result()

    def _attend(self, words: Sequence[str], started: Future[subprocess.Popen[bytes]]) -> None:
        null = subprocess.DEVNULL
        try:
            # In a session of its own: Ctrl-C is dbctl's to hear, which has to roll back through it.
            child = subprocess.Popen(
                words,
                stdin=null,
                stdout=null,
                stderr=subprocess.PIPE,
                start_new_session=True,
                preexec_fn=dying_with_parent(),  # noqa: PLW1509  # it makes system calls alone
            )
        except BaseException as error:
            started.set_exception(error)
            return
        started.set_result(child)
        assert child.stderr is not None
        for line in child.stderr:
            if text := _printable(line):
                self.lines.append(text)
                self.heard += 1
        self._silent.set()
        child.wait()

    @property
    def has_ended(self) -> bool:
        return self._child.poll() is not None

    @property
    def has_found_port_taken(self) -> bool:
        return any("already in use" in line for line in self.lines)

    def wait_until_open(self, end: float) -> None:
        look = _LOOK
        while not listens(self.port, self._child.pid):
            if self.has_ended:
                raise TunnelFailed(self.end_told())
            if time.monotonic() > end:
                raise TunnelFailed(f"{self.name} has not opened it in time{self._last_words()}")
            time.sleep(look)
            look = min(2 * look, _LONGEST_LOOK)

    def end_told(self) -> str:
        """Return how it ended, in its own last words if it had some."""
        self._silent.wait(_TO_SPEAK)
        code = self._child.returncode
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"has ended with exit code {code}"
        return f"{self.name} {how}{self._last_words()}"

    def _last_words(self) -> str:
        return f": {self.lines[-1]}" if self.lines else ""

    def end(self) -> None:
        """End it and all that it has started, at the latest by force."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.has_ended:
                return
            with suppress(ProcessLookupError, PermissionError):  # it has ended; it has another user
                os.killpg(self._child.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(_TO_END)


def _printable(line: bytes) -> str:
    text = line.decode(errors="replace")
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


_tunnels: dict[Sequence[str], Tunnel] = {}
_lock = threading.Lock()


def tunnel_by(words: Sequence[str]) -> Tunnel:
    """Return this process's one tunnel by these words; it need not be open."""
    with _lock:
        return _tunnels.setdefault(tuple(words), Tunnel(words))


def _end_all() -> None:
    for tunnel in list(_tunnels.values()):
        tunnel.end()


def _begin_anew() -> None:
    """Begin without tunnels in a fork: they are its parent's to end, and speak to their parent."""
    global _lock  # noqa: PLW0603  # somebody may hold it elsewhere
    _lock = threading.Lock()
    _tunnels.clear()


atexit.register(_end_all)
os.register_at_fork(after_in_child=_begin_anew)
