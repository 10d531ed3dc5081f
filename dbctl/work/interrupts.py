"""Hearing SIGINT, or SIGTERM, while the main thread waits inside of a driver's C code.

Python runs a signal's handler, which raises KeyboardInterrupt, between two of the main thread's steps: a thread that
waits in libpq or in SQLite takes none. But what Python has in C writes each signal's number to a descriptor at once,
which a thread reads here. https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager


@contextmanager
def on_interrupt(act: Callable[[int], object], numbers: Collection[int] = (signal.SIGINT,)) -> Iterator[None]:
    """Have something called, in another thread, whenever SIGINT comes during the block.

    So it is in the main thread, where SIGINT raises KeyboardInterrupt, and where nobody else, such as an event loop,
    has taken what Python writes the signals to; elsewhere the block is run as it is.

    Args:
        act: What to call, with the signal's number; it must not wait.
        numbers: The signals that are heard; what Python has no handler for is not.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    ear = _ear  # a fork in the block has another
    listening = ear.descriptor()
    before = signal.set_wakeup_fd(listening, warn_on_full_buffer=False)
    if before not in {-1, listening}:
        signal.set_wakeup_fd(before)
        yield
        return
    heard = (frozenset(numbers), act)
    ear.acts.append(heard)
    try:
        yield
    finally:
        ear.acts.remove(heard)
        signal.set_wakeup_fd(before)


class _Ear:
    """The thread that hears, which starts with the first block."""

    def __init__(self) -> None:
        self.acts: list[tuple[Collection[int], Callable[[int], object]]] = []
        self._ends: tuple[socket.socket, socket.socket] | None = None

    def descriptor(self) -> int:
        """Return what Python is to write the signals to."""
        if self._ends is None:
            self._ends = socket.socketpair()
            self._ends[1].setblocking(False)
            threading.Thread(target=self._hear, args=[self._ends[0]], name="dbctl-interrupts", daemon=True).start()
        return self._ends[1].fileno()

    def _hear(self, signals: socket.socket) -> None:
        while heard := signals.recv(64):
            for number in heard:
                for numbers, act in list(self.acts):
                    if number in numbers:
                        act(number)


def _begin_anew() -> None:
    """Begin without a thread, which a fork does not take with it; a fork's signals are not its parent's to hear."""
    global _ear  # noqa: PLW0603  # one thread a process
    if _ear.acts:
        signal.set_wakeup_fd(-1)
    _ear = _Ear()


_ear = _Ear()
os.register_at_fork(after_in_child=_begin_anew)
