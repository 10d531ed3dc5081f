"""Ends for what has none of its own: a driver that waits at its socket for an answer is cut off there.

All that is due at a time in this process one thread does, which starts with the first.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

_REST = 1.0
"""Seconds for which the thread sleeps where nothing is due, before it sleeps until it is woken: that costs who does."""

_until: ContextVar[float] = ContextVar("dbctl_until", default=0.0)
"""When the checkout ends whose pre-ping got no answer: the connect that follows has the rest of its time."""


class call_after:  # not a generator, since each statement pays for it
    """Call something if the block takes longer. When the block is left it has been called, or never will be.

    Args:
        seconds: How long the block may take.
        action: Called in another thread, in which it must not wait; again after as many seconds as it returns, if any.
    """

    __slots__ = ("_seconds", "act")

    def __init__(self, seconds: float, action: Callable[[], object]) -> None:
        self._seconds = seconds
        self.act = action

    def __enter__(self) -> None:
        _watch.add(self, time.monotonic() + self._seconds)

    def __exit__(self, *_reason: object) -> None:
        _watch.remove(self)


class shut_down_after:
    """Shut a socket down if the block takes longer, so that whoever waits there, in whatever thread, waits no more.

    A block that is entered by hand may be left alone: it is over when its time is.

    Args:
        seconds: How long the block may take.
        descriptor: The socket's file descriptor.
    """

    __slots__ = ("_descriptor", "_seconds")

    def __init__(self, seconds: float, descriptor: int) -> None:
        self._seconds = seconds
        self._descriptor = descriptor

    def __enter__(self) -> None:
        # Of a duplicate, which is the same socket still when the driver has closed its own meanwhile.
        self._descriptor = os.dup(self._descriptor)
        _watch.add(self, time.monotonic() + self._seconds)

    def __exit__(self, *_reason: object) -> None:
        if _watch.remove(self):
            os.close(self._descriptor)

    def act(self) -> None:
        """Do it."""
        _shut_down(self._descriptor)


class shut_down_used_after:
    """The same of a socket that nobody closes but who is in the block, and that is not looked for before its time.

    Args:
        seconds: How long the block may take.
        descriptor: Returns the socket's file descriptor; below 0 where it is closed.
    """

    __slots__ = ("_descriptor", "_seconds")

    def __init__(self, seconds: float, descriptor: Callable[[], int]) -> None:
        self._seconds = seconds
        self._descriptor = descriptor

    def __enter__(self) -> None:
        watch, due = _watch, time.monotonic() + self._seconds
        watch.due[self] = due  # as `add` does, without the call
        if due < watch.wakes:
            watch.wake(due)

    def __exit__(self, *_reason: object) -> None:
        if _watch.due.pop(self, None) is None:
            _watch.remove(self)

    def act(self) -> None:
        """Do it."""
        descriptor = self._descriptor()
        with suppress(OSError):  # it has been closed meanwhile
            duplicate = os.dup(descriptor)
            if self._descriptor() == descriptor:  # it is still open, and so has been nobody else's
                _shut_down(duplicate)
            else:
                os.close(duplicate)


class abort_after:
    """The same of an asyncio transport, in its own event loop."""

    __slots__ = ("_aborting", "_seconds", "_transport")

    def __init__(self, seconds: float, transport: asyncio.Transport) -> None:
        self._seconds = seconds
        self._transport = transport

    def __enter__(self) -> None:
        import asyncio

        self._aborting = asyncio.get_running_loop().call_later(self._seconds, self._transport.abort)

    def __exit__(self, *_reason: object) -> None:
        self._aborting.cancel()


def time_to_connect(seconds: float) -> float:
    """Return how long a connect may take: so many seconds, or what the pre-ping before it has left of them."""
    left = _until.get() - time.monotonic()
    return left if left > 0 else seconds


def connect_until(end: float) -> None:
    """Give the connect that follows, in this thread or task, no more time than until then."""
    _until.set(end)


class _Acting(Protocol):
    """What is due at a time."""

    @property
    def act(self) -> Callable[[], object]:
        """What is done then; where that returns seconds, it is due again after these."""


class _Watch:
    """The thread.

    Attributes:
        due: What is due, and when, by `time.monotonic`.
        wakes: When the thread wakes up next.
    """

    def __init__(self) -> None:
        # What the garbage collector ends in the midst of this, as a connection that nobody has, may add or remove too.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self.due: dict[_Acting, float] = {}
        self.wakes = math.inf
        self._runs = False

    def add(self, key: _Acting, due: float) -> None:
        # Each checkout pays for it: where the thread wakes up in time, as nearly always, no lock is taken. It looks at
        # what is due after it has said that it will not wake up, and so misses nothing that was added before.
        self.due[key] = due
        if due < self.wakes:
            self.wake(due)

    def wake(self, due: float) -> None:
        with self._lock:
            if due < self.wakes:
                self.wakes = due
                self._changed.notify()
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="dbctl-watch", daemon=True).start()

    def remove(self, key: _Acting) -> bool:
        """Tell whether it was not done yet, and never will be."""
        # The thread is not told: that would cost more than to let it wake up once for nothing.
        if self.due.pop(key, None) is not None:
            return True
        with self._lock:  # it is being done, and has been when the lock is free
            return self.due.pop(key, None) is not None

    def _run(self) -> None:
        rested = False
        with self._changed:
            while True:
                self.wakes = math.inf
                now = time.monotonic()
                for key, due in list(self.due.items()):
                    if due <= now and self.due.pop(key, None) is not None and isinstance(again := key.act(), float):
                        self.due[key] = now + again
                until = min(list(self.due.values()), default=math.inf)
                rested = until == math.inf and not rested
                self.wakes = now + _REST if rested else until
                self._changed.wait(min(self.wakes - now, threading.TIMEOUT_MAX) if self.wakes < math.inf else None)


def shut_down(descriptor: int) -> None:
    """Shut a socket down at once, as `shut_down_after` does; whoever has it open still has to close it."""
    if descriptor >= 0:
        _shut_down(os.dup(descriptor))


def _shut_down(descriptor: int) -> None:
    with suppress(OSError), socket.socket(fileno=descriptor) as sock:
        sock.shutdown(socket.SHUT_RDWR)


def _watch_anew() -> None:
    """Begin without a thread, which a fork does not take with it, and without a lock that somebody holds elsewhere."""
    global _watch  # noqa: PLW0603  # one thread a process
    _watch = _Watch()


_watch = _Watch()
os.register_at_fork(after_in_child=_watch_anew)
