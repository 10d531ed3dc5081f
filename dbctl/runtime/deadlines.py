"""Ends for what has none of its own: a driver that waits at its socket for an answer is cut off there."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

_until: ContextVar[float] = ContextVar("dbctl_until", default=0.0)
"""When the checkout ends whose pre-ping got no answer: the connect that follows has the rest of its time."""


class shut_down_after:  # not a generator, since each pre-ping pays for it
    """Shut a socket down if the block takes longer, so that whoever waits there, in whatever thread, waits no more.

    Args:
        seconds: How long the block may take.
        descriptor: The socket's file descriptor.
    """

    __slots__ = ("_descriptor", "_seconds")

    def __init__(self, seconds: float, descriptor: int) -> None:
        self._seconds = seconds
        self._descriptor = descriptor

    def __enter__(self) -> None:
        # A duplicate keeps its number until the block's end, also where the driver closes the socket meanwhile.
        self._descriptor = os.dup(self._descriptor)
        _watch.add(self._descriptor, time.monotonic() + self._seconds)

    def __exit__(self, *_reason: object) -> None:
        _watch.remove(self._descriptor)
        os.close(self._descriptor)


@contextmanager
def abort_after(seconds: float, transport: Any) -> Iterator[None]:
    """Abort an asyncio transport if the block takes longer, so that whoever waits there waits no more."""
    import asyncio

    aborting = asyncio.get_running_loop().call_later(seconds, transport.abort)
    try:
        yield
    finally:
        aborting.cancel()


def time_to_connect(seconds: float) -> float:
    """Return how long a connect may take: so many seconds, or what the pre-ping before it has left of them."""
    left = _until.get() - time.monotonic()
    return left if left > 0 else seconds


def connect_until(end: float) -> None:
    """Give the connect that follows, in this thread or task, no more time than until then."""
    _until.set(end)


class _Watch:
    """One thread for all sockets of the process that are to be shut down at a time; it starts with the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._due: dict[int, float] = {}
        self._wakes: float | None = None

    def add(self, descriptor: int, due: float) -> None:
        with self._lock:
            self._due[descriptor] = due
            if self._wakes is None:
                self._wakes = due
                threading.Thread(target=self._run, name="dbctl-watch", daemon=True).start()
            elif due < self._wakes:
                self._wakes = due
                self._changed.notify()

    def remove(self, descriptor: int) -> None:
        # The thread is not told: that would cost more than to let it wake up once for nothing.
        with self._lock:
            self._due.pop(descriptor, None)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for descriptor in [descriptor for descriptor, due in self._due.items() if due <= now]:
                    del self._due[descriptor]
                    _shut_down(descriptor)
                self._wakes = min(self._due.values(), default=math.inf)
                self._changed.wait(min(self._wakes - now, threading.TIMEOUT_MAX) if self._due else None)


def _shut_down(descriptor: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as sock:
        sock.shutdown(socket.SHUT_RDWR)


def _watch_anew() -> None:
    """Begin without a thread, which a fork does not take with it, and without a lock that somebody holds elsewhere."""
    global _watch  # noqa: PLW0603  # one thread a process
    _watch = _Watch()


_watch = _Watch()
os.register_at_fork(after_in_child=_watch_anew)
